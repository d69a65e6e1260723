import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { inTurns } from "../../binary/turns.ts";
import { MiB } from "../../binary/units.ts";
import { type Cut, isSameCut } from "../../content/file-recipe.ts";
import { corrupt, Oci2isoError, throwIfAborted } from "../../errors.ts";
import type { RegistrySource } from "../../oci/registry/registry-source.ts";
import { verifiedBlob } from "../../oci/verified-blob.ts";
import { openingLayerIndex } from "../layer-index-reader.ts";
import { agrees, type ClaimedLayer, fileNameOf, originOf, suffixOf } from "../layer-index-store.ts";
import type { PackEntry, PackKind } from "../pack-format.ts";
import { packName } from "../pack-writer.ts";
import { type BlockSettings, settingsId, settingsText } from "../settings.ts";
import { reasonOf, type StoreDirectory } from "../store-directory.ts";
import { type ArtifactEntry, decodeArtifact, descriptorOf, type PackBlob } from "./artifact.ts";
import type { CacheKey } from "./cache-key.ts";
import { fetchBlocks, openRemotePack, REMOTE_DAMAGED, type RemotePack } from "./remote-pack.ts";

/** Of a layer index, inflated or not; one of a million files has some 100 MiB. */
export const MAX_INDEX_BYTES = 256 * MiB;
/** Of the heads of all packs that are looked into. */
const MAX_HEADS_BYTES = 128 * MiB;

/** What a build needs and its store does not have. */
export interface BlockNeed {
	readonly kind: PackKind;
	readonly key: Uint8Array;
}

interface FetchedIndex {
	readonly bytes: Buffer;
	/** Where it came from: see `originOf`. */
	readonly origin: string;
}

interface FetchedPacks {
	/** Of the packs that are new in the store. */
	readonly names: readonly string[];
	readonly isComplete: boolean;
}

/** What one reference given as `--cache-from` was good for, for the build report. */
export interface CacheSourceReport {
	readonly reference: string;
	/** Of the artifact; absent where there is none. */
	manifestDigest?: string;
	/** Layers whose index was fetched. */
	layerIndexes: number;
	/** Blocks that were fetched. */
	blocks: number;
	/** Of bodies: manifest and configuration not counted. */
	fetchedBytes: number;
	/** Why it was of no or less use; the build goes on without it. */
	problem?: string;
}

interface Reference {
	readonly origin: string;
	readonly report: CacheSourceReport;
	readonly source: RegistrySource | undefined;
	readonly entries: readonly ArtifactEntry[];
	/** It failed in a way that other requests would share. */
	isDown: boolean;
}

/**
 * Stores of other machines, in registries. Nothing that is wrong with one of them fails the build: what cannot be had is not there. All bytes are
 * checked against the artifact's manifest; what its writer put in is believed, with a key only what is sealed with it (docs/cache.md, "Shared cache").
 */
export class CacheSource {
	readonly #references: readonly Reference[];
	/** Packs that were looked into; undefined for those that turned out to be of no use. */
	readonly #opened = new Map<PackBlob, Promise<RemotePack | undefined>>();
	#headBytesLeft = MAX_HEADS_BYTES;

	private constructor(references: readonly Reference[]) {
		this.#references = references;
	}

	/** Reads the manifests. `open` is told each reference; what it throws of kind "usage" is thrown. */
	static async open(
		references: readonly string[],
		open: (reference: string) => Promise<RegistrySource>,
		key?: CacheKey,
		signal?: AbortSignal,
	): Promise<CacheSource> {
		const opened = await Promise.allSettled(references.map((reference) => openReference(reference, open, key, signal)));
		const source = new CacheSource(opened.flatMap((result) => (result.status === "fulfilled" ? [result.value] : [])));
		for (const result of opened) {
			if (result.status === "fulfilled") continue;
			await source.close();
			throw result.reason;
		}
		return source;
	}

