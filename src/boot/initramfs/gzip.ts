import { createInflateRaw, type InflateRaw } from "node:zlib";
import type { ByteQueue } from "../../binary/byte-queue.ts";
import { MiB } from "../../binary/units.ts";
import type { Damage, Decompressed, Emit } from "./segment.ts";

/** RFC 1952, 2.3.1 */
const FLAG = { headerCrc: 2, extra: 4, name: 8, comment: 16 } as const;
const HEADER_BYTES = 10;
/** CRC32 and size, which are not verified. */
const TRAILER_BYTES = 8;
/** What goes in and comes out at once. Of damaged data the last piece is lost: its length is what results depend on, and not the file's chunks. */
const PIECE_BYTES = MiB;

/** RFC 1952, 2.3: member header, deflate data, CRC32 and size. */
export async function gunzipMember(input: ByteQueue, emit: Emit): Promise<Decompressed | Damage> {
	if (!(await skipHeader(input))) return { damage: "it ends within its gzip header" };
	const inflater = createInflateRaw({ chunkSize: PIECE_BYTES });
	const feeding = feed(inflater, input);
	try {
		for await (const chunk of inflater) emit(chunk as Buffer);
	} catch (error) {
		if (error instanceof Error && "code" in error && String(error.code).startsWith("Z_"))
			return { damage: `its gzip data is broken: ${error.message}` };
		throw error;
	} finally {
		inflater.destroy();
		await feeding;
	}
	return (await input.skip(TRAILER_BYTES)) === TRAILER_BYTES ? {} : { damage: "it ends within its gzip data" };
}

/** False where nothing follows it. */
async function skipHeader(input: ByteQueue): Promise<boolean> {
	const head = await input.fill(HEADER_BYTES + 2);
	const flags = head[3] ?? 0;
	const extraBytes = (flags & FLAG.extra) === 0 ? 0 : 2 + (head[10] ?? 0) + 256 * (head[11] ?? 0);
	await input.skip(HEADER_BYTES + extraBytes);
	for (const flag of [FLAG.name, FLAG.comment]) if ((flags & flag) !== 0 && !(await skipText(input))) return false;
	if ((flags & FLAG.headerCrc) !== 0) await input.skip(2);
	return (await input.fill(1)).byteLength > 0;
}

/** Skips text and the NUL behind it; false where there is none. */
async function skipText(input: ByteQueue): Promise<boolean> {
	for (;;) {
		const bytes = await input.fill(1);
		if (bytes.byteLength === 0) return false;
		const end = bytes.indexOf(0);
		input.take(end < 0 ? bytes.byteLength : end + 1);
		if (end >= 0) return true;
	}
}

/** Takes from `input` what the inflater takes: nothing behind the deflate data. Never rejects: the inflater gets the failures of `input`. */
async function feed(inflater: InflateRaw, input: ByteQueue): Promise<void> {
	let settle: () => void = () => {};
	for (const event of ["close", "end", "error"]) inflater.once(event, () => settle());
	try {
		for (;;) {
			const piece = (await input.fill(PIECE_BYTES)).subarray(0, PIECE_BYTES);
			if (inflater.destroyed || inflater.readableEnded) return;
			if (piece.byteLength === 0) break;
			const before = inflater.bytesWritten;
			await new Promise<void>((resolve) => {
				settle = resolve;
				inflater.write(piece, () => resolve());
			});
			const taken = inflater.bytesWritten - before;
			input.take(taken);
			if (taken < piece.byteLength) return;
		}
		inflater.end();
	} catch (error) {
		inflater.destroy(error instanceof Error ? error : new Error(String(error)));
	}
}
