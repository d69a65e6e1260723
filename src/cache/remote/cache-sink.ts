import { Gzip } from "fflate";
import { inParallel } from "../../binary/in-parallel.ts";
import { inTurns, type Steps } from "../../binary/turns.ts";
import { MiB } from "../../binary/units.ts";
import type { Cut } from "../../content/file-recipe.ts";
import type { FragmentRule } from "../../content/fragment-rule.ts";
import { corrupt, Oci2isoError, throwIfAborted } from "../../errors.ts";
import { Digester } from "../../oci/digest.ts";
import type { BlobContent } from "../../oci/registry/blob-upload.ts";
import type { PushTarget } from "../../oci/registry/push-target.ts";
import type { RegistrySource } from "../../oci/registry/registry-source.ts";
import { readingPackHead } from "../block-store.ts";
import { layerIndexName } from "../layer-index-store.ts";
import type { PackHead } from "../pack-format.ts";
import { type BlockSettings, cutText, settingsText } from "../settings.ts";
import { type OpenFile, readFully, type StoreDirectory } from "../store-directory.ts";
import {
	ARTIFACT_CONFIG,
	type ArtifactEntry,
	encodeArtifact,
	type IndexBlob,
	MANIFEST_TYPE,
	MAX_ARTIFACT_ENTRIES,
	type PackBlob,
	sha256,
} from "./artifact.ts";
import type { CacheKey } from "./cache-key.ts";
import { describeFailure, MAX_INDEX_BYTES, readEntries } from "./cache-source.ts";
import { MAX_HEAD_BYTES, openRemotePack } from "./remote-pack.ts";

const GZIP_PIECE_BYTES = MiB / 8;
const CHUNK_BYTES = MiB;

const UPLOADS_AT_A_TIME = 3;

/** What a build has for others. */
export interface CacheExport {
	readonly directory: StoreDirectory;
	readonly settings: BlockSettings;
	/** Absent: `DEFAULT_FRAGMENT_RULE`. */
	readonly fragmentRule?: FragmentRule | undefined;
	/** Digests of the image's layers, bottom first. */
	readonly layers: readonly string[];
	/** Shared caches whose indexes are passed on, as far as this machine has none of its own. */
	readonly origins?: readonly string[];
	/** Names of the packs that this build wrote or read from. */
	readonly packNames: readonly string[];
	/** What older entries may make of the artifact together with this build's. */
	readonly maxBytes: number;
	/** Artifacts in the same registry that the build read from: what they have need not be sent. */
	readonly neighbours: readonly NeighbourArtifact[];
	/** Seals what the tag will name; what is there without its seal drops out. */
	readonly key?: CacheKey | undefined;
}

interface NeighbourArtifact {
	readonly source: Pick<RegistrySource, "blob" | "part" | "has">;
	readonly entries: readonly ArtifactEntry[];
	/** Where its blobs have to be mounted from; absent: they are in the repository that is pushed to. */
	readonly mountFrom: string | undefined;
}

/** Where to: a tag to push to, and the same to read what is there. */
export interface CacheDestination {
	readonly reference: string;
	open(): Promise<PushTarget>;
	openExisting(): Promise<RegistrySource>;
}

/** What became of `--cache-to`, for the build report. */
export interface CacheSinkReport {
	readonly reference: string;
	manifestDigest?: string;
	/** Blobs that were sent; the others were there. */
	uploadedBlobs: number;
	uploadedBytes: number;
	/** Blobs that the artifact names and other builds sent. */
	keptBlobs: number;
	/** Why nothing was pushed; the build is none the worse. */
	problem?: string;
}

/**
 * Pushes a build's layer indexes and packs. The tag then names them, and after them what it named before, as far as `maxBytes` go: builds of several images
 * can share a tag, and the entries that nobody used longest drop out. Packs all of whose blocks the tag has already are not sent.
 * Fails only where `signal` fires; everything else is in the report.
 */
export async function exportCache(
	build: CacheExport,
	destination: CacheDestination,
	signal?: AbortSignal,
): Promise<CacheSinkReport> {
	const report: CacheSinkReport = {
		reference: destination.reference,
		uploadedBlobs: 0,
		uploadedBytes: 0,
		keptBlobs: 0,
	};
	let existing: ExistingArtifact | undefined;
	let target: PushTarget | undefined;
	try {
		target = await destination.open();
		existing = await openExisting(destination, build.key, signal);
		await push(build, target, existing, report, signal);
	} catch (error) {
		throwIfAborted(signal);
		if (target === undefined && error instanceof Oci2isoError && error.kind === "usage") throw error;
		report.problem = describeFailure(error);
	} finally {
		await target?.close();
		await existing?.source?.close();
	}
	return report;
}

interface ExistingArtifact {
	readonly source: RegistrySource | undefined;
	readonly entries: readonly ArtifactEntry[];
}

