import { inTurns } from "../binary/turns.ts";
import { NO_XATTRS } from "../binary/xattrs.ts";
import { Oci2isoError } from "../errors.ts";
import type { BodyId } from "../tree/inode.ts";
import { LayerDiff, NO_ENTRY } from "../tree/layer-diff.ts";
import type { MetadataBudget } from "../tree/metadata-budget.ts";
import { inlining, LayerRecording, type RecordedLayer } from "./layer-recording.ts";
import { type ReadableLayer, readLayer } from "./read-layer.ts";

interface RecordedLayersOptions {
	/** By their numbers. */
	readonly wanted: ReadonlySet<number>;
	readonly budget: MetadataBudget;
	/** Keeps a content that no entry of a layer has, under a name that none has; resolves to its length in bytes. */
	readonly keep: (body: BodyId, chunks: AsyncIterable<Uint8Array>) => Promise<number>;
	readonly signal: AbortSignal | undefined;
}

/** Layers that container storage on the medium has: each is taken down the first time that it is read. */
export class RecordedLayers {
	readonly #options: RecordedLayersOptions;
	readonly #recorded = new Map<number, RecordedLayer>();

	constructor(options: RecordedLayersOptions) {
		this.#options = options;
	}

	begin(number: number, { digest }: ReadableLayer): LayerRecording | undefined {
		const { wanted, budget } = this.#options;
		if (!wanted.has(number) || this.#recorded.has(number)) return undefined;
		return new LayerRecording(new LayerDiff(number, digest, budget));
	}

	/** Once the archive was read to its end. Reads it again where contents have to lie among its own bytes. Throws as `LayerRecording.finishing` and layers do. */
	async end(number: number, layer: ReadableLayer, recording: LayerRecording, archiveBytes: number): Promise<void> {
		const { keep, signal } = this.#options;
		const {
			diff,
			inlined,
			tarSplit: first,
		} = await inTurns(recording.finishing(), signal).catch((error: unknown) => {
			throw ofLayerAlone(error);
		});
		let tarSplit = first;
		if (inlined.size > 0) {
			const recorder = inlining(inlined);
			await readLayer(layer, () => undefined, { signal, recorder });
			tarSplit = recorder.tarSplit;
		}
		const body = { layer: number, entry: recording.entryCount };
		const byteLength = await keep(body, tarSplit.gzip());
		const attributes = { mode: 0o600, uid: 0, gid: 0, mtime: NO_ENTRY, xattrs: NO_XATTRS };
		this.#recorded.set(number, { diff, tarSplit: { type: "file", ...attributes, byteLength, ...body }, archiveBytes });
	}

	get(number: number): RecordedLayer | undefined {
		return this.#recorded.get(number);
	}
}

/** A link that finds its target in the image finds none in a layer by itself. */
function ofLayerAlone(error: unknown): unknown {
	if (!(error instanceof Oci2isoError) || !error.code.startsWith("HARD_LINK_")) return error;
	const { code, kind, what, where } = error;
	const remedy = "put file and link into one layer, or carry the image with --payload-format oci";
	return new Oci2isoError({
		code,
		kind,
		what: `the payload: ${what}; container storage keeps each layer by itself`,
		where,
		remedy,
		cause: error,
	});
}
