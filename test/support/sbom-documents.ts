import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { Ajv } from "ajv";
import addFormats from "ajv-formats";
import type { Inventory } from "../../src/sbom/inventory.ts";
import { type InstalledPackage, PackageList } from "../../src/sbom/packages.ts";

export interface SpdxPackage {
	readonly SPDXID: string;
	readonly name: string;
	readonly versionInfo?: string;
	readonly supplier?: string;
	readonly homepage?: string;
	readonly licenseDeclared: string;
	readonly primaryPackagePurpose?: string;
	readonly externalRefs?: readonly { readonly referenceLocator: string }[];
}

export interface SpdxDocument {
	readonly documentNamespace: string;
	readonly creationInfo: { readonly created: string; readonly comment?: string };
	readonly packages: readonly SpdxPackage[];
	readonly files: readonly {
		readonly SPDXID: string;
		readonly fileName: string;
		readonly checksums: readonly { algorithm: string; checksumValue: string }[];
	}[];
	readonly relationships: readonly { spdxElementId: string; relationshipType: string; relatedSpdxElement: string }[];
	readonly hasExtractedLicensingInfos?: readonly { readonly licenseId: string; readonly extractedText: string }[];
}

export interface CyclonedxDocument {
	readonly serialNumber: string;
	readonly metadata: { readonly timestamp: string; readonly properties?: readonly { name: string; value: string }[] };
	readonly components: readonly {
		readonly type: string;
		readonly name: string;
		readonly version?: string;
		readonly purl?: string;
		readonly "bom-ref": string;
		readonly licenses?: unknown;
	}[];
	readonly dependencies: readonly { readonly ref: string; readonly dependsOn?: readonly string[] }[];
}

const schemas = (name: string): object => {
	const path = createRequire(import.meta.url).resolve("@cyclonedx/cyclonedx-library/package.json");
	return JSON.parse(readFileSync(path.replace("package.json", `res/schema/${name}.SNAPSHOT.schema.json`), "utf8"));
};

/** What the published schema of CycloneDX 1.6 says against a document. */
export function cyclonedxFaults(text: string): unknown {
	const ajv = new Ajv({ strict: false, allErrors: true, addUsedSchema: false });
	addFormats.default(ajv);
	for (const format of ["idn-email", "iri-reference"]) ajv.addFormat(format, true);
	for (const name of ["spdx", "jsf-0.82"])
		ajv.addSchema(schemas(name), `http://cyclonedx.org/schema/${name}.SNAPSHOT.schema.json`);
	const validate = ajv.compile(schemas("bom-1.6"));
	return validate(JSON.parse(text)) ? [] : validate.errors;
}

/** What SPDX 2.3 wants of its elements: ids that are such, each once, and relationships between those that are there. */
export function spdxFaults(text: string): string[] {
	const document: SpdxDocument = JSON.parse(text);
	const elements = [...document.packages, ...document.files];
	const ids = ["SPDXRef-DOCUMENT", ...elements.map(({ SPDXID }) => SPDXID)];
	const known = new Set(ids);
	const ends = document.relationships.flatMap(({ spdxElementId, relatedSpdxElement }) => [
		spdxElementId,
		relatedSpdxElement,
	]);
	const licences = new Set((document.hasExtractedLicensingInfos ?? []).map(({ licenseId }) => licenseId));
	const used = document.packages.flatMap(
		({ licenseDeclared }) => licenseDeclared.match(/LicenseRef-[A-Za-z0-9.-]+/g) ?? [],
	);
	return [
		...ids.filter((id) => !/^SPDXRef-[A-Za-z0-9.-]+$/.test(id)),
		...(known.size === ids.length ? [] : ["ids are not unique"]),
		...ends.filter((id) => !known.has(id)),
		...elements.map(({ SPDXID }) => SPDXID).filter((id) => !ends.includes(id)),
		...used.filter((id) => !licences.has(id)),
		...(/^https:\/\/[^#]+$/.test(document.documentNamespace) ? [] : [document.documentNamespace]),
		...(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(document.creationInfo.created) ? [] : ["created"]),
	];
}

const DIGEST = `sha256:${"a".repeat(64)}`;

export function inventory(packages: readonly InstalledPackage[], more: Partial<Inventory> = {}): Inventory {
	const distribution = { id: "debian", name: "Debian", versionId: "12" };
	const image = { repository: "quay.io/a/live", manifestDigest: DIGEST };
	return {
		label: "LIVE 1",
		toolVersion: "1.2.3",
		epochSeconds: 86_400,
		ingredients: ["x"],
		systems: [{ name: "live", distribution, image, packages }],
		payloads: [],
		files: [],
		notices: [],
		...more,
	};
}

/** Names, licences and addresses that a database may have and a document may not, not as they are. */
export const oddPackages: readonly InstalledPackage[] = [
	{ type: "deb", name: "A", version: "1", license: "GPLv2+" },
	{ type: "deb", name: "a", version: "1", license: "GPLv2-" },
	{ type: "deb", name: "\ud800\u0000é", version: "1 2?#@/", license: "(".repeat(4000), supplier: "\u0007 <>" },
	{
		type: "deb",
		name: "b",
		version: "1",
		architecture: "../..",
		license: "MIT",
		homepage: "javascript:alert(1)",
		supplier: "Team (x) <t@x>",
	},
	{ type: "deb", name: "c", version: "1", license: "DocumentRef-x:LicenseRef-y", homepage: "https://[x" },
	{ type: "deb", name: "d", version: "1", license: "MIT AND LicenseRef-own", homepage: "https://x.org/a b" },
	{ type: "deb", name: "e", version: "1", license: "GPL-2.0+", homepage: "https://x.org/%zz|^", supplier: "<t@x>" },
	{
		type: "deb",
		name: "f",
		version: "1",
		license: "GPL-2.0-only WITH Linux-syscall-note",
		supplier: "Name <not an address>",
	},
	{ type: "deb", name: "__proto__", version: "1", license: "constructor", supplier: "Nobody <>" },
];

/** Two systems with the same such packages, an image carried twice, files that would have one id. */
export function oddInventory(): Inventory {
	const list = new PackageList();
	for (const each of oddPackages) list.add(each, "x");
	const { systems } = inventory(list.sorted);
	const image = { repository: undefined, manifestDigest: DIGEST };
	const file = (path: string, digit: string) => ({ path, sha1: digit.repeat(40), sha256: digit.repeat(64) });
	const second = { name: "kde", distribution: { id: undefined, name: undefined, versionId: undefined }, image };
	return inventory([], {
		systems: [...systems, { ...second, packages: list.sorted }],
		payloads: [image, image],
		files: [file("a b", "1"), file("a-b", "0"), file(".discinfo", "2")],
		notices: ["one", "two"],
	});
}
