import { basename } from "node:path";
import { MiB } from "../binary/units.ts";
import type { MediumReport } from "../exporters/exporter.ts";
import { type Digest, digestOf } from "../oci/digest.ts";
import { formatDockerReference, withDefaultTag } from "../oci/docker-reference.ts";
import { OCI_INDEX, OCI_MANIFEST } from "../oci/media-types.ts";
import {
	documentManifest,
	EMPTY_CONFIG,
	hasPlatform,
	indexWith,
	mediumManifest,
	parseMediumIndex,
	tagTaken,
} from "../oci/medium-artifact.ts";
import type { OciImage } from "../oci/open-image.ts";
import { formatPlatform } from "../oci/platform.ts";
import { parseReference } from "../oci/reference.ts";
import type { BlobContent } from "../oci/registry/blob-upload.ts";
import type { PushTarget } from "../oci/registry/push-target.ts";
import { type Destination, namedIsos } from "../output/destination.ts";
import type { FileTarget } from "../output/file-target.ts";
import { SBOM_MEDIA_TYPES } from "../sbom/formats.ts";
import type { Work } from "./options.ts";
import type { BuildProgress } from "./progress.ts";
import type { SbomDocument } from "./sbom-files.ts";

/** Where the ISO went in a registry or an image layout. */
export interface RegistryPushReport {
	readonly reference: string;
	/** Of the ISO's manifest, which the tag's index names. */
	readonly manifestDigest: string;
	/** Of what the registry did not have. */
	readonly sentBytes: number;
}

/** The ISO as an artifact under a tag of a registry or an image layout, which stands for it when `publish` has resolved. */
export interface RegistryPush {
	/** Throws `Oci2isoError` OUTPUT_EXISTS (exit 6) where the tag has an ISO for this platform already, and may not be replaced. */
	requireFree(platform: OciImage["platform"]): Promise<void>;
	/** Sends the finished ISO. Throws `Oci2isoError` (exit 4). */
	send(medium: SentMedium): Promise<void>;
	publish(): Promise<void>;
	readonly report: RegistryPushReport | undefined;
	close(): Promise<void>;
}

export interface SentMedium {
	readonly image: OciImage;
	readonly medium: MediumReport;
	readonly epochSeconds: number;
	readonly target: FileTarget;
	/** Of the whole file. */
	readonly digest: Digest;
	/** Of what is in it, to be attached to it. */
	readonly documents: readonly SbomDocument[];
	readonly progress: BuildProgress;
}

type Artifact = Extract<Destination, { readonly kind: "registry" | "layout" }>;

/** Throws as `openPushTarget` and `openLayoutTarget`. */
export async function openRegistryPush(to: Artifact, image: string, work: Work): Promise<RegistryPush> {
	const { overwrite, signal } = work;
	const { target, reference, name } =
		to.kind === "layout" ? await layoutOf(to) : await registryOf(to.reference, image, work);
	const title = basename(namedIsos(work.outputs)[0] ?? `${name}.iso`);
	let tag: (() => Promise<void>) | undefined;
	let report: RegistryPushReport | undefined;
	return {
		async requireFree(platform) {
			if (overwrite) return;
			const existing = await target.existing(signal);
			if (existing === undefined) return;
			const index = parseMediumIndex(existing);
			if (index === undefined) throw tagTaken(reference, "the tag stands for something else");
			if (hasPlatform(index, platform))
				throw tagTaken(reference, `the tag has something for ${formatPlatform(platform)} already`);
		},
		async send({
			image: { platform, manifestDigest },
			medium,
			epochSeconds,
			target: file,
			digest,
			documents,
			progress,
		}) {
			const onBytes = (done: number, total: number): void => progress.bytes(done, total);
			const size = file.byteLength;
			progress.phase("push");
			let sentBytes = 0;
			for (const content of [
				blobOf(EMPTY_CONFIG),
				{ digest, size, read: (start: number, end: number) => readRange(file, start, end, onBytes) },
				...documents.map(({ bytes }) => blobOf(bytes)),
			]) {
				if (await target.has(content, signal)) continue;
				sentBytes += (await target.upload(content, signal)).sentBytes;
			}
			const manifest = mediumManifest(
				{ digest, size, title },
				{
					"org.opencontainers.image.created": new Date(epochSeconds * 1000).toISOString().replace(".000Z", "Z"),
					"org.opencontainers.image.title": medium.volumeIdentifier,
					"org.opencontainers.image.base.digest": manifestDigest,
				},
			);
			report = { reference, manifestDigest: digestOf(manifest), sentBytes };
			tag = async () => {
				await target.putManifest(manifest, OCI_MANIFEST, signal, digestOf(manifest));
				for (const { format, bytes } of documents)
					await target.attach(documentManifest(SBOM_MEDIA_TYPES[format], bytes, manifest), manifest, signal);
				const existing = await target.existing(signal);
				const index = indexWith(existing && parseMediumIndex(existing), manifest, platform);
				await target.putManifest(index, OCI_INDEX, signal);
			};
		},
		publish: async () => tag?.(),
		get report() {
			return report;
		},
		close: () => target.close(),
	};
}

interface OpenedTarget {
	readonly target: Omit<PushTarget, "mount">;
	/** Written out. */
	readonly reference: string;
	/** For a file. */
	readonly name: string;
}

async function layoutOf({ directory, tag }: Extract<Artifact, { kind: "layout" }>): Promise<OpenedTarget> {
	const { openLayoutTarget } = await import("../oci/layout-target.ts");
	const target = openLayoutTarget(directory, tag);
	return { target, reference: target.name, name: `${basename(directory)}-${tag}` };
}

async function registryOf(text: string, image: string, work: Work): Promise<OpenedTarget> {
	const { openPushTarget } = await import("../oci/registry/push-target.ts");
	const { signal, authFile, creds, tlsVerify, certDir, transferPolicy: policy } = work;
	const reference = parseReference(`docker://${text}`);
	if (reference.transport !== "docker") throw new Error("internal invariant broken: no registry's reference");
	const { name } = reference;
	const source = parseReference(image);
	// they are the image's registry's where that is another one
	const isOurs = source.transport !== "docker" || source.name.domain === name.domain;
	const access = { authFile, creds: isOurs ? creds : undefined, tlsVerify, certDir, policy };
	const target = await openPushTarget(name, text, access, signal);
	const tagged = withDefaultTag(name);
	return { target, reference: formatDockerReference(tagged), name: `${basename(name.repository)}-${tagged.tag}` };
}

function blobOf(bytes: Uint8Array): BlobContent {
	return {
		digest: digestOf(bytes),
		size: bytes.byteLength,
		async *read(start, end) {
			yield bytes.subarray(start, end);
		},
	};
}

async function* readRange(
	file: FileTarget,
	start: number,
	end: number,
	onBytes: (done: number, total: number) => void,
): AsyncIterable<Uint8Array> {
	for (let at = start; at < end; ) {
		const bytes = await file.read(at, Math.min(MiB, end - at));
		yield bytes;
		at += bytes.byteLength;
		onBytes(at, file.byteLength);
	}
}
