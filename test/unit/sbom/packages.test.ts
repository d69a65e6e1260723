import { describe, expect, it } from "vitest";
import { Oci2isoError } from "../../../src/errors.ts";
import { cyclonedxDocument } from "../../../src/sbom/cyclonedx.ts";
import type { Inventory } from "../../../src/sbom/inventory.ts";
import { packageUrl } from "../../../src/sbom/package-url.ts";
import { readPackages } from "../../../src/sbom/read-packages.ts";
import { spdxDocument } from "../../../src/sbom/spdx.ts";
import { ndbDatabase, rpmHeader, sqliteDatabase } from "../../support/package-databases.ts";
import {
	cyclonedxFaults,
	inventory,
	oddInventory,
	oddPackages,
	type SpdxDocument,
	spdxFaults,
} from "../../support/sbom-documents.ts";
import { SmallRoot } from "../../support/small-root.ts";

const DEBIAN = { id: "debian", name: "Debian", versionId: "12" };

async function packagesIn(tree: SmallRoot) {
	const fetched: unknown[] = [];
	const fetch = (files: readonly unknown[]) => Promise.resolve(void fetched.push(...files));
	const { packages, notices } = await readPackages(tree, { fetch });
	return { packages, notices, fetched: fetched.length };
}

async function codeOf(tree: SmallRoot): Promise<string> {
	try {
		await packagesIn(tree);
	} catch (error) {
		if (error instanceof Oci2isoError) return error.code;
		throw error;
	}
	return "none";
}

describe("packages of a tree", () => {
	it("are dpkg's that are there, without what was removed, each field as it is", async () => {
		const status = [
			"Package: libc6\nStatus: install ok installed\nArchitecture: amd64\nMulti-Arch: same\nSource: glibc\nVersion: 2.36-9+deb12u9\nMaintainer: A <a@b>\nHomepage: https://x.org/\nDescription: long\n Version: 9\n  Package: no\n",
			"Package: removed\nStatus: deinstall ok config-files\nVersion: 1\n",
			"Package: half\nStatus: install reinstreq half-installed\nVersion: 1:2\nSource: whole (2.0)\n",
			"\n\nPackage: gone\nStatus: purge ok not-installed\n",
		].join("\n");
		const { packages } = await packagesIn(new SmallRoot().file("/var/lib/dpkg/status", status));
		expect(packages).toMatchObject([
			{ name: "half", version: "1:2", upstream: "whole@2.0" },
			{ name: "libc6", version: "2.36-9+deb12u9", architecture: "amd64", upstream: "glibc", supplier: "A <a@b>" },
		]);
		expect(packages.map((each) => packageUrl(each, DEBIAN))).toEqual([
			"pkg:deb/debian/half@1:2?distro=debian-12&upstream=whole%402.0",
			"pkg:deb/debian/libc6@2.36-9+deb12u9?arch=amd64&distro=debian-12&upstream=glibc",
		]);
	});

	it("are those of distroless images, a file each", async () => {
		const tree = new SmallRoot()
			.file("/var/lib/dpkg/status.d/tzdata", "Package: tzdata\nVersion: 2024a\nArchitecture: all\n")
			.file("/var/lib/dpkg/status.d/tzdata.md5sums", "0 usr/x\n")
			.file("/var/lib/dpkg/status.d/base", "Package: base-files\nVersion: 12\n\n");
		const { packages, fetched } = await packagesIn(tree);
		expect([packages.map(({ name }) => name), fetched]).toEqual([["base-files", "tzdata"], 2]);
	});

	it("are apk's, from either place, once where one is a link to the other", async () => {
		const installed =
			"C:Q1x=\nP:musl\nV:1.2.5-r0\nA:x86_64\nL:MIT\no:musl\nU:https://musl.libc.org/\nm:A <a@b>\nF:lib\nR:ld.so\n\nP:ssl_client\nV:1.36-r1\nA:x86_64\nL:GPL-2.0-only\no:busybox\n\n";
		const tree = new SmallRoot().file("/usr/lib/apk/db/installed", installed).symlink("/lib", "usr/lib");
		const { packages } = await packagesIn(tree);
		expect(
			packages.map((each) => [packageUrl(each, { id: "alpine", name: "", versionId: "3.20.1" }), each.license]),
		).toEqual([
			["pkg:apk/alpine/musl@1.2.5-r0?arch=x86_64&distro=alpine-3.20.1", "MIT"],
			["pkg:apk/alpine/ssl_client@1.36-r1?arch=x86_64&distro=alpine-3.20.1&upstream=busybox", "GPL-2.0-only"],
		]);
	});

	it("are pacman's, of a distribution that has builds and no versions", async () => {
		const desc =
			"%NAME%\nbash\n\n%VERSION%\n5.2.037-1\n\n%BASE%\nbash\n\n%DESC%\n%NAME%\n\n%ARCH%\nx86_64\n\n%LICENSE%\nGPL-3.0-or-later\nMIT OR Zlib\n\n%URL%\nhttps://x.org\n";
		const tree = new SmallRoot()
			.file("/var/lib/pacman/local/bash-5.2.037-1/desc", desc)
			.file("/var/lib/pacman/local/bash-5.2.037-1/files", "%FILES%\n")
			.file("/var/lib/pacman/local/ALPM_DB_VERSION", "9\n");
		const { packages } = await packagesIn(tree);
		expect(
			packages.map((each) => [
				packageUrl(each, { id: "arch", name: "", versionId: undefined, buildId: "rolling" }),
				each.license,
			]),
		).toEqual([
			[
				"pkg:alpm/arch/bash@5.2.037-1?arch=x86_64&distro=arch-rolling&upstream=bash",
				"GPL-3.0-or-later AND (MIT OR Zlib)",
			],
		]);
	});

	it("are rpm's, of either format, once where one directory is a link to the other, without public keys", async () => {
		const headers = [
			rpmHeader({
				1000: "bash",
				1001: "5.2",
				1002: "3.fc42",
				1003: 0,
				1022: "x86_64",
				1044: "bash-5.2-3.fc42.src.rpm",
			}),
			rpmHeader({ 1000: "gpg-pubkey", 1001: "105ef944", 1002: "65ca83d1" }),
		];
		for (const [name, file] of [
			["rpmdb.sqlite", sqliteDatabase(headers)],
			["Packages.db", ndbDatabase(headers)],
		] as const) {
			const tree = new SmallRoot()
				.file(`/usr/lib/sysimage/rpm/${name}`, file)
				.symlink("/var/lib/rpm", "../../usr/lib/sysimage/rpm");
			const { packages, fetched } = await packagesIn(tree);
			expect(fetched).toBe(1);
			expect(packages.map((each) => packageUrl(each, { id: "rhel", name: "", versionId: "10.0" }))).toEqual([
				"pkg:rpm/redhat/bash@5.2-3.fc42?arch=x86_64&distro=rhel-10.0&epoch=0&upstream=bash-5.2-3.fc42.src.rpm",
			]);
		}
	});

	it("do not depend on the order of a database", async () => {
		const stanzas = ["b", "a", "c"].map((name) => `Package: ${name}\nVersion: 1\n\n`);
		const read = (order: string[]) => packagesIn(new SmallRoot().file("/var/lib/dpkg/status", order.join("")));
		expect((await read(stanzas)).packages).toEqual((await read(stanzas.toReversed())).packages);
	});

	it.each([
		["/var/lib/dpkg/status", "Package: \nVersion: 1\n", "PACKAGE_DATABASE_DAMAGED"],
		["/var/lib/dpkg/status", `Package: ${"a".repeat(1025)}\nVersion: 1\n`, "PACKAGE_DATABASE_DAMAGED"],
		["/var/lib/dpkg/status", `Package: a\nVersion: 1\n${"X: y\n".repeat(1_000_000)}`, "none"],
		[
			"/var/lib/dpkg/status",
			Array.from({ length: 300_000 }, (_, i) => `Package: a${i}\nVersion: 1\n\n`).join(""),
			"PACKAGE_DATABASE_TOO_LARGE",
		],
		["/var/lib/dpkg/status", Buffer.alloc(64 * 2 ** 20 + 1), "FILE_TOO_LARGE"],
		["/var/lib/dpkg/status", Buffer.alloc(2 ** 20, 0xff), "none"],
		["/var/lib/pacman/local/x/desc", "%NAME%\n", "PACKAGE_DATABASE_DAMAGED"],
		["/var/lib/rpm/rpmdb.sqlite", "text", "PACKAGE_DATABASE_DAMAGED"],
		["/var/lib/rpm/rpmdb.sqlite", sqliteDatabase([Buffer.alloc(0)]), "PACKAGE_DATABASE_DAMAGED"],
		["/var/lib/rpm/Packages.db", "text", "PACKAGE_DATABASE_DAMAGED"],
		["/var/lib/rpm/Packages", "text", "none"],
	])("in %s of a hostile image end with an error or are bounded", async (path, content, code) => {
		expect(await codeOf(new SmallRoot().file(path, content))).toBe(code);
	});
});