	get reports(): readonly CacheSourceReport[] {
		return this.#references.map(({ report, source }) => ({
			...report,
			fetchedBytes: source?.transfers.reduce((sum, { fetchedBytes }) => sum + fetchedBytes, 0) ?? 0,
		}));
	}

	/** What can be asked still, and what their artifacts name. */
	get artifacts(): readonly { reference: string; source: RegistrySource; entries: readonly ArtifactEntry[] }[] {
		return this.#references.flatMap(({ report, source, entries, isDown }) =>
			source === undefined || isDown ? [] : [{ reference: report.reference, source, entries }],
		);
	}

	/** The index file of a layer, from the first reference that has a whole one; undefined where the image says other things of the layer than it does. */
	async layerIndex(layer: ClaimedLayer, cut: Cut, signal?: AbortSignal): Promise<FetchedIndex | undefined> {
		for (const reference of this.#references) {
			for (const entry of reference.entries) {
				if (entry.kind !== "index" || entry.layer !== layer.digest || !isSameCut(entry, cut)) continue;
				const found = await this.#attempt(reference, signal, async ({ source }) => {
					const bytes = await readIndex(source, entry, signal);
					const index = await inTurns(openingLayerIndex(bytes), signal);
					if (index?.layer.digest !== layer.digest || !isSameCut(index, cut))
						throw corrupt(REMOTE_DAMAGED, "a layer index of the shared cache is none", entry.digest);
					return { bytes, isOfUse: agrees(index, layer) };
				});
				if (found === undefined) continue;
				if (!found.isOfUse) return undefined;
				reference.report.layerIndexes++;
				return { bytes: found.bytes, origin: reference.origin };
			}
		}
		return undefined;
	}

	/**
	 * Fetches what is needed into packs of the store. Nothing is fetched where the packs do not list all of it; where the fetching fails half-way, what came
	 * is there and `isComplete` is false. `diffIds` are the image's: their packs are looked into first.
	 */
	async fetch(
		needs: readonly BlockNeed[],
		directory: StoreDirectory,
		settings: BlockSettings,
		diffIds: ReadonlySet<string>,
		signal?: AbortSignal,
	): Promise<FetchedPacks> {
		const missing = new Set(needs.map(({ kind, key }) => nameOf(kind, key)));
		const names: string[] = [];
		while (missing.size > 0) {
			const places = await this.#locate(missing, settings, diffIds, signal);
			if (places === undefined) break;
			for (const [pack, blocks] of places) {
				const name = await this.#fetchPack(pack, blocks, directory, settings, signal);
				if (name === undefined) {
					this.#opened.set(pack.blob, Promise.resolve(undefined));
					continue;
				}
				names.push(name);
				for (const { kind, key } of blocks) missing.delete(nameOf(kind, key));
			}
		}
		return { names, isComplete: missing.size === 0 };
	}

	async close(): Promise<void> {
		await Promise.all(this.#references.map(({ source }) => source?.close()));
	}

	/** In which packs the blocks are, by their offsets; undefined where one is nowhere. */
	async #locate(
		names: ReadonlySet<string>,
		settings: BlockSettings,
		diffIds: ReadonlySet<string>,
		signal: AbortSignal | undefined,
	): Promise<Map<RemotePack, PackEntry[]> | undefined> {
		const missing = new Set(names);
		const places = new Map<RemotePack, PackEntry[]>();
		for (const [reference, blob] of this.#packs(settingsText(settings), diffIds)) {
			if (missing.size === 0) break;
			const pack = await this.#open(reference, blob, signal);
			if (pack === undefined) continue;
			for (const entry of pack.head.entries) {
				if (!missing.delete(nameOf(entry.kind, entry.key))) continue;
				const blocks = places.get(pack) ?? [];
				blocks.push(entry);
				places.set(pack, blocks);
			}
		}
		return missing.size === 0 ? places : undefined;
	}

	/** Those of the image's layers first, then by the order of the references and of their manifests. */
	#packs(settings: string, diffIds: ReadonlySet<string>): [Reference, PackBlob][] {
		const all = this.#references.flatMap((reference) =>
			reference.entries.flatMap((entry): [Reference, PackBlob][] =>
				entry.kind === "pack" && entry.settings === settings ? [[reference, entry]] : [],
			),
		);
		const isOurs = ([, { diffId }]: [Reference, PackBlob]): boolean => diffIds.has(diffId);
		return [...all.filter(isOurs), ...all.filter((pack) => !isOurs(pack))];
	}

	#open(reference: Reference, blob: PackBlob, signal: AbortSignal | undefined): Promise<RemotePack | undefined> {
		const known = this.#opened.get(blob);
		if (known !== undefined) return known;
		const opened = this.#attempt(reference, signal, async ({ source }) => {
			if (blob.headBytes > this.#headBytesLeft) throw corrupt(REMOTE_DAMAGED, "the heads of its packs are too large");
			this.#headBytesLeft -= blob.headBytes;
			return await openRemotePack(source, blob, signal);
		});
		this.#opened.set(blob, opened);
		return opened;
	}

	async #fetchPack(
		pack: RemotePack,
		blocks: readonly PackEntry[],
		directory: StoreDirectory,
		settings: BlockSettings,
		signal: AbortSignal | undefined,
	): Promise<string | undefined> {
		const reference = this.#references.find(({ source }) => source === pack.source);
		if (reference === undefined) return undefined;
		return await this.#attempt(reference, signal, async () => {
			const file = directory.create("pack");
			try {
				const head = await fetchBlocks(pack, blocks, file, signal);
				const prefix = `${fileNameOf(pack.head.description.diffId)}.${settingsId(settings)}`;
				const name = packName(prefix, head, suffixOf(reference.origin));
				file.publish(name);
				reference.report.blocks += blocks.length;
				return name;
			} finally {
				file.discard();
			}
		});
	}

	/** Undefined where it fails; why, is in the report. Only an interruption is thrown. */
	async #attempt<T>(
		reference: Reference,
		signal: AbortSignal | undefined,
		work: (reference: { readonly source: RegistrySource }) => Promise<T>,
	): Promise<T | undefined> {
		const { report, source } = reference;
		if (source === undefined || reference.isDown) return undefined;
		try {
			return await work({ source });
		} catch (error) {
			throwIfAborted(signal);
			report.problem ??= describeFailure(error);
			reference.isDown = error instanceof Oci2isoError && error.kind === "registry" && error.code !== "BLOB_MISSING";
			return undefined;
		}
	}
}