/** What the tag names now; nothing where that is something else or cannot be read. */
async function openExisting(
	destination: CacheDestination,
	key: CacheKey | undefined,
	signal: AbortSignal | undefined,
): Promise<ExistingArtifact> {
	let source: RegistrySource | undefined;
	try {
		source = await destination.openExisting();
		return { source, entries: (await readEntries(source, key, signal))?.entries ?? [] };
	} catch {
		throwIfAborted(signal);
		await source?.close();
		return { source: undefined, entries: [] };
	}
}

async function push(
	build: CacheExport,
	target: PushTarget,
	existing: ExistingArtifact,
	report: CacheSinkReport,
	signal: AbortSignal | undefined,
): Promise<void> {
	const { directory, settings, fragmentRule } = build;
	const cut = { blockBytes: settings.blockBytes, fragmentRule };
	const names = (layer: string): string[] =>
		[undefined, ...(build.origins ?? [])].map((origin) => layerIndexName(layer, cut, origin));
	const indexes = (await inTurn(build.layers, (layer) => indexOf(directory, layer, names(layer), cut, signal))).flatMap(
		(index) => index ?? [],
	);
	const packs = await inTurns(openingPacks(build), signal);
	try {
		const wanted = new Set(packs.flatMap(({ head }) => [...head.entries].map(nameOf)));
		const atTag = existing.source === undefined ? [] : [{ ...existing, source: existing.source, mountFrom: undefined }];
		const artifacts = [...atTag, ...build.neighbours];
		const { useful, covered } = await coveringPacks(artifacts, wanted, settings, target, signal);
		const sent = packs.filter(({ head }) => [...head.entries].some((entry) => !covered.has(nameOf(entry))));
		const own: Upload[] = [...indexes, ...(await inTurn(sent, uploadOfPack))];
		const config: BlobContent = contentOf(ARTIFACT_CONFIG);
		await upload([config, ...own.map(({ content }) => content)], target, report, signal);
		const first = [...own.map(({ entry }) => build.key?.seal(entry) ?? entry), ...useful];
		await putArtifact(first, others(first, existing.entries, build.maxBytes), target, report, signal);
	} finally {
		for (const { file } of packs) file.close();
	}
}

/** Names what is there and some of what was; a registry that has lost some of that is told the former only. */
async function putArtifact(
	first: readonly ArtifactEntry[],
	rest: readonly ArtifactEntry[],
	target: PushTarget,
	report: CacheSinkReport,
	signal: AbortSignal | undefined,
): Promise<void> {
	const kept = (entries: readonly ArtifactEntry[]): number => entries.length + 1 - report.uploadedBlobs;
	try {
		report.manifestDigest = await target.putManifest(encodeArtifact([...first, ...rest]), MANIFEST_TYPE, signal);
		report.keptBlobs = kept([...first, ...rest]);
	} catch (error) {
		throwIfAborted(signal);
		if (rest.length === 0) throw error;
		report.manifestDigest = await target.putManifest(encodeArtifact(first), MANIFEST_TYPE, signal);
		report.keptBlobs = kept(first);
	}
}

/** Older entries in their order, without those that newer ones stand in for. */
function others(
	first: readonly ArtifactEntry[],
	existing: readonly ArtifactEntry[],
	maxBytes: number,
): ArtifactEntry[] {
	const identity = (entry: ArtifactEntry): string =>
		entry.kind === "index" ? `${entry.layer} ${cutText(entry)}` : entry.digest;
	const known = new Set(first.map(identity));
	let bytes = first.reduce((sum, { size }) => sum + size, 0);
	const kept: ArtifactEntry[] = [];
	for (const entry of existing) {
		if (known.has(identity(entry))) continue;
		bytes += entry.size;
		if (bytes > maxBytes || first.length + kept.length >= MAX_ARTIFACT_ENTRIES) break;
		known.add(identity(entry));
		kept.push(entry);
	}
	return kept;
}

/** The packs in the registry that have something of what is wanted, and all of it that is in them. */
async function coveringPacks(
	artifacts: readonly NeighbourArtifact[],
	wanted: ReadonlySet<string>,
	settings: BlockSettings,
	target: PushTarget,
	signal: AbortSignal | undefined,
): Promise<{ useful: PackBlob[]; covered: Set<string> }> {
	const useful: PackBlob[] = [];
	const covered = new Set<string>();
	const seen = new Set<string>();
	let headBytesLeft = MAX_HEAD_BYTES;
	for (const { source, entries, mountFrom } of artifacts) {
		for (const blob of entries) {
			if (covered.size === wanted.size) return { useful, covered };
			if (blob.kind !== "pack" || blob.settings !== settingsText(settings) || seen.has(blob.digest)) continue;
			seen.add(blob.digest);
			if (blob.headBytes > headBytesLeft) continue;
			headBytesLeft -= blob.headBytes;
			try {
				const { head } = await openRemotePack(source, blob, signal);
				const found = [...head.entries].map(nameOf).filter((name) => wanted.has(name) && !covered.has(name));
				if (found.length === 0) continue;
				const isThere =
					(await target.has(blob, signal)) ||
					(mountFrom !== undefined && (await target.mount(blob.digest, mountFrom, signal)));
				if (!isThere) continue;
				for (const name of found) covered.add(name);
				useful.push(blob);
			} catch (error) {
				throwIfAborted(signal);
				if (!(error instanceof Oci2isoError)) throw error;
			}
		}
	}
	return { useful, covered };
}

