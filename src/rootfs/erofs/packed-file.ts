import { MiB } from "../../binary/units.ts";
import type { Extent, ExtentLayout } from "../../content/extent-layout.ts";
import { Recent } from "../../content/recent.ts";
import { corrupt } from "../../errors.ts";
import { FORM, rawExtent } from "./extent-form.ts";
import { ExtentTable } from "./extent-table.ts";

const DECODED_KEPT = 8;

/** Decodes an extent that begins at `position` in its file. */
type ReadExtent = (extent: Extent, position: number) => Promise<Uint8Array>;

/** The packed inode, whose content is the tails of other files: read at any place. */
export class PackedFile {
	readonly #open: () => Promise<ExtentLayout | undefined>;
	#table: Promise<ExtentTable> | undefined;
	/** By position in the packed file: neighbours have their tails in one extent. */
	readonly #decoded = new Recent<number, Uint8Array>(DECODED_KEPT);

	/** `open`: undefined where the image has none. */
	constructor(open: () => Promise<ExtentLayout | undefined>) {
		this.#open = open;
	}

	/** `byteLength` bytes from `start` on, extent by extent: bytes, or the length of a hole. Throws `Oci2isoError` CORRUPT_METADATA. */
	async *range(start: number, byteLength: number, read: ReadExtent): AsyncGenerator<Uint8Array | number> {
		this.#table ??= this.#load();
		const table = await this.#table;
		const end = start + byteLength;
		if (!(end <= table.byteLength)) {
			const limit = `at most ${table.byteLength}`;
			throw corrupt("CORRUPT_METADATA", `a tail ends at ${end} of the packed inode`, undefined, limit);
		}
		let row = table.rowAt(start);
		for (let at = start; at < end; row++) {
			const [from, extent] = table.extent(row);
			const to = Math.min(end, from + extent.byteLength);
			if (extent.position === undefined) yield to - at;
			else if (extent.form === FORM.raw) yield* rawParts(extent.position - from, at, to, read);
			else yield (await this.#content(from, extent, read)).subarray(at - from, to - from);
			at = to;
		}
	}

	async #content(from: number, extent: Extent, read: ReadExtent): Promise<Uint8Array> {
		const known = this.#decoded.get(from);
		if (known !== undefined) return known;
		const content = Buffer.from(await read(extent, from));
		this.#decoded.set(from, content);
		return content;
	}

	async #load(): Promise<ExtentTable> {
		const table = new ExtentTable();
		const layout = await this.#open();
		if (layout === undefined) return table;
		for await (const extent of layout.extents()) {
			if (extent.form === FORM.packed) throw corrupt("CORRUPT_METADATA", "the packed inode has a tail in itself");
			table.add(extent);
		}
		return table;
	}
}

/** From `at` to `to` of the file, which begins at `start` of the image. */
async function* rawParts(start: number, at: number, to: number, read: ReadExtent): AsyncGenerator<Uint8Array> {
	for (let from = at; from < to; from += MiB) {
		const byteLength = Math.min(MiB, to - from);
		yield await read(rawExtent(byteLength, start + from), from);
	}
}
