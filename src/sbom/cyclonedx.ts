import { ComponentType, ExternalReferenceType, HashAlgorithm } from "@cyclonedx/cyclonedx-library/Enums";
import {
	Bom,
	Component,
	ExternalReference,
	ExternalReferenceRepository,
	HashDictionary,
	type License,
	LicenseExpression,
	LicenseRepository,
	Metadata,
	NamedLicense,
	OrganizationalEntity,
	Property,
	PropertyRepository,
	SpdxLicense,
	Tool,
	ToolRepository,
	Tools,
} from "@cyclonedx/cyclonedx-library/Models";
import { JSON as ForJson, JsonSerializer } from "@cyclonedx/cyclonedx-library/Serialize";
import { isSupportedSpdxId } from "@cyclonedx/cyclonedx-library/SPDX";
import { Spec1dot6 } from "@cyclonedx/cyclonedx-library/Spec";
import { documentId, type ImageIdentity, type InventoriedSystem, type Inventory, systemTitle } from "./inventory.ts";
import { isSpdxExpression } from "./licenses.ts";
import { imageUrl, packageUrl } from "./package-url.ts";
import { fullVersion, type InstalledPackage, webAddress } from "./packages.ts";

/** The inventory as a JSON document of CycloneDX 1.6; the same for the same medium. Every reference in it is given, since the library would draw lots for those that are not. */
export function cyclonedxDocument(inventory: Inventory): string {
	const { label, toolVersion, epochSeconds, systems, payloads, files, notices } = inventory;
	const medium = new Component(ComponentType.OperatingSystem, label, {
		bomRef: "medium",
		description: "a bootable ISO 9660 image",
	});
	const bom = new Bom({
		serialNumber: `urn:uuid:${documentId(inventory)}`,
		metadata: new Metadata({
			timestamp: new Date(epochSeconds * 1000),
			tools: new Tools({ tools: new ToolRepository([new Tool({ name: "oci2iso", version: toolVersion })]) }),
			component: medium,
			properties: new PropertyRepository(notices.map((notice, i) => new Property(`oci2iso:notice:${i + 1}`, notice))),
		}),
	});
	const refs = new Set<string | undefined>();
	const add = (component: Component, owner: Component): Component => {
		const { bomRef } = component;
		const ref = bomRef.value;
		for (let i = 2; refs.has(bomRef.value); i++) bomRef.value = `${ref} ${i}`;
		refs.add(bomRef.value);
		bom.components.add(component);
		owner.dependencies.add(component.bomRef);
		return component;
	};
	for (const [i, system] of systems.entries()) {
		const owner = add(systemComponent(system), medium);
		add(imageComponent(system.image, system.name), owner);
		for (const found of system.packages) add(packageComponent(found, system, i), owner);
	}
	for (const [i, image] of payloads.entries()) add(imageComponent(image, `payload ${i}`), medium);
	for (const { path, sha1, sha256 } of files) {
		const hashes = new HashDictionary([
			[HashAlgorithm["SHA-1"], sha1],
			[HashAlgorithm["SHA-256"], sha256],
		]);
		add(new Component(ComponentType.File, path, { bomRef: `file ${path}`, hashes }), medium);
	}
	const serializer = new JsonSerializer(new ForJson.Normalize.Factory(Spec1dot6));
	return `${serializer.serialize(bom, { sortLists: false, space: 2 })}\n`;
}

function systemComponent(system: InventoriedSystem): Component {
	const { name: description, versionId, buildId } = system.distribution;
	const version = versionId ?? buildId;
	return new Component(ComponentType.OperatingSystem, systemTitle(system), {
		bomRef: `system ${system.name}`,
		...(version !== undefined && { version }),
		...(description !== undefined && { description }),
	});
}

function imageComponent(image: ImageIdentity, role: string): Component {
	const { repository, manifestDigest } = image;
	const purl = imageUrl(image);
	return new Component(ComponentType.Container, repository ?? manifestDigest, {
		bomRef: `image ${role} ${manifestDigest}`,
		version: manifestDigest,
		...(purl !== undefined && { purl }),
	});
}

function packageComponent(
	found: InstalledPackage,
	{ distribution, name }: InventoriedSystem,
	system: number,
): Component {
	const { type, architecture = "", upstream = "", license, supplier, homepage } = found;
	const purl = packageUrl(found, distribution);
	const version = fullVersion(found);
	const ref = purl ?? JSON.stringify([type, found.name, version, architecture, upstream]);
	const website = webAddress(homepage);
	return new Component(ComponentType.Library, found.name, {
		// another system may have the same package
		bomRef: system === 0 ? ref : `${name} ${ref}`,
		version,
		...(purl !== undefined && { purl }),
		...(supplier !== undefined && { supplier: new OrganizationalEntity({ name: supplier }) }),
		...(license !== undefined && { licenses: new LicenseRepository([licenseOf(license)]) }),
		...(website !== undefined && {
			externalReferences: new ExternalReferenceRepository([
				new ExternalReference(website, ExternalReferenceType.Website),
			]),
		}),
	});
}

function licenseOf(text: string): License {
	if (isSupportedSpdxId(text)) return new SpdxLicense(text);
	return isSpdxExpression(text) ? new LicenseExpression(text) : new NamedLicense(text);
}