interface Upload {
	readonly entry: ArtifactEntry;
	readonly content: BlobContent;
}

interface LocalPack {
	readonly file: OpenFile;
	readonly head: PackHead;
}

function* openingPacks({ directory, packNames, settings }: CacheExport): Steps<LocalPack[]> {
	const packs: LocalPack[] = [];
	for (const name of [...new Set(packNames)].sort()) {
		const file = directory.openFile("pack", name);
		if (file === undefined) continue;
		const head = yield* readingPackHead(file);
		if (head?.description.settings === settingsText(settings) && head.dataOffset <= MAX_HEAD_BYTES)
			packs.push({ file, head });
		else file.close();
	}
	return packs;
}

async function indexOf(
	directory: StoreDirectory,
	layer: string,
	names: readonly string[],
	cut: Cut,
	signal: AbortSignal | undefined,
): Promise<Upload | undefined> {
	for (const name of names) {
		const file = await inTurns(directory.readingFile("layer", name, MAX_INDEX_BYTES), signal);
		if (file === undefined) continue;
		const content = contentOf(await inTurns(gzipping(file), signal));
		const entry: IndexBlob = { kind: "index", digest: content.digest, size: content.size, layer, ...cut };
		return { entry, content };
	}
	return undefined;
}

/** The same bytes on every machine, which node:zlib does not promise: equal indexes are one blob. A piece a step. */
function* gzipping(bytes: Uint8Array): Steps<Buffer> {
	const pieces: Uint8Array[] = [];
	const stream = new Gzip({ mtime: 0 }, (piece) => void pieces.push(piece));
	for (let at = 0; at < bytes.byteLength; at += GZIP_PIECE_BYTES) {
		stream.push(bytes.subarray(at, at + GZIP_PIECE_BYTES), at + GZIP_PIECE_BYTES >= bytes.byteLength);
		yield;
	}
	return Buffer.concat(pieces);
}

async function uploadOfPack({ file, head }: LocalPack): Promise<Upload> {
	const digester = new Digester("sha256");
	const headBytes = Buffer.allocUnsafe(head.dataOffset);
	if (!readFully(file, 0, headBytes)) throw cutShort(file);
	const read = (start: number, end: number): AsyncIterable<Uint8Array> => readFile(file, start, end);
	for await (const piece of read(0, head.byteLength)) digester.update(piece);
	const digest = digester.finish();
	const { diffId, settings } = head.description;
	const size = head.byteLength;
	return {
		entry: {
			...{ kind: "pack", digest, size, diffId, settings },
			...{ headBytes: head.dataOffset, headDigest: sha256(headBytes) },
		},
		content: { digest, size, read },
	};
}

async function* readFile(file: OpenFile, start: number, end: number): AsyncGenerator<Uint8Array, void, undefined> {
	for (let at = start; at < end; ) {
		// a buffer of its own: pieces wait in the connection
		const piece = Buffer.allocUnsafe(Math.min(CHUNK_BYTES, end - at));
		if (!readFully(file, at, piece)) throw cutShort(file);
		yield piece;
		at += piece.byteLength;
	}
}

function contentOf(bytes: Uint8Array): BlobContent {
	return {
		digest: sha256(bytes),
		size: bytes.byteLength,
		async *read(start, end) {
			yield bytes.subarray(start, end);
		},
	};
}

/** Sends what the repository does not have. */
async function upload(
	contents: readonly BlobContent[],
	target: PushTarget,
	report: CacheSinkReport,
	signal: AbortSignal | undefined,
): Promise<void> {
	const distinct = new Map(contents.map((content) => [content.digest, content]));
	await inParallel(distinct.values(), UPLOADS_AT_A_TIME, async (content) => {
		if (await target.has(content, signal)) return;
		const { sentBytes } = await target.upload(content, signal);
		report.uploadedBlobs++;
		report.uploadedBytes += sentBytes;
	});
}

async function inTurn<From, To>(items: readonly From[], work: (item: From) => Promise<To>): Promise<To[]> {
	const results: To[] = [];
	for (const item of items) results.push(await work(item));
	return results;
}

function nameOf({ kind, key }: { readonly kind: string; readonly key: Uint8Array }): string {
	return kind + Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString("latin1");
}

function cutShort({ path }: OpenFile): Oci2isoError {
	return corrupt("CACHE_DAMAGED", "a file of the cache became shorter", path);
}
