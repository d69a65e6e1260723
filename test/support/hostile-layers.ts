import { gzipSync } from "node:zlib";
import { tarHeader } from "./tar-fixtures.ts";

/** A gzip stream of zeros, about a thousandth as long: one member over and over. `mebibytes` is a multiple of 16. */
export function gzipOfZeros(mebibytes: number): Buffer {
	const member = gzipSync(Buffer.alloc(16 << 20), { level: 9 });
	return Buffer.concat(Array.from({ length: mebibytes / 16 }, () => member));
}

/** A zstd frame of zeros, a thirty-thousandth as long: blocks of 128 KiB that state one byte (RFC 8878 3.1.1.2). */
export function zstdOfZeros(mebibytes: number, windowLog = 17): Buffer {
	const count = mebibytes * 8;
	const bytes = Buffer.alloc(6 + 4 * count);
	bytes.set([0x28, 0xb5, 0x2f, 0xfd, 0x00, (windowLog - 10) << 3]);
	for (let i = 0; i < count; i++) bytes.writeUIntLE((128 << 10) * 8 + 2 + (i === count - 1 ? 1 : 0), 6 + 4 * i, 3);
	return bytes;
}

/** The header of a member whose size may be anything, also more than follows. */
export function lyingHeader(path: string, size: number, typeflag = "0"): Buffer {
	return tarHeader({ name: path, size, typeflag });
}

/** `count` members out of one header block each, in gzip; `nameOf` gives paths of at most 100 bytes. */
export function gzipOfHeaders(count: number, nameOf: (index: number) => string, typeflag = "0"): Buffer {
	const batch = 20_000;
	const members: Buffer[] = [];
	for (let from = 0; from < count; from += batch) {
		const blocks = Array.from({ length: Math.min(batch, count - from) }, (_, i) =>
			headerBlock(nameOf(from + i), typeflag),
		);
		members.push(gzipSync(Buffer.concat(blocks), { level: 1 }));
	}
	return Buffer.concat(members);
}

const TEMPLATES = new Map<string, Buffer>();

/** `tarHeader` for a name only, made from a template because millions are needed. */
function headerBlock(name: string, typeflag: string): Buffer {
	let template = TEMPLATES.get(typeflag);
	if (template === undefined) {
		template = tarHeader({ name: "", typeflag });
		TEMPLATES.set(typeflag, template);
	}
	const block = Buffer.from(template);
	const length = block.write(name, 0, 100, "latin1");
	let sum = Number.parseInt(template.toString("latin1", 148, 154), 8);
	for (let i = 0; i < length; i++) sum += block.readUInt8(i);
	block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
	return block;
}
