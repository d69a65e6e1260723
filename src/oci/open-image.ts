import { elementAt } from "../binary/element-at.ts";
import { corrupt } from "../errors.ts";
import { archiveSource } from "./archive-source.ts";
import { refuseIso, refusePath } from "./bare-path.ts";
import type { ImageSource } from "./blob-source.ts";
import { readDocument } from "./blob-source.ts";
import type { Digest } from "./digest.ts";
import { directorySource } from "./directory-source.ts";
import { type Distribution, distributionOf } from "./distribution.ts";
import { unsupported } from "./failures.ts";
import { openArchive, openDirectory } from "./file-store.ts";
import { type ImageConfig, parseImageConfig } from "./image-config.ts";
import { layerBoundBytes, MAX_LAYERS, type TreeLimits, treeLimits } from "./image-limits.ts";
import { createLayer, type Layer } from "./layer.ts";
import { layoutSource } from "./layout-source.ts";
import { openLocalhost, withLocalHint } from "./local-image.ts";
import { type ImageManifest, requireImage } from "./manifest.ts";
import { layerMediaType } from "./media-types.ts";
import {
	canonicalPlatform,
	formatPlatform,
	hostPlatform,
	type Platform,
	parsePlatform,
	platformRank,
} from "./platform.ts";
import { type ImageReference, parseReference } from "./reference.ts";
import type { RegistryOptions } from "./registry/options.ts";
import type { RegistrySource } from "./registry/registry-source.ts";
import type { BlobTransfer } from "./registry/transfer.ts";
import { platformNotFound, selectManifest } from "./select-manifest.ts";

/** One container image, ready to be read. */
export interface OciImage {
	/** As it was given; of an image that a bare name means in podman's store, with that transport. */
	readonly reference: string;
	readonly manifestDigest: Digest;
	readonly platform: Platform;
	readonly config: ImageConfig;
	readonly configBytes: Uint8Array;
	/** As its author stored it: where its blobs are not kept, `layers` are others that have the same archives. */
	readonly manifest: ImageManifest;
	/** Bottom first. */
	readonly layers: readonly Layer[];
	/** Undefined where the blobs that the manifest names are not kept, but only what is in them. */
	readonly distribution: Distribution | undefined;
	/** For whoever merges the layers. */
	readonly treeLimits: TreeLimits;
	/** What was chosen where nothing says how, for the build report. Grows while layers are read. */
	readonly notes: readonly string[];
	/** What came from a registry so far, blob by blob; empty for other transports. */
	readonly transfers: readonly Readonly<BlobTransfer>[];
	/** Says that these layers will be read whole, in that order, so that they can be fetched ahead. */
	announce(layers: readonly Layer[]): void;
	close(): Promise<void>;
}

export interface OpenImageOptions extends RegistryOptions {
	/** `OS/ARCHITECTURE[/VARIANT]`. Absent: Linux on this machine's architecture, or what an image without a choice is for. */
	readonly platform?: string | undefined;
	/** Of the manifest that is read and no other, whatever the reference names by now: from a registry it is asked for, elsewhere anything else is IMAGE_CHANGED. */
	readonly manifestDigest?: Digest | undefined;
	/** Uncompressed bytes that one layer may have; absent: 1100 times its compressed size, at least 4 GiB and at most 64 GiB. */
	readonly maxLayerBytes?: number | undefined;
	/** Every layer will be read, the top one first. Default: true. */
	readonly announceLayers?: boolean | undefined;
	/** Entries that all layers may have together; absent: 4 000 000. */
	readonly maxInodes?: number | undefined;
	/** Told how many bytes there are so far of an archive that is kept in the temporary directory. */
	readonly onKept?: ((byteLength: number) => void) | undefined;
	readonly signal?: AbortSignal | undefined;
}

/**
 * Opens the image that a reference names (`parseReference` has the notation) and checks its manifest and configuration; layers are read later.
 * A bare `localhost/NAME` is looked for in podman's store, then at that registry. Throws `Oci2isoError`: exit 2 for references, platforms and kinds of image that are not served, exit 4 for what a registry refuses or cannot do,
 * exit 5 for malformed or altered images.
 */
export async function openImage(reference: string, options: OpenImageOptions = {}): Promise<OciImage> {
	const requested = options.platform === undefined ? undefined : parsePlatform(options.platform);
	await refusePath(reference);
	const parsed = parseReference(reference);
	const local = await openLocalhost(reference, options);
	let source: OpenSource | undefined = local.source;
	const name = source === undefined ? reference : `containers-storage:${reference}`;
	try {
		source ??= await openSource(reference, options);
		return await readImage(name, source, requested, options);
	} catch (error) {
		await source?.close();
		if ("path" in parsed) await refuseIso(parsed.path);
		throw await withLocalHint(error, reference, local.missing, options);
	}
}

/** What only registries offer. */
type OpenSource = ImageSource & Partial<Pick<RegistrySource, "announce" | "transfers">>;

