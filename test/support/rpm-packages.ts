import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** What `rpm -qa` prints of each package, sorted. */
export const RPM_FORMAT = "%{NAME}|%{VERSION}-%{RELEASE}|%{EPOCH}|%{ARCH}|%{LICENSE}|%{VENDOR}|%{URL}|%{SOURCERPM}\\n";

/** How many files the packages have: one that fits into a page of the database, and what does not by far. */
const FILES = [0, 3, 200, 1000];

/** Packages as distributions have them, built by rpmbuild, of no architecture and of this one: with and without epoch, licences old and new, file lists of any length, texts that are not ASCII. */
export function buildRpms(directory: string, count = 16): string[] {
	mkdirSync(directory);
	const numbers = [...Array(count).keys()];
	const spec = [
		"Name: package\nVersion: 1\nRelease: 1\nSummary: none\nLicense: MIT\n%description\nnone\n",
		...numbers.map((i) => subpackage(i)),
		"%install",
		...numbers.map((i) => {
			const names = `seq -f a-file-with-a-name-of-some-length-%%.0f ${FILES[i % FILES.length]}`;
			return `mkdir -p %{buildroot}/opt/package-${i}; cd %{buildroot}/opt/package-${i}; ${names} | xargs -r touch`;
		}),
		...numbers.map((i) => `%files -n package-${i}\n/opt/package-${i}`),
	];
	writeFileSync(join(directory, "package.spec"), `${spec.join("\n")}\n`);
	const macros = ["--define", `_topdir ${directory}`, "--define", "_build_id_links none"];
	const ran = spawnSync("rpmbuild", ["--quiet", ...macros, "-bb", join(directory, "package.spec")], {
		encoding: "utf8",
	});
	if (ran.status !== 0) throw new Error(ran.stderr);
	const built = readdirSync(join(directory, "RPMS"), { recursive: true, encoding: "utf8" });
	return built.filter((name) => name.endsWith(".rpm")).map((name) => join(directory, "RPMS", name));
}

function subpackage(i: number): string {
	return [
		`%package -n package-${i}`,
		`Version: 1.${i}~rc^git`,
		`Release: ${i + 1}.fc42`,
		...(i % 3 === 0 ? [`Epoch: ${i}`] : []),
		`License: ${["GPL-2.0-or-later AND LicenseRef-Fedora-Public-Domain", "GPLv2+ and MIT", "MIT"][i % 3]}`,
		...(i % 2 === 0 ? ["Vendor: Fédération des paquets", `URL: https://example.org/package-${i}`] : []),
		...(i % 5 === 0 ? [] : ["BuildArch: noarch"]),
		"Summary: one of many",
		`%description -n package-${i}`,
		"A long description, for a package that is one of many. ".repeat(i),
		"",
	].join("\n");
}

/** A program of this machine, or of a system in a directory. */
export type InSystem = (program: string, ...args: readonly string[]) => string;

export const onHost: InSystem = (program, ...args) =>
	execFileSync(program, args, { encoding: "utf8", maxBuffer: 2 ** 28, stdio: ["ignore", "pipe", "ignore"] });

/** Makes rpm put packages into a new database and take one out again; returns what rpm says is in it. */
export function fillDatabase(
	run: InSystem,
	database: string,
	packages: readonly string[],
	backend = "sqlite",
): string[] {
	const rpm = (...args: string[]) => run("rpm", "--define", `_db_backend ${backend}`, "--dbpath", database, ...args);
	rpm("--initdb");
	rpm("-i", "--justdb", "--nodeps", "--ignorearch", "--nosignature", ...packages);
	rpm("-e", "--justdb", "--nodeps", "package-2");
	return rpm("-qa", "--qf", RPM_FORMAT)
		.split("\n")
		.filter((line) => line !== "")
		.sort();
}