describe("documents", () => {
	it("are valid for any names, licences and addresses, and the same every time", () => {
		const all = oddInventory();
		const [spdx, cyclonedx] = [spdxDocument(all), cyclonedxDocument(all)];
		expect([spdxFaults(spdx), cyclonedxFaults(cyclonedx)]).toEqual([[], []]);
		expect([spdxDocument(all), cyclonedxDocument(all)]).toEqual([spdx, cyclonedx]);
		expect(JSON.parse(cyclonedx).metadata.timestamp).toBe("1970-01-02T00:00:00.000Z");
	});

	it("have licences that are SPDX's as they are, and others under names of their own", () => {
		const document: SpdxDocument = JSON.parse(spdxDocument(inventory(oddPackages)));
		const declared = new Map(document.packages.map(({ name, licenseDeclared }) => [name, licenseDeclared]));
		expect([declared.get("A"), declared.get("a"), declared.get("b"), declared.get("d")]).toEqual([
			"LicenseRef-GPLv2-",
			"LicenseRef-GPLv2--2",
			"MIT",
			"MIT AND LicenseRef-own",
		]);
		expect(document.hasExtractedLicensingInfos).toContainEqual({
			licenseId: "LicenseRef-GPLv2--2",
			extractedText: "GPLv2-",
		});
		const suppliers = new Map(document.packages.map(({ name, supplier, homepage }) => [name, [supplier, homepage]]));
		expect(suppliers.get("b")).toEqual(["Person: Team  x (t@x)", undefined]);
	});

	it("have an id of the ISO's ingredients", () => {
		const idOf = (given: Inventory) => JSON.parse(cyclonedxDocument(given)).serialNumber;
		const id = idOf(inventory([]));
		expect(id).toMatch(/^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
		expect(idOf(inventory(oddPackages))).toBe(id);
		expect(idOf(inventory([], { ingredients: ["y"] }))).not.toBe(id);
		expect(spdxDocument(inventory([]))).toContain(`LIVE%201-${id.slice("urn:uuid:".length)}"`);
	});
});
