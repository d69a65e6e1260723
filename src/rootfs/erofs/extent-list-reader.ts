import type { Extent } from "../../content/extent-layout.ts";
import { corrupt, type Oci2isoError } from "../../errors.ts";
import { HIGH, MAP_ADVICE } from "./constants.ts";
import { FORM, MAX_CLUSTER_BYTES, packedExtent } from "./extent-form.ts";
import { listShape, type MapHeader } from "./map-header.ts";
import type { Volume } from "./volume.ts";

const RECORDS_READ = 256;
/** Fields of a record's first word: algorithm and 1 (0: as it is), whether others use more of it, length. */
const FORM_SHIFT = 28;
const PARTIAL = 1 << 27;
const LENGTH_MASK = 2 * MAX_CLUSTER_BYTES - 1;

interface Record {
	readonly length: number;
	readonly position: number;
	/** Where it begins in the file. */
	readonly start: number;
}

/** The extents of a list with addresses of bytes (48 bit). Throws `Oci2isoError` CORRUPT_METADATA or UNEXPECTED_END. */
export async function* readExtentList(
	volume: Volume,
	header: MapHeader,
	byteLength: number,
	where: string,
): AsyncGenerator<Extent> {
	let last: Record | undefined;
	for await (const record of records(volume, header, byteLength)) {
		if (last !== undefined) yield extentOf(last, record.start, header, where);
		else if (record.start !== 0) throw wrong("the first extent does not begin the file", where);
		if (record.start >= byteLength) throw wrong(`an extent begins at ${record.start} of ${byteLength}`, where);
		last = record;
	}
	if (last === undefined) {
		if (byteLength > 0) throw wrong("there is no extent", where);
		return;
	}
	if ((header.advice & MAP_ADVICE.fragment) === 0) yield extentOf(last, byteLength, header, where);
	else {
		const length = byteLength - last.start;
		const position = last.length + (listShape(header, byteLength).recordBytes > 4 ? (last.position % HIGH) * HIGH : 0);
		yield packedExtent(length, position);
	}
}

async function* records({ metadata }: Volume, header: MapHeader, byteLength: number): AsyncGenerator<Record> {
	const { start: at, recordBytes, isUniform, count } = listShape(header, byteLength);
	let position: number | undefined;
	if (recordBytes === 4 && count > 0)
		position = Number(metadata.view(await metadata.read(at - 8, 8)).getBigUint64(0, true));
	for (let first = 0; first < count; first += RECORDS_READ) {
		const number = Math.min(RECORDS_READ, count - first);
		const view = metadata.view(await metadata.read(at + first * recordBytes, number * recordBytes));
		for (let i = 0; i < number; i++) {
			const word = (index: number): number =>
				4 * index < recordBytes ? view.getUint32(i * recordBytes + 4 * index, true) : 0;
			const length = word(0);
			const start = isUniform ? (first + i) * header.clusterBytes : word(3) + word(4) * HIGH;
			yield { length, position: position ?? word(1) + word(2) * HIGH, start };
			if (position !== undefined) position += length & LENGTH_MASK;
		}
	}
}

function extentOf({ length, position, start }: Record, end: number, header: MapHeader, where: string): Extent {
	const byteLength = end - start;
	const storedBytes = length & LENGTH_MASK;
	const kind = length >>> FORM_SHIFT;
	if (byteLength <= 0 || storedBytes > MAX_CLUSTER_BYTES || (kind === 0 && storedBytes > 0 && byteLength > storedBytes))
		throw wrong(`an extent at ${start} has ${byteLength} bytes, stored in ${storedBytes}`, where);
	const isInterlaced =
		(header.advice & MAP_ADVICE.interlacedPlain) !== 0 &&
		position % header.blockBytes === 0 &&
		storedBytes % header.blockBytes === 0;
	const form = kind > 0 ? kind - 1 : isInterlaced ? FORM.interlaced : FORM.raw;
	return {
		byteLength,
		position: storedBytes === 0 ? undefined : position,
		storedBytes,
		form,
		isPartial: (length & PARTIAL) !== 0,
	};
}

function wrong(what: string, where: string): Oci2isoError {
	return corrupt("CORRUPT_METADATA", `the list of a file's extents is wrong: ${what}`, where);
}
