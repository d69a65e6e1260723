import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { hostSource } from "../../fixtures/debian/apt.ts";
import { fullVersion } from "../../src/sbom/packages.ts";
import { readPackages } from "../../src/sbom/read-packages.ts";
import { spdxDocument } from "../../src/sbom/spdx.ts";
import { requires } from "../support/requires.ts";
import { buildRpms, fillDatabase, type InSystem } from "../support/rpm-packages.ts";
import { inventory, oddInventory } from "../support/sbom-documents.ts";
import { isSlowWanted } from "../support/slow.ts";
import { SmallRoot } from "../support/small-root.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const isSkipped =
	!isSlowWanted("databases of newer dpkg and rpm are read") || requires("root", "mmdebstrap", "rpmbuild");
// biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg-query's own
const DPKG_FORMAT = "${Package}|${Version}|${Architecture}\\n";

const inTree = async (path: string, content: Uint8Array) =>
	(await readPackages(new SmallRoot().file(path, content), { fetch: () => Promise.resolve() })).packages;

/** dpkg 1.22 and rpm 4.20, dpkg 1.23 and rpm 6. */
it.skipIf(isSkipped).each(["trixie", "sid"])(
	"has what dpkg-query and rpm of %s list of their own databases",
	{ timeout: 1_800_000 },
	async (suite) => {
		const work = temporaryDirectory("suite");
		const system = join(work, "root");
		const { uri, options } = await hostSource();
		const hasValidator = suite === "sid";
		const included = `--include=apt,rpm${hasValidator ? ",python3-spdx-tools" : ""}`;
		const settings = ["--variant=essential", included, '--aptopt=Acquire::Check-Valid-Until "false"'];
		execFileSync(
			"mmdebstrap",
			[...settings, "--format=directory", suite, system, `deb ${options}${uri} ${suite} main`],
			{ stdio: "ignore" },
		);
		const run: InSystem = (program, ...args) =>
			execFileSync("chroot", [system, program, ...args], {
				encoding: "utf8",
				maxBuffer: 2 ** 28,
				stdio: ["ignore", "pipe", "ignore"],
			});

		const dpkg = await inTree("/var/lib/dpkg/status", readFileSync(join(system, "var/lib/dpkg/status")));
		const listed = run("dpkg-query", "-W", "-f", DPKG_FORMAT).split("\n").slice(0, -1);
		expect(dpkg.map(({ name, version, architecture }) => [name, version, architecture].join("|")).toSorted()).toEqual(
			listed.toSorted(),
		);

		const rpms = buildRpms(join(work, "rpms"));
		cpSync(join(work, "rpms/RPMS"), join(system, "rpms"), { recursive: true });
		const packages = rpms.map((path) => path.replace(join(work, "rpms/RPMS"), "/rpms"));
		for (const [backend, name] of [
			["sqlite", "rpmdb.sqlite"],
			["ndb", "Packages.db"],
		] as const) {
			mkdirSync(join(system, backend));
			const installed = fillDatabase(run, `/${backend}`, packages, backend);
			const found = await inTree(`/usr/lib/sysimage/rpm/${name}`, readFileSync(join(system, backend, name)));
			const ours = found.map(({ name: of, version, epoch, architecture, license, supplier, homepage, upstream }) =>
				[of, version, epoch, architecture, license, supplier, homepage, upstream]
					.map((value) => value ?? "(none)")
					.join("|"),
			);
			expect([backend, ours.toSorted()]).toEqual([backend, installed]);
			expect(ours.length).toBe(rpms.length - 1);
			expect(found.map(fullVersion)).toContain("3:1.3~rc^git-4.fc42");
			if (!hasValidator) continue;
			for (const [number, each] of [inventory(dpkg), inventory(found), oddInventory()].entries()) {
				writeFileSync(join(system, `${number}.spdx.json`), spdxDocument(each));
				const { status, stdout, stderr } = spawnSync("chroot", [system, "pyspdxtools", "-i", `/${number}.spdx.json`], {
					encoding: "utf8",
				});
				expect([status, stdout, stderr.slice(0, 2000)]).toEqual([0, expect.any(String), ""]);
			}
		}
	},
);
