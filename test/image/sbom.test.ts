import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { PackageURL } from "packageurl-js";
import { beforeAll, describe, expect, it } from "vitest";
import { Oci2isoError } from "../../src/errors.ts";
import { type BuildOptions, type BuildReport, buildIso } from "../../src/index.ts";
import { HOST_GRUB } from "../support/contract-image.ts";
import { writeContractLayout } from "../support/contract-layout.ts";
import { mediumFiles } from "../support/medium-files.ts";
import { requires } from "../support/requires.ts";
import { buildRpms, fillDatabase, onHost } from "../support/rpm-packages.ts";
import { type CyclonedxDocument, cyclonedxFaults, type SpdxDocument, spdxFaults } from "../support/sbom-documents.ts";
import { type TarMember, tarArchive } from "../support/tar-fixtures.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const codeOf = (work: Promise<unknown>): Promise<unknown> =>
	work.then(
		() => "no error",
		(error: unknown) => (error instanceof Oci2isoError ? error.code : error),
	);

// biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg-query's own
const DPKG_FORMAT = "${db:Status-Status}|${Package}|${Version}|${Architecture}|${source:Package}|${source:Version}\\n";
const OS_RELEASE = "ID=debian\nNAME=Debian\nVERSION_ID=12\n";

describe.skipIf(requires(HOST_GRUB, "xorriso", "rpm", "rpmbuild", "dpkg-query"))(
	"documents of what is on the ISO",
	() => {
		const work = temporaryDirectory("sbom");
		let image = "";
		let rpms: string[] = [];
		let number = 0;

		const file = (path: string, content: Uint8Array | string): TarMember => ({ path, content: Buffer.from(content) });

		function imageWith(...members: readonly TarMember[]): string {
			return writeContractLayout(join(work, `image-${number++}`), [
				tarArchive([file("etc/os-release", OS_RELEASE), ...members]),
			]);
		}

		async function build(reference: string, more: Partial<BuildOptions> = {}) {
			const name = join(work, `iso-${number++}`);
			const options = { force: true, tools: "builtin", comp: "none", sbom: ["spdx", "cyclonedx"], ...more } as const;
			const report: BuildReport = await buildIso({ image: reference, output: `${name}.iso`, ...options });
			const texts = {
				spdx: readFileSync(`${name}.spdx.json`, "utf8"),
				cyclonedx: readFileSync(`${name}.cdx.json`, "utf8"),
			};
			expect([spdxFaults(texts.spdx), cyclonedxFaults(texts.cyclonedx)]).toEqual([[], []]);
			const spdx: SpdxDocument = JSON.parse(texts.spdx);
			const cyclonedx: CyclonedxDocument = JSON.parse(texts.cyclonedx);
			const packages = spdx.packages.filter(({ SPDXID }) => SPDXID.startsWith("SPDXRef-Package-"));
			const libraries = cyclonedx.components.filter(({ type }) => type === "library");
			const [ofSpdx, ofCyclonedx] = [
				packages.map(({ externalRefs }) => externalRefs?.[0]?.referenceLocator),
				libraries.map(({ purl }) => purl),
			];
			expect(ofCyclonedx).toEqual(ofSpdx);
			return { report, texts, spdx, cyclonedx, packages, libraries, iso: `${name}.iso` };
		}

		beforeAll(() => {
			image = imageWith(file("var/lib/dpkg/status", readFileSync("/var/lib/dpkg/status")));
			rpms = buildRpms(join(work, "rpms"));
		});

		it("has the packages, versions and architectures that dpkg-query lists, with their sources", async () => {
			const { packages, libraries, report } = await build(image);
			const installed = onHost("dpkg-query", "-W", "-f", DPKG_FORMAT)
				.split("\n")
				.flatMap((line) => {
					const [status, ...fields] = line.split("|");
					return ["", "config-files", "not-installed"].includes(status ?? "") ? [] : [fields.join("|")];
				});
			const listed = libraries.map(({ name, version, purl }) => {
				const { type, namespace, name: inUrl, version: versionInUrl, qualifiers } = PackageURL.fromString(purl ?? "");
				expect([type, namespace, inUrl, versionInUrl, qualifiers?.["distro"]]).toEqual([
					"deb",
					"debian",
					name,
					version,
					"debian-12",
				]);
				const [source = name, sourceVersion = version] = qualifiers?.["upstream"]?.split("@") ?? [];
				return [name, version, qualifiers?.["arch"], source, sourceVersion].join("|");
			});
			expect(listed.toSorted()).toEqual(installed.toSorted());
			expect(listed.length).toBeGreaterThan(100);
			expect(
				packages.every(({ supplier, licenseDeclared }) => supplier !== undefined && licenseDeclared === "NOASSERTION"),
			).toBe(true);
			expect(report.sboms?.map(({ format, packages: count }) => [format, count])).toEqual([
				["spdx", listed.length],
				["cyclonedx", listed.length],
			]);
		});

		it("has kernel, initramfs and boot loaders with the digests of what the ISO has", async () => {
			const { spdx, iso } = await build(image);
			const onMedium = await mediumFiles(iso);
			for (const { fileName, checksums } of spdx.files) {
				const content = onMedium.get(fileName.replace(/^\.\//, ""))?.sha256;
				expect([fileName, checksums[1]?.checksumValue]).toEqual([fileName, content]);
			}
			expect(spdx.files.map(({ fileName }) => fileName)).toEqual(
				expect.arrayContaining([
					"./images/pxeboot/vmlinuz",
					"./images/pxeboot/initrd.img",
					"./EFI/BOOT/BOOTX64.EFI",
					"./EFI/BOOT/grubx64.efi",
				]),
			);
		});

		it.each([
			["sqlite", "rpmdb.sqlite", "usr/lib/sysimage/rpm"],
			["sqlite", "rpmdb.sqlite", "usr/share/rpm"],
		])(
			"has what rpm -qa lists of a database in %s: %s in /%s, which the root file system may leave out",
			async (backend, name, place) => {
				const database = join(work, `db-${number++}`);
				mkdirSync(database);
				const installed = fillDatabase(onHost, database, rpms, backend);
				const { libraries, packages, report } = await build(
					imageWith(file(`${place}/${name}`, readFileSync(join(database, name)))),
				);
				const licences = new Map(packages.map((each) => [each.name, each]));
				const listed = libraries.map(({ name, version, purl }) => {
					const { type, namespace, version: versionInUrl, qualifiers } = PackageURL.fromString(purl ?? "");
					expect([type, namespace]).toEqual(["rpm", "debian"]);
					const epoch = qualifiers?.["epoch"];
					expect(version).toBe(epoch === undefined ? versionInUrl : `${epoch}:${versionInUrl}`);
					const { supplier = "", homepage = "(none)" } = licences.get(name) ?? {};
					const vendor = supplier.replace("Organization: ", "").replace("NOASSERTION", "(none)");
					return [
						name,
						versionInUrl,
						epoch ?? "(none)",
						qualifiers?.["arch"],
						vendor,
						homepage,
						qualifiers?.["upstream"],
					].join("|");
				});
				const withoutLicence = installed.map((line) => line.split("|").toSpliced(4, 1).join("|"));
				expect(listed.toSorted()).toEqual(withoutLicence.toSorted());
				expect(new Set(packages.map(({ licenseDeclared }) => licenseDeclared))).toEqual(
					new Set(["GPL-2.0-or-later AND LicenseRef-Fedora-Public-Domain", "LicenseRef-GPLv2--and-MIT", "MIT"]),
				);
				expect(report.layers.every(({ timesRead }) => timesRead === 1)).toBe(true);
			},
		);

		it("is the same from the cache, which has what the root file system leaves out too, and reads no layer for it", async () => {
			const database = join(work, "cached");
			mkdirSync(database);
			fillDatabase(onHost, database, rpms);
			const reference = imageWith(
				file("usr/lib/sysimage/rpm/rpmdb.sqlite", readFileSync(join(database, "rpmdb.sqlite"))),
			);
			const cache = join(work, "cache");
			const without = await build(reference, { jobs: 1 });
			const cold = await build(reference, { cache });
			const filled = join(work, "filled");
			await buildIso({ image: reference, output: join(work, "filled.iso"), force: true, comp: "none", cache: filled });
			const later = await build(reference, { cache: filled });
			expect(later.texts).toEqual(without.texts);
			// of what was left out it has nothing
			expect(later.report.layers.map(({ timesRead }) => timesRead)).toEqual([0, 0, 0, 1]);
			const warm = await build(reference, { cache, jobs: 2 });
			expect([cold.texts, warm.texts]).toEqual([without.texts, without.texts]);
			expect(warm.report.layers.map(({ timesRead }) => timesRead)).toEqual(warm.report.layers.map(() => 0));
			const { plan } = without.report;
			const output = join(work, "planned.iso");
			await buildIso({ plan, output, force: true, sbom: ["spdx"] });
			expect(readFileSync(join(work, "planned.spdx.json"), "utf8")).toBe(without.texts.spdx);
		});

		it("tells systems on one ISO apart, and the image that it carries from what it is made of", async () => {
			const other = imageWith(file("lib/apk/db/installed", "P:musl\nV:1\nL:MIT\n\n"));
			const { spdx, packages } = await build(image, { also: [{ name: "live", image: other }], payload: [other] });
			expect(packages.filter(({ licenseDeclared }) => licenseDeclared === "MIT").map(({ name }) => name)).toEqual([
				"musl",
			]);
			const purposes = spdx.packages.map(({ primaryPackagePurpose }) => primaryPackagePurpose);
			expect(purposes.filter((each) => each === "CONTAINER").length).toBe(3);
			expect(purposes.filter((each) => each === "OPERATING_SYSTEM").length).toBe(3);
		});

		it("names Berkeley DB's format and a log that was not written back, and says where there are no packages", async () => {
			const bdb = await build(imageWith(file("var/lib/rpm/Packages", "x"), file("var/lib/rpm/rpmdb.sqlite-wal", "x")));
			const notices = [/Berkeley DB/, /rpmdb\.sqlite-wal/, /no package database/];
			for (const notice of notices) {
				expect(bdb.report.notices.some((text) => notice.test(text))).toBe(true);
				expect(bdb.spdx.creationInfo.comment).toMatch(notice);
				expect(bdb.cyclonedx.metadata.properties?.some(({ value }) => notice.test(value))).toBe(true);
			}
		});

		it.each([
			["var/lib/rpm/rpmdb.sqlite", "SQLite format 3\0 and then nothing", "PACKAGE_DATABASE_DAMAGED"],
			["var/lib/dpkg/status", "Package: a\n\n", "PACKAGE_DATABASE_DAMAGED"],
			["lib/apk/db/installed", `P:${"a".repeat(5000)}\nV:1\n`, "PACKAGE_DATABASE_DAMAGED"],
			["var/lib/dpkg/status.d/x", "y".repeat(2 ** 20 + 1), "FILE_TOO_LARGE"],
		])("ends a build with a damaged %s in an error that says so, and leaves nothing", async (path, content, code) => {
			const output = join(work, `damaged-${number++}.iso`);
			const options = {
				image: imageWith(file(path, content)),
				output,
				force: true,
				comp: "none",
				sbom: ["spdx"],
			} as const;
			expect(await codeOf(buildIso(options))).toBe(code);
			expect(readdirSync(work).filter((name) => name.includes(output.slice(work.length + 1, -4)))).toEqual([]);
		});

		it("gives no name to anything where one of them is taken, and wants a name of the ISO", async () => {
			const output = join(work, "taken.iso");
			writeFileSync(join(work, "taken.cdx.json"), "precious");
			const options = { image, output, force: true, comp: "none", sbom: ["spdx", "cyclonedx"] } as const;
			expect(await codeOf(buildIso(options))).toBe("OUTPUT_EXISTS");
			expect(["taken.iso", "taken.spdx.json"].filter((name) => existsSync(join(work, name)))).toEqual([]);
			expect(readFileSync(join(work, "taken.cdx.json"), "utf8")).toBe("precious");
			await buildIso({ ...options, overwrite: true });
			expect(readFileSync(join(work, "taken.cdx.json"), "utf8")).toMatch(/CycloneDX/);
			expect(await codeOf(buildIso({ ...options, output: "-" }))).toBe("INVALID_OPTION");
			const twice = { ...options, output: join(work, "a.iso"), sbom: ["cyclonedx", "cyclonedx"] } as const;
			expect(await codeOf(buildIso(twice))).toBe("INVALID_OPTION");
		});

		it("does not change the ISO", async () => {
			const digest = (path: string) => createHash("sha256").update(readFileSync(path)).digest("hex");
			const { iso } = await build(image);
			const plain = join(work, "plain.iso");
			await buildIso({ image, output: plain, force: true, comp: "none" });
			expect(digest(plain)).toBe(digest(iso));
		});
	},
);
