import { corrupt } from "../errors.ts";
import { type ImageSource, readDocument, readManifest } from "./blob-source.ts";
import type { Descriptor } from "./descriptor.ts";
import type { Digest } from "./digest.ts";
import { unsupported } from "./failures.ts";
import { parseImageConfig } from "./image-config.ts";
import type { ImageIndex, ImageManifest, ManifestDocument } from "./manifest.ts";
import { documentKind, isImageConfig } from "./media-types.ts";
import { canonicalPlatform, formatPlatform, isNameable, type Platform, platformRank } from "./platform.ts";

const MAX_DEPTH = 8;
/** Indexes, manifests and configurations that are read before one is chosen. */
const MAX_DOCUMENTS = 256;

/**
 * The image manifest for `wanted` below `root`, which is itself one or an index, perhaps of indexes. Entries are judged by the platform that the
 * index states; those without one by their image configuration, and only where no stated platform serves. Of several for one platform the first is
 * taken, as podman and skopeo take the first of a name, and `onNote` is told.
 * Throws `Oci2isoError` PLATFORM_NOT_FOUND (exit 2) that lists what is there, INDEX_TOO_DEEP (exit 5), and what reading blobs throws.
 */
export async function selectManifest(
	source: ImageSource,
	root: ManifestDocument,
	wanted: Platform,
	onNote: (text: string) => void,
	signal?: AbortSignal,
): Promise<ImageManifest> {
	if (root.kind === "manifest") return root;
	const budget = { documents: MAX_DOCUMENTS };
	const candidates = await imagesBelow(source, root, budget, 0, signal);
	const stated = candidates.flatMap((descriptor) => {
		const platform = platformOf(descriptor);
		return platform === undefined ? [] : [{ descriptor, platform, digest: descriptor.digest }];
	});
	const offered = stated.map(({ platform }) => platform);
	const choose = <Candidate extends Offered>(all: readonly Candidate[]): Candidate | undefined => {
		const chosen = best(all, wanted);
		const platform = chosen && formatPlatform(chosen.platform);
		const same = new Set(all.flatMap((each) => (formatPlatform(each.platform) === platform ? [each.digest] : [])));
		if (same.size > 1)
			onNote(`${root.name} has ${same.size} images for ${platform}: took the first, ${chosen?.digest}`);
		return chosen;
	};
	const chosen = choose(stated);
	if (chosen !== undefined) return await readImage(source, chosen.descriptor, signal);

	const unstated = [];
	for (const descriptor of candidates.filter((candidate) => platformOf(candidate) === undefined)) {
		const manifest = await readImage(source, descriptor, signal);
		if (candidates.length === 1) return manifest;
		spend(budget, root);
		if (!isImageConfig(manifest.config.mediaType)) continue;
		spend(budget, root);
		const bytes = await readDocument(source, manifest.config, "image configuration", signal);
		const platform = canonicalPlatform(parseImageConfig(bytes, manifest.config.digest, manifest.layers.length));
		offered.push(platform);
		unstated.push({ manifest, platform, digest: manifest.digest });
	}
	const fallback = choose(unstated);
	if (fallback !== undefined) return fallback.manifest;
	throw platformNotFound(wanted, offered, root.name);
}

export function platformNotFound(wanted: Platform, offered: readonly Platform[], where: string) {
	const list = (platforms: readonly Platform[]): string =>
		[...new Set(platforms.map(formatPlatform))].slice(0, 50).join(", ");
	const nameable = offered.filter(isNameable);
	const remedy =
		offered.length === 0
			? "the index lists no image"
			: nameable.length === 0
				? `what there is calls itself ${list(offered).slice(0, 300)}, which is no platform`
				: `choose with --platform one of ${list(nameable)}`;
	return unsupported("PLATFORM_NOT_FOUND", `no image for ${formatPlatform(wanted)}`, where, remedy);
}

interface Offered {
	readonly platform: Platform;
	readonly digest: Digest;
}

/** The first of those that serve best. */
function best<Candidate extends Offered>(candidates: readonly Candidate[], wanted: Platform): Candidate | undefined {
	let found: { candidate: Candidate; rank: number } | undefined;
	for (const candidate of candidates) {
		const rank = platformRank(candidate.platform, wanted);
		if (rank !== undefined && (found === undefined || rank < found.rank)) found = { candidate, rank };
	}
	return found?.candidate;
}

/** Descriptors of image manifests, in order, nested indexes taken in place. */
async function imagesBelow(
	source: ImageSource,
	index: ImageIndex,
	budget: { documents: number },
	depth: number,
	signal: AbortSignal | undefined,
): Promise<Descriptor[]> {
	if (depth >= MAX_DEPTH) throw tooDeep(index);
	const images: Descriptor[] = [];
	for (const descriptor of index.manifests) {
		const kind = documentKind(descriptor.mediaType);
		if (kind === "manifest" && !isAttestation(descriptor)) images.push(descriptor);
		if (kind !== "index") continue;
		spend(budget, index);
		const nested = await readManifest(source, descriptor, signal);
		if (nested.kind === "index")
			for (const image of await imagesBelow(source, nested, budget, depth + 1, signal)) images.push(image);
	}
	return images;
}

async function readImage(
	source: ImageSource,
	descriptor: Descriptor,
	signal: AbortSignal | undefined,
): Promise<ImageManifest> {
	const document = await readManifest(source, descriptor, signal);
	// parseManifest has held the document against the descriptor's media type
	if (document.kind === "index")
		throw corrupt("MANIFEST_INVALID", "an index where an image manifest was announced", descriptor.digest);
	return document;
}

/** One that is stated in full; of the others the image configuration says more. */
function platformOf({ platform }: Descriptor): Platform | undefined {
	const { os, architecture, variant } = platform ?? {};
	return os && architecture ? canonicalPlatform({ os, architecture, variant: variant ?? undefined }) : undefined;
}

/** BuildKit stores provenance as manifests for the platform unknown/unknown. */
function isAttestation({ platform }: Descriptor): boolean {
	return platform?.os === "unknown" && platform.architecture === "unknown";
}

function spend(budget: { documents: number }, index: ImageIndex): void {
	budget.documents--;
	if (budget.documents < 0) throw tooDeep(index);
}

function tooDeep({ name }: ImageIndex) {
	return corrupt(
		"INDEX_TOO_DEEP",
		"indexes within indexes go on and on",
		name,
		`at most ${MAX_DEPTH} levels and ${MAX_DOCUMENTS} documents`,
	);
}
