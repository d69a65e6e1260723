import type { ByteSource } from "../binary/byte-source.ts";
import { type ByteString, displayName } from "../binary/byte-string.ts";
import { alignUp, ISO_BLOCK_BYTES, MiB } from "../binary/units.ts";
import { throwIfAborted } from "../errors.ts";
import type { Findings } from "../findings/findings.ts";
import { APPLICATION_USE_BYTES } from "../formats/isomd5/application-use.ts";
import { APPLICATION_USE_OFFSET } from "../formats/isomd5/media-checksum.ts";
import type { IsoLayout } from "../medium/iso-layout.ts";
import type { Piece } from "../medium/write-iso.ts";

interface Stretch {
	readonly start: number;
	readonly end: number;
}

/** Compares what should be written with what is there, and knows what was compared. */
export class Comparison {
	readonly #source: ByteSource;
	readonly #findings: Findings;
	readonly #names: readonly (Stretch & { readonly name: string })[];
	/** Reported already, by name. */
	readonly #reported: Set<string>;
	readonly #covered: Stretch[] = [];
	readonly #end: number;
	comparedBytes = 0;

	constructor(source: ByteSource, layout: IsoLayout, reported: ReadonlySet<ByteString>, findings: Findings) {
		this.#source = source;
		this.#findings = findings;
		this.#names = namesOf(layout);
		this.#reported = new Set([...reported].map((path) => `/${displayName(path)}`));
		this.#end = layout.disk.imageBlocks * ISO_BLOCK_BYTES;
		this.skip(APPLICATION_USE_OFFSET, APPLICATION_USE_BYTES);
	}

	/** Has a check of its own. */
	skip(start: number, byteLength: number): void {
		this.#covered.push({ start, end: start + byteLength });
	}

	async compare({ position, bytes }: Piece): Promise<void> {
		if (bytes.byteLength === 0) return;
		this.skip(position, bytes.byteLength);
		this.comparedBytes += bytes.byteLength;
		const there = Math.max(0, Math.min(bytes.byteLength, this.#source.byteLength - position));
		const actual = Buffer.from(await this.#source.read(position, there));
		const use = APPLICATION_USE_OFFSET - position;
		const wanted = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
		if (actual.equals(wanted)) return;
		const differing = wanted.findIndex(
			(byte, i) => byte !== actual[i] && !(i >= use && i < use + APPLICATION_USE_BYTES),
		);
		if (differing < 0) return;
		this.#report(position + differing, "it differs from what the same program writes for the image");
	}

	/** What no piece covers is zero, and nothing is behind the end. */
	async finish(signal?: AbortSignal): Promise<void> {
		const { byteLength } = this.#source;
		if (byteLength > this.#end)
			this.#findings.fault(`${byteLength - this.#end} bytes are behind the end`, `byte ${this.#end}`, "nothing");
		this.#covered.sort((a, b) => a.start - b.start);
		let reached = 0;
		for (const { start, end } of [...this.#covered, { start: this.#end, end: this.#end }]) {
			for (let at = reached; at < Math.min(start, byteLength); at += MiB) {
				throwIfAborted(signal);
				const bytes = await this.#source.read(at, Math.min(MiB, start - at, byteLength - at));
				const set = bytes.findIndex((byte) => byte !== 0);
				if (set >= 0) this.#report(at + set, "bytes that nothing accounts for are set");
			}
			reached = Math.max(reached, end);
		}
	}

	#report(position: number, what: string): void {
		const named = this.#names.findLast(({ start, end }) => position >= start && position < end);
		const name = named?.name ?? "between the files";
		if (this.#reported.has(name)) return;
		this.#reported.add(name);
		this.#findings.fault(`${what}, at byte ${position}`, name, "the same bytes");
	}
}

/** In order of their places. */
function namesOf({ volume, disk }: IsoLayout): (Stretch & { readonly name: string })[] {
	const at = (block: number, byteLength: number, name: string) => ({
		start: block * ISO_BLOCK_BYTES,
		end: block * ISO_BLOCK_BYTES + alignUp(byteLength, ISO_BLOCK_BYTES),
		name,
	});
	return [
		at(0, 16 * ISO_BLOCK_BYTES, "system area: MBR, GPT header and entries"),
		at(16, 16 * ISO_BLOCK_BYTES, "volume descriptors"),
		at(32, 3 * ISO_BLOCK_BYTES, "volume descriptors of the partition"),
		...volume.tables.map(({ block, bytes, name }) => at(block, bytes.byteLength, name)),
		...volume.files.map(({ block, byteLength, paths, contentKey }) =>
			at(block, byteLength, paths[0] === undefined ? contentKey : displayName(paths[0])),
		),
		at(disk.efiSystemBlock, disk.efiSystemBlocks * ISO_BLOCK_BYTES, "EFI system partition"),
		at(disk.paddingBlock, disk.paddingBlocks * ISO_BLOCK_BYTES, "padding"),
		at(disk.backupGptBlock, (disk.imageBlocks - disk.backupGptBlock) * ISO_BLOCK_BYTES, "backup GPT"),
	].sort((a, b) => a.start - b.start);
}
