import { createHash } from "node:crypto";
import { atOnce } from "../../src/binary/turns.ts";
import { fileNameOf, writingLayerIndex } from "../../src/cache/layer-index-store.ts";
import { LayerIndexWriter } from "../../src/cache/layer-index-writer.ts";
import { type PackedBlock, writingPack } from "../../src/cache/pack-writer.ts";
import { type BlockSettings, settingsId, settingsText } from "../../src/cache/settings.ts";
import { StoreDirectory } from "../../src/cache/store-directory.ts";
import { STORED_RAW } from "../../src/content/block-size.ts";
import { digestOf } from "../../src/oci/digest.ts";
import { noise } from "./noise.ts";

export const TEST_SETTINGS: BlockSettings = { codec: "zstd", level: 3, blockBytes: 131072, encoder: "none, for tests" };

export interface TestLayer {
	/** Of the blob. */
	readonly digest: string;
	readonly compressedBytes: number;
	readonly diffId: string;
	readonly blocks: readonly (PackedBlock & { readonly bytes: Uint8Array })[];
}

/** Blocks of 20 to 50 kB that do not compress, the same for the same name. */
export function testLayer(name: string, blockCount: number): TestLayer {
	const blocks = Array.from({ length: blockCount }, (_, i) => {
		const bytes = noise(20_000 + ((i * 7919) % 30_000), `${name} ${i}`);
		const kind = i % 10 === 9 ? ("fragment" as const) : ("block" as const);
		return { kind, key: sha256(bytes), storedSize: bytes.byteLength | STORED_RAW, rawBytes: bytes.byteLength, bytes };
	});
	const digest = digestOf(Buffer.from(`blob of ${name}`));
	return { digest, compressedBytes: 1000 + name.length, diffId: digestOf(Buffer.from(name)), blocks };
}

/** Puts a pack and an index of each layer into a store; returns the names of the packs. */
export function fillStore(path: string, layers: readonly TestLayer[], settings = TEST_SETTINGS) {
	const directory = openStore(path);
	const packNames = layers.map(({ digest, compressedBytes, diffId, blocks }) => {
		const encoding = new LayerIndexWriter(settings).encoding(
			{ digest, compressedBytes, diffId, compression: "gzip" },
			blocks.length * 512,
			[`notes of ${diffId}`],
			() => Buffer.alloc(32),
		);
		atOnce(writingLayerIndex(directory, digest, settings, atOnce(encoding)));
		const description = { diffId, settings: settingsText(settings) };
		const prefix = `${fileNameOf(diffId)}.${settingsId(settings)}`;
		return atOnce(writingPack(directory, prefix, description, blocks, () => Buffer.alloc(0)));
	});
	return { directory, packNames };
}

export function openStore(path: string): StoreDirectory {
	const directory = StoreDirectory.open(path, { create: true });
	if (typeof directory === "string") throw new Error(directory);
	return directory;
}

function sha256(bytes: Uint8Array): Buffer {
	return createHash("sha256").update(bytes).digest();
}
