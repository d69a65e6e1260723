import { createHash } from "node:crypto";
import {
	documentId,
	type ImageIdentity,
	type InventoriedFile,
	type InventoriedSystem,
	type Inventory,
	systemTitle,
} from "./inventory.ts";
import { SpdxLicenses } from "./licenses.ts";
import { imageUrl, packageUrl } from "./package-url.ts";
import { fullVersion, type InstalledPackage, webAddress } from "./packages.ts";

const NONE = "NOASSERTION";
const DOCUMENT = "SPDXRef-DOCUMENT";
const MEDIUM = "SPDXRef-Medium";
const BOOT = "SPDXRef-Boot";
/** Of an id that packages of several systems must not share. */
const ID_DIGITS = 16;

interface Relationship {
	readonly spdxElementId: string;
	readonly relationshipType: "DESCRIBES" | "CONTAINS" | "GENERATED_FROM";
	readonly relatedSpdxElement: string;
}

/** The inventory as a JSON document of SPDX 2.3; the same for the same medium. */
export function spdxDocument(inventory: Inventory): string {
	const { label, toolVersion, epochSeconds, systems, payloads, files, notices } = inventory;
	const licenses = new SpdxLicenses();
	const extracted = new Map<string, string>();
	const packages: unknown[] = [
		plainPackage(MEDIUM, label, { primaryPackagePurpose: "OPERATING_SYSTEM", comment: "a bootable ISO 9660 image" }),
	];
	const relationships: Relationship[] = [];
	const relate = (from: string, type: Relationship["relationshipType"], to: string): void => {
		relationships.push({ spdxElementId: from, relationshipType: type, relatedSpdxElement: to });
	};
	relate(DOCUMENT, "DESCRIBES", MEDIUM);

	const declared = (license: string | undefined): string => {
		if (license === undefined) return NONE;
		const { expression, references } = licenses.of(license);
		for (const { id, text } of references) if (!extracted.has(id)) extracted.set(id, text);
		return expression;
	};
	for (const system of systems) {
		const id = `SPDXRef-System-${idText(system.name)}`;
		packages.push(systemPackage(id, system));
		relate(MEDIUM, "CONTAINS", id);
		const imageId = imageIdOf(system.image, system.name);
		packages.push(imagePackage(imageId, system.image));
		relate(id, "GENERATED_FROM", imageId);
		for (const found of system.packages) {
			const url = packageUrl(found, system.distribution);
			const packageId = packageIdOf(found, system.name);
			packages.push(
				plainPackage(packageId, found.name, {
					versionInfo: fullVersion(found),
					supplier: supplierOf(found.supplier),
					homepage: webAddress(found.homepage),
					licenseDeclared: declared(found.license),
					...purl(url),
				}),
			);
			relate(id, "CONTAINS", packageId);
		}
	}
	for (const [i, image] of payloads.entries()) {
		const id = imageIdOf(image, `payload ${i}`);
		packages.push(imagePackage(id, image));
		relate(MEDIUM, "CONTAINS", id);
	}
	const ofBoot = files.map(fileElement);
	if (files.length > 0) {
		packages.push(bootPackage(files));
		relate(MEDIUM, "CONTAINS", BOOT);
	}
	for (const { SPDXID } of ofBoot) relate(BOOT, "CONTAINS", SPDXID);
	const document = {
		spdxVersion: "SPDX-2.3",
		dataLicense: "CC0-1.0",
		SPDXID: DOCUMENT,
		name: label,
		// as clause 6.5 has it for who has no place of its own
		documentNamespace: `https://spdx.org/spdxdocs/${encodeURIComponent(label)}-${documentId(inventory)}`,
		creationInfo: {
			created: new Date(epochSeconds * 1000).toISOString().replace(/\.\d+Z$/, "Z"),
			creators: [`Tool: oci2iso-${toolVersion}`],
			...(notices.length > 0 && { comment: notices.join("\n") }),
		},
		packages,
		files: ofBoot,
		relationships,
		...(extracted.size > 0 && {
			hasExtractedLicensingInfos: [...extracted].map(([licenseId, extractedText]) => ({ licenseId, extractedText })),
		}),
	};
	return `${JSON.stringify(document, undefined, 2)}\n`;
}

