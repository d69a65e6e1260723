import type { ByteString } from "../binary/byte-string.ts";
import { MiB } from "../binary/units.ts";
import { Oci2isoError } from "../errors.ts";
import type { Layer } from "../oci/layer.ts";
import type { TarEntry, TarHandler } from "../tar/entry.ts";
import { TarReader } from "../tar/reader.ts";
import type { ImageTree } from "../tree/image-tree.ts";
import type { BodyId, FileInode } from "../tree/inode.ts";
import { createLookup } from "../tree/lookup.ts";
import { TreeMerger } from "../tree/merge.ts";
import { cleanPath } from "../tree/path.ts";

/** The image's merged tree, read without writing or compressing anything. */
export interface InspectedTree {
	readonly tree: ImageTree;
	/** What the layers' archives leave open and was chosen, in sentences. */
	readonly notes: readonly string[];
	/** What it cost so far; grows when contents are read that were not kept. */
	readonly cost: ReadCost;
}

export interface ReadCost {
	/** Bytes of blobs, as stored. */
	blobBytes: number;
	/** Bytes of archives, uncompressed. */
	tarBytes: number;
	/** Bytes of file contents kept in memory. */
	keptBytes: number;
	/** Layers that were read once more for contents that nobody expected to need. */
	layersReadAgain: number;
}

/** Contents that the checks ask for: kept while they pass, so that no layer has to be read twice for them. */
const EXPECTED: readonly RegExp[] = [
	/^(etc|usr\/lib)\/os-release$/,
	/^usr\/lib\/(image-builder\/bootc|bootc-image-builder)\/iso\.yaml$/,
	/^(usr\/)?lib\/modules\/[^/]+\/(vmlinuz|initramfs\.img|config|modules\.(builtin|dep))$/,
	/^boot\/(vmlinuz|initrd\.img|initramfs|config)-[^/]+$/,
	/^boot\/efi\/EFI\/[^/]+\/[^/]+\.(efi|EFI)$/,
	/^usr\/lib\/(bootupd\/updates\/EFI|efi\/[^/]+\/[^/]+\/EFI)\/[^/]+\/[^/]+\.efi$/,
	/^usr\/lib\/shim\/[^/]+\.efi(\.signed(\.latest)?)?$/,
	/^usr\/lib\/grub\/x86_64-efi(-signed|\/monolithic)\/gcdx64\.efi(\.signed)?$/,
	/^usr\/lib\/grub\/i386-pc\/moddep\.lst$/,
	/^etc\/selinux\/config$/,
	/^etc\/ld\.so\.(conf|conf\.d\/[^/]+)$/,
	/^(usr\/)?s?bin\/(grub2?-mkimage|implantisomd5)$/,
	// The libraries of those two.
	/^(usr\/)?lib(64)?\/([^/]+\/)?(ld-(linux|musl)[^/]*|libc|libm|libdl|libpthread|liblzma|libdevmapper|libudev|libselinux|libpcre2-8|libpopt|libisomd5|libcap|libgcc_s|libsystemd|libblkid|libc-[\d.]+|ld-[\d.]+)(\.so[^/]*|\.[\d.]+)$/,
];
const MAX_KEPT_FILE_BYTES = 512 * MiB;
/** Contents kept in all; what does not fit is read again when it is asked for. */
const MAX_KEPT_BYTES = 768 * MiB;
const CHUNK_BYTES = MiB;

/**
 * Reads every layer once, the top one first, and settles the tree. Throws `Oci2isoError` as `Layer.tar`, `TarReader` and `TreeMerger` do
 * (exit 5 for broken images, 4 and 130).
 */
export async function readImageTree(
	layers: readonly Layer[],
	options: { readonly signal?: AbortSignal | undefined; readonly onBytes?: (blobBytes: number) => void } = {},
): Promise<InspectedTree> {
	const pass = new ImagePass(layers, options);
	return pass.read();
}

interface PassOptions {
	readonly signal?: AbortSignal | undefined;
	readonly onBytes?: ((blobBytes: number) => void) | undefined;
}

class ImagePass {
	readonly #layers: readonly Layer[];
	readonly #options: PassOptions;
	readonly #kept = new Map<string, Buffer>();
	readonly #notes: string[] = [];
	readonly cost: ReadCost = { blobBytes: 0, tarBytes: 0, keptBytes: 0, layersReadAgain: 0 };