async function openReference(
	reference: string,
	open: (reference: string) => Promise<RegistrySource>,
	key: CacheKey | undefined,
	signal: AbortSignal | undefined,
): Promise<Reference> {
	const report: CacheSourceReport = { reference, layerIndexes: 0, blocks: 0, fetchedBytes: 0 };
	const origin = originOf(reference, key?.id);
	let source: RegistrySource | undefined;
	try {
		source = await open(reference);
		const artifact = await readEntries(source, key, signal);
		if (artifact === undefined) throw corrupt(REMOTE_DAMAGED, "this is no cache of this version of oci2iso", reference);
		const { entries, entryCount, manifestDigest } = artifact;
		const others = entryCount - entries.length;
		if (others > 0) report.problem = `${others} of its ${entryCount} entries are not sealed with the given key`;
		return { origin, report: { ...report, manifestDigest }, source, entries, isDown: false };
	} catch (error) {
		throwIfAborted(signal);
		if (source === undefined && error instanceof Oci2isoError && error.kind === "usage") throw error;
		await source?.close();
		return {
			origin,
			report: { ...report, problem: describeFailure(error) },
			source: undefined,
			entries: [],
			isDown: true,
		};
	}
}

/** The entries of what a reference names that someone with the key wrote, all where there is no key; undefined where it is no cache. */
export async function readEntries(source: RegistrySource, key: CacheKey | undefined, signal: AbortSignal | undefined) {
	const manifest = await source.root(signal);
	const all = manifest.kind === "manifest" ? decodeArtifact(manifest.config, manifest.layers) : undefined;
	if (all === undefined || manifest.kind !== "manifest") return undefined;
	const entries = key === undefined ? all : all.filter((entry) => key.isSealed(entry));
	return { entries, entryCount: all.length, manifestDigest: manifest.digest };
}

async function readIndex(source: RegistrySource, entry: ArtifactEntry, signal?: AbortSignal): Promise<Buffer> {
	const descriptor = descriptorOf(entry);
	const where = `layer index ${entry.digest}`;
	const pieces: Buffer[] = [];
	for await (const piece of verifiedBlob(source.blob(descriptor, signal), descriptor, where, MAX_INDEX_BYTES))
		pieces.push(Buffer.from(piece));
	try {
		return await promisify(gunzip)(Buffer.concat(pieces), { maxOutputLength: MAX_INDEX_BYTES });
	} catch {
		throw corrupt(REMOTE_DAMAGED, "a layer index of the shared cache does not inflate", entry.digest);
	}
}

/** One line for a notice. Failures of the local store's files are included: they too cost only time. */
export function describeFailure(error: unknown): string {
	return error instanceof Oci2isoError ? error.message : reasonOf(error);
}

function nameOf(kind: PackKind, key: Uint8Array): string {
	return kind + Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString("latin1");
}