/** The one place that knows every transport. */
async function openSource(text: string, options: OpenImageOptions): Promise<OpenSource> {
	const { signal } = options;
	const reference: ImageReference = parseReference(text);
	switch (reference.transport) {
		case "oci":
			return layoutSource(await openDirectory(reference.path), reference.selection);
		case "oci-archive":
		case "docker-archive": {
			const store = await openArchive(reference.path, options);
			return await archiveSource(store, reference.transport, reference.selection, options.maxLayerBytes);
		}
		case "dir":
			return directorySource(await openDirectory(reference.path));
		case "containers-storage": {
			const { storageSource } = await import("./storage/storage-source.ts");
			return storageSource(reference.reference, options);
		}
		case "docker-daemon":
		case "podman": {
			const { engineSource } = await import("./engine/engine-source.ts");
			return await engineSource(reference.transport === "podman" ? "podman" : "docker", reference.image, options);
		}
		case "docker": {
			// The HTTP library would cost every other start a quarter of its time and 16 MiB.
			const { openRegistry } = await import("./registry/registry-source.ts");
			const { manifestDigest: digest } = options;
			const name = digest === undefined ? reference.name : { ...reference.name, tag: undefined, digest };
			return openRegistry(name, text, options, signal);
		}
	}
}

async function readImage(
	reference: string,
	source: OpenSource,
	requested: Platform | undefined,
	{ signal, maxLayerBytes: askedBytes, maxInodes, manifestDigest, announceLayers = true }: OpenImageOptions,
): Promise<OciImage> {
	const notes: string[] = [];
	const note = (text: string): void => {
		if (!notes.includes(text)) notes.push(text);
	};
	const wanted = requested ?? hostPlatform();
	const selected = await selectManifest(source, await source.root(signal), wanted, note, signal);
	if (manifestDigest !== undefined && selected.digest !== manifestDigest)
		throw unsupported(
			"IMAGE_CHANGED",
			`it names ${selected.digest} now, not ${manifestDigest}`,
			reference,
			"put the image back that was planned with, or make a new plan",
		);
	requireImage(selected);
	if (selected.layers.length > MAX_LAYERS)
		throw corrupt("TOO_MANY_LAYERS", `${selected.layers.length} layers`, selected.digest, `at most ${MAX_LAYERS}`);
	const manifest = (await source.asKept?.(selected, signal)) ?? selected;
	await requireForeignLayers(source, manifest, signal);
	const bytes = await readDocument(source, manifest.config, "image configuration", signal);
	const config = parseImageConfig(bytes, manifest.config.digest, manifest.layers.length);
	const platform = checkPlatform(config, requested, manifestDigest !== undefined, manifest.digest, note);
	if (announceLayers) source.announce?.(manifest.layers.toReversed());
	return {
		reference,
		manifestDigest: manifest.digest,
		platform,
		config,
		configBytes: bytes,
		manifest: selected,
		layers: manifest.layers.map((descriptor, index) => {
			const diffId = elementAt(config.diffIds, index);
			const maxLayerBytes = layerBoundBytes(descriptor.size, askedBytes);
			return createLayer(source, descriptor, { index, diffId, maxLayerBytes, note });
		}),
		distribution: manifest === selected ? distributionOf(source, selected) : undefined,
		treeLimits: treeLimits(maxInodes),
		get notes() {
			return [...source.notes, ...notes];
		},
		get transfers() {
			return source.transfers ?? [];
		},
		announce: (layers) =>
			source.announce?.(
				layers.flatMap(({ digest }) => manifest.layers.find((descriptor) => descriptor.digest === digest) ?? []),
			),
		close: () => source.close(),
	};
}

/** A foreign layer is one that registries need not hold; it is read where it is beside the others, never from its URLs. */
async function requireForeignLayers(
	source: ImageSource,
	{ layers }: ImageManifest,
	signal: AbortSignal | undefined,
): Promise<void> {
	for (const [index, descriptor] of layers.entries()) {
		if (layerMediaType(descriptor.mediaType)?.foreign !== true || (await source.has(descriptor, signal))) continue;
		throw unsupported(
			"LAYER_FOREIGN",
			`layer is not distributed with the image (${descriptor.mediaType})`,
			`layer ${index}, ${descriptor.digest}`,
			"copy the image together with its foreign layers first",
		);
	}
}

/** An image without a choice of platforms serves any request that nobody made; one that was made must be met, but by what was chosen by its digest. */
function checkPlatform(
	stated: ImageConfig,
	requested: Platform | undefined,
	isChosen: boolean,
	manifest: Digest,
	note: (text: string) => void,
): Platform {
	const wanted = requested ?? hostPlatform();
	const { os, architecture, variant } = canonicalPlatform(stated);
	if (architecture !== stated.architecture || os !== stated.os)
		note(`the image's configuration says "${stated.os}/${stated.architecture}"; took it for ${os}/${architecture}`);
	if (os === "" || architecture === "")
		note("the image's configuration names no platform; took it as the requested one");
	const platform: Platform = {
		os: os === "" ? wanted.os : os,
		architecture: architecture === "" ? wanted.architecture : architecture,
		// many configurations leave out the variant that their index states
		variant: variant ?? (["", wanted.architecture].includes(architecture) ? wanted.variant : undefined),
	};
	if (platformRank(platform, wanted) !== undefined) return platform;
	if (isChosen) return platform;
	if (requested !== undefined || platform.os !== wanted.os) throw platformNotFound(wanted, [platform], manifest);
	note(`the image is for ${formatPlatform(platform)}, this machine is ${formatPlatform(wanted)}`);
	return platform;
}