	constructor(layers: readonly Layer[], options: PassOptions) {
		this.#layers = layers;
		this.#options = options;
	}

	async read(): Promise<InspectedTree> {
		const merger = new TreeMerger({ layerCount: this.#layers.length });
		for (const [index, layer] of [...this.#layers.entries()].reverse()) {
			const merge = merger.layer(index, layer.digest);
			this.#notes.push(
				...(await this.#readLayer(index, layer, (entry) => {
					const decision = merge.entry(entry);
					return entry.type === "file" && decision === "store" && this.#isExpected(entry);
				})),
			);
			merge.finish();
		}
		const merged = merger.settle();
		const stream = (file: FileInode): AsyncGenerator<Uint8Array> => this.#stream(file);
		return {
			cost: this.cost,
			notes: [...this.#notes, ...merged.notes],
			tree: {
				root: merged.root,
				lookup: createLookup(merged.root),
				read: (file, maxBytes) => this.#read(file, maxBytes),
				stream,
			},
		};
	}

	#isExpected(entry: TarEntry): boolean {
		const path = cleanPath(entry.path);
		return (
			entry.byteLength <= MAX_KEPT_FILE_BYTES &&
			this.cost.keptBytes + entry.byteLength <= MAX_KEPT_BYTES &&
			EXPECTED.some((pattern) => pattern.test(path))
		);
	}

	async #read(file: FileInode, maxBytes: number): Promise<Uint8Array> {
		if (file.byteLength > maxBytes)
			throw new Oci2isoError({
				code: "FILE_TOO_LARGE",
				kind: "corrupt",
				what: `a file of ${file.byteLength} bytes is too large for its purpose`,
				expected: `at most ${maxBytes} bytes`,
			});
		return (await this.#content(file)) ?? new Uint8Array();
	}

	async *#stream(file: FileInode): AsyncGenerator<Uint8Array> {
		const bytes = await this.#read(file, MAX_KEPT_FILE_BYTES);
		for (let at = 0; at < bytes.byteLength; at += CHUNK_BYTES) yield bytes.subarray(at, at + CHUNK_BYTES);
	}

	async #content(file: FileInode): Promise<Buffer | undefined> {
		if (file.byteLength === 0) return Buffer.alloc(0);
		const key = keyOf(file.body);
		const layer = this.#layers[file.body.layer];
		if (!this.#kept.has(key) && layer !== undefined) {
			this.cost.layersReadAgain++;
			await this.#readLayer(file.body.layer, layer, (entry) => entry.index === file.body.entry);
		}
		return this.#kept.get(key);
	}

	async #readLayer(index: number, layer: Layer, isKept: (entry: TarEntry) => boolean): Promise<readonly string[]> {
		const { signal, onBytes } = this.#options;
		const reader = new TarReader(this.#keeper(index, isKept), { origin: layer.digest });
		try {
			const onBlobBytes = (bytes: number): void => {
				this.cost.blobBytes += bytes;
				onBytes?.(this.cost.blobBytes);
			};
			for await (const chunk of layer.tar(signal, onBlobBytes)) {
				reader.push(chunk);
				this.cost.tarBytes += chunk.byteLength;
			}
			reader.finish();
		} catch (error) {
			// An archive that makes no sense is a consequence where the blob is not the one that was stored.
			if (error instanceof Oci2isoError && error.kind === "corrupt") await layer.verifyBlob(signal);
			throw error;
		}
		return reader.notes;
	}

	#keeper(layer: number, isKept: (entry: TarEntry) => boolean): TarHandler {
		let key = "";
		let body: Buffer | undefined;
		let length = 0;
		return {
			entry: (entry) => {
				if (!isKept(entry)) return;
				key = keyOf({ layer, entry: entry.index });
				body = Buffer.alloc(entry.byteLength);
				length = 0;
				this.cost.keptBytes += entry.byteLength;
			},
			data: (bytes) => {
				body?.set(bytes, length);
				length += bytes.byteLength;
			},
			hole: (byteLength) => {
				length += byteLength;
			},
			endEntry: () => {
				if (body !== undefined) this.#kept.set(key, body);
				body = undefined;
			},
		};
	}
}

function keyOf({ layer, entry }: BodyId): ByteString {
	return `${layer}:${entry}`;
}
