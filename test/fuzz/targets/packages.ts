import { decodeRpmHeader, RpmHeaderFault } from "../../../src/formats/rpm/header.ts";
import { parseApkInstalled } from "../../../src/sbom/apk.ts";
import { cyclonedxDocument } from "../../../src/sbom/cyclonedx.ts";
import { parseDpkgStatus } from "../../../src/sbom/dpkg.ts";
import type { Inventory } from "../../../src/sbom/inventory.ts";
import { PackageList, type Parsed } from "../../../src/sbom/packages.ts";
import { parsePacmanDesc } from "../../../src/sbom/pacman.ts";
import { parseRpmDatabase } from "../../../src/sbom/rpm.ts";
import { spdxDocument } from "../../../src/sbom/spdx.ts";
import { ndbDatabase, rpmHeader, sqliteDatabase } from "../../support/package-databases.ts";
import { type FuzzTarget, utf8 } from "../engine/target.ts";

const HEADERS = [
	rpmHeader({
		1000: "bash",
		1001: "5.2",
		1002: "3",
		1003: 7,
		1011: "V",
		1014: "MIT",
		1020: "https://x",
		1022: "noarch",
		1044: "b.src.rpm",
	}),
	rpmHeader({ 1000: "gpg-pubkey", 1001: "1", 1002: "2" }),
	rpmHeader({ 1000: "long", 1001: "1", 1014: "GPLv2+ ".repeat(90) }),
];

/** Both documents of what a parser finds. */
function documentsOf(parsed: Parsed): number {
	const list = new PackageList();
	for (const found of parsed) if (found !== undefined) list.add(found, "fuzz");
	const inventory: Inventory = {
		label: "L",
		toolVersion: "1",
		epochSeconds: 0,
		ingredients: [],
		systems: [
			{
				name: "live",
				distribution: { id: "x", name: "X", versionId: "1" },
				image: { repository: undefined, manifestDigest: "sha256:0" },
				packages: list.sorted,
			},
		],
		payloads: [],
		files: [],
		notices: [],
	};
	JSON.parse(cyclonedxDocument(inventory));
	return JSON.parse(spdxDocument(inventory)).packages.length;
}

export const packageTargets: readonly FuzzTarget[] = [
	{
		name: "rpm-sqlite",
		maxBytes: 8192,
		dictionary: "Packages~table~SQLite format 3\0~gpg-pubkey",
		seeds: () => [sqliteDatabase(HEADERS), sqliteDatabase([...HEADERS, ...HEADERS]), sqliteDatabase(HEADERS, 1024)],
		run: (input) => documentsOf(parseRpmDatabase(input, "sqlite", "fuzz")),
	},
	{
		name: "rpm-ndb",
		maxBytes: 8192,
		dictionary: "RpmP~Slot~BlbS",
		seeds: () => [ndbDatabase(HEADERS), ndbDatabase([])],
		run: (input) => documentsOf(parseRpmDatabase(input, "ndb", "fuzz")),
	},
	{
		name: "rpm-header",
		seeds: () => HEADERS,
		run(input) {
			try {
				decodeRpmHeader(input);
			} catch (error) {
				if (!(error instanceof RpmHeaderFault)) throw error;
			}
		},
	},
	{
		name: "package-lists",
		dictionary:
			"Package: ~Version: ~Status: ~config-files~Source: ~ (~)~P:~V:~L:~o:~%NAME%~%VERSION%~%LICENSE%~LicenseRef-~ AND ~ WITH ~DocumentRef-~\n\n",
		seeds: () =>
			utf8(
				"Package: a\nStatus: install ok installed\nVersion: 1:2+b1\nArchitecture: amd64\nSource: s (1)\nMaintainer: A (b) <a@b>\nHomepage: https://x.org/\n\nPackage: b\nVersion: 2\n",
				"P:musl\nV:1.2-r0\nA:x86_64\nL:MIT AND (GPL-2.0-only OR LicenseRef-x)\no:m\nU:http://x\nm:A <b>\n\n",
				"%NAME%\na\n\n%VERSION%\n1-1\n\n%LICENSE%\nMIT\nGPL-2.0-or-later WITH GCC-exception-3.1\n\n",
			),
		run(input) {
			const text = input.toString("utf8");
			documentsOf(parseDpkgStatus(text));
			documentsOf(parseApkInstalled(text));
			documentsOf(
				(function* () {
					yield parsePacmanDesc(text);
				})(),
			);
		},
	},
];
