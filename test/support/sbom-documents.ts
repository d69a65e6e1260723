import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { Ajv } from "ajv";
import addFormats from "ajv-formats";

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
