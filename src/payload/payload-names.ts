import { basename } from "node:path";
import { Oci2isoError } from "../errors.ts";
import type { Digest } from "../oci/digest.ts";
import {
	type DockerReference,
	formatDockerReference,
	parseDockerReference,
	withDefaultTag,
} from "../oci/docker-reference.ts";
import { parseReference } from "../oci/reference.ts";

export type PayloadFormat = "storage" | "oci";

interface Named {
	readonly reference: string;
	readonly manifestDigest: Digest;
}

/**
 * What images to install are called. In a layout: by their tags, or where two have the same tag, by names with them. In container storage: by whole names, with a
 * registry. Throws `Oci2isoError` PAYLOAD_NAMES (exit 2).
 */
export function payloadNames(images: readonly Named[], format: PayloadFormat): string[] {
	const references = images.map(({ reference }) => reference);
	const names = format === "storage" ? images.map(storageName) : layoutNames(references);
	for (const [i, name] of names.entries())
		if (names.indexOf(name) !== i)
			throw new Oci2isoError({
				code: "PAYLOAD_NAMES",
				kind: "usage",
				what: `two payloads would be called "${name}"`,
				where: references[i],
				expected: "images with different names or tags",
				remedy:
					format === "storage"
						? "name one of them in its registry, or copy it under another name (`skopeo copy oci:DIR:TAG oci:OTHER:TAG`)"
						: "copy one of them under another tag (`skopeo copy oci:DIR:TAG oci:DIR:OTHER`)",
			});
	return names;
}

function layoutNames(references: readonly string[]): string[] {
	const short = references.map((reference) => tagOf(reference) ?? "latest");
	return short.map((tag, i) => (short.indexOf(tag) === short.lastIndexOf(tag) ? tag : longName(references[i] ?? "")));
}

function tagOf(text: string): string | undefined {
	const reference = parseReference(text);
	if (reference.transport === "docker") return reference.name.tag;
	if (reference.transport === "oci" || reference.transport === "oci-archive") return reference.selection.tag;
	return reference.transport === "docker-archive" ? reference.selection.name?.tag : undefined;
}

function longName(text: string): string {
	const reference = parseReference(text);
	if (reference.transport === "docker") return formatDockerReference(reference.name);
	if (reference.transport === "docker-archive" && reference.selection.name !== undefined)
		return formatDockerReference(reference.selection.name);
	return tagOf(text) ?? "latest";
}

/** With a tag, or with a digest where no tag was given: containers/storage has no names with both. */
function storageName({ reference: text }: Named): string {
	const reference = parseReference(text);
	const full = (name: DockerReference): string =>
		formatDockerReference(name.tag === undefined ? withDefaultTag(name) : { ...name, digest: undefined });
	switch (reference.transport) {
		case "docker":
			return full(reference.name);
		case "containers-storage": {
			const { name, isShort } = reference.reference.image;
			if (name !== undefined)
				return full(
					isShort ? { ...name, domain: "localhost", repository: name.repository.replace(/^library\//, "") } : name,
				);
			break;
		}
		case "docker-archive":
			if (reference.selection.name !== undefined) return full(reference.selection.name);
			return localName(reference.path, undefined);
		case "oci":
		case "oci-archive": {
			const { tag } = reference.selection;
			return (tag?.includes("/") === true ? wholeName(tag) : undefined) ?? localName(reference.path, tag);
		}
		case "dir":
			return localName(reference.path, undefined);
		case "docker-daemon":
		case "podman":
			return wholeName(reference.image) ?? localName(reference.image, undefined);
	}
	return localName("", undefined);
}

function wholeName(text: string): string | undefined {
	try {
		return formatDockerReference(withDefaultTag(parseDockerReference(text)));
	} catch {
		// layouts and engines have other names too
		return undefined;
	}
}

/** As podman names what comes out of a file. */
function localName(path: string, tag: string | undefined): string {
	const name = basename(path)
		.slice(0, 100)
		.toLowerCase()
		.split(/[^a-z0-9]/)
		.filter((word) => word !== "")
		.join("-");
	const repository = `localhost/${name === "" ? "payload" : name}`;
	return wholeName(`${repository}:${tag ?? "latest"}`) ?? `${repository}:latest`;
}