/** With what the format wants of every package. */
function plainPackage(id: string, name: string, more: object) {
	return {
		SPDXID: id,
		name,
		downloadLocation: NONE,
		filesAnalyzed: false,
		licenseConcluded: NONE,
		licenseDeclared: NONE,
		copyrightText: NONE,
		...more,
	};
}

function systemPackage(id: string, system: InventoriedSystem) {
	const { name, versionId, buildId } = system.distribution;
	return plainPackage(id, systemTitle(system), {
		versionInfo: versionId ?? buildId,
		primaryPackagePurpose: "OPERATING_SYSTEM",
		...(name !== undefined && { summary: name }),
	});
}

/** Who says of a package that it contains files says it of all of them, with a code over their digests (clause 7.9). */
function bootPackage(files: readonly InventoriedFile[]) {
	const digests = files.map(({ sha1 }) => sha1).sort();
	const packageVerificationCodeValue = createHash("sha1").update(digests.join("")).digest("hex");
	const packageVerificationCode = { packageVerificationCodeValue };
	return plainPackage(BOOT, "boot files", { filesAnalyzed: true, packageVerificationCode });
}

function imagePackage(id: string, image: ImageIdentity) {
	const { repository, manifestDigest } = image;
	return plainPackage(id, repository ?? manifestDigest, {
		versionInfo: manifestDigest,
		primaryPackagePurpose: "CONTAINER",
		...checksum(manifestDigest),
		...purl(imageUrl(image)),
	});
}

function checksum(digest: string) {
	const [algorithm = "", checksumValue] = digest.split(":");
	return { checksums: [{ algorithm: algorithm.toUpperCase(), checksumValue }] };
}

function purl(url: string | undefined) {
	if (url === undefined) return {};
	return {
		externalRefs: [{ referenceCategory: "PACKAGE-MANAGER", referenceType: "purl", referenceLocator: url }],
	};
}

function fileElement({ path, sha1, sha256 }: InventoriedFile) {
	return {
		SPDXID: `SPDXRef-File-${idText(path)}`,
		fileName: `./${path}`,
		checksums: [
			{ algorithm: "SHA1", checksumValue: sha1 },
			{ algorithm: "SHA256", checksumValue: sha256 },
		],
		licenseConcluded: NONE,
		licenseInfoInFiles: [NONE],
		copyrightText: NONE,
	};
}

function packageIdOf({ type, name, version, architecture, epoch, upstream }: InstalledPackage, system: string): string {
	const key = JSON.stringify([system, type, name, version, architecture, epoch, upstream]);
	return `SPDXRef-Package-${type}-${sanitized(name)}-${digits(key)}`;
}

function imageIdOf({ manifestDigest }: ImageIdentity, role: string): string {
	return `SPDXRef-Image-${digits(`${role} ${manifestDigest}`)}`;
}

/** What an id may hold, and told apart from others that would be written alike. */
function idText(text: string): string {
	const safe = sanitized(text);
	return safe === text ? safe : `${safe}-${digits(text)}`;
}

function sanitized(text: string): string {
	return text.replace(/[^A-Za-z0-9.-]/g, "-").slice(0, 100);
}

function digits(text: string): string {
	return createHash("sha256").update(text).digest("hex").slice(0, ID_DIGITS);
}

/** `NAME <ADDRESS>` is how people and teams are written, a name alone companies. */
function supplierOf(text: string | undefined): string {
	if (text === undefined) return NONE;
	const line = text.replace(/[\p{Cc}()]/gu, " ").trim();
	const open = line.indexOf("<");
	const close = line.lastIndexOf(">");
	if (open <= 0 || close < open) return line === "" ? NONE : `Organization: ${line}`;
	const address = line.slice(open + 1, close).trim();
	const name = line.slice(0, open).trim();
	return address === "" ? `Person: ${name}` : `Person: ${name} (${address})`;
}
