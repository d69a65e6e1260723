import type { ByteString } from "../../src/binary/byte-string.ts";
import { gnuHeader, sparseEntry, sparseExtension, TAR_BLOCK_BYTES } from "../../src/formats/tar/header.ts";
import { type HeaderFields, padded, paxRecord } from "./tar-fixtures.ts";

/** GNU's old header, and the three that PAX keywords carry. */
export type SparseForm = "gnu" | "pax-0.0" | "pax-0.1" | "pax-1.0";

/** How a member says where its data belongs. */
export interface SparseParts {
	readonly records: readonly Buffer[];
	readonly fields: Partial<HeaderFields>;
	readonly patch: (block: Buffer) => void;
	/** Blocks between the header and what is recorded. */
	readonly extensions: Buffer;
	readonly recorded: Buffer;
}

type Stretch = readonly [offset: number, byteLength: number];

/** Blocks of 512 bytes that are not all zero, neighbours together; then an empty one at the end, as GNU tar writes it. */
function stretchesOf(content: Uint8Array): Stretch[] {
	const stretches: [number, number][] = [];
	for (let at = 0; at < content.byteLength; at += TAR_BLOCK_BYTES) {
		const block = content.subarray(at, at + TAR_BLOCK_BYTES);
		if (block.every((byte) => byte === 0)) continue;
		const last = stretches.at(-1);
		if (last !== undefined && last[0] + last[1] === at) last[1] += block.byteLength;
		else stretches.push([at, block.byteLength]);
	}
	return [...stretches, [content.byteLength, 0]];
}

export function sparseMember(path: ByteString, content: Uint8Array, form: SparseForm): SparseParts {
	const stretches = stretchesOf(content);
	const data = Buffer.concat(stretches.map(([offset, length]) => content.subarray(offset, offset + length)));
	if (form === "gnu") return gnuParts(stretches, content.byteLength, data);
	const numbers = stretches.flat().map(String);
	const records = (pairs: readonly (readonly [string, string])[]): Buffer[] =>
		pairs.map(([keyword, value]) => paxRecord(`GNU.sparse.${keyword}`, value));
	const parts = {
		fields: { name: "GNUSparseFile.0/x" },
		patch: () => {},
		extensions: Buffer.alloc(0),
		recorded: data,
	};
	const size = String(content.byteLength);
	switch (form) {
		case "pax-0.0": {
			const map = stretches.flatMap(([offset, length]) => [
				["offset", String(offset)] as const,
				["numbytes", String(length)] as const,
			]);
			const count = ["numblocks", String(stretches.length)] as const;
			// This form has no keyword for the name.
			const named = { ...parts, fields: { name: path.slice(0, 100) } };
			return { ...named, records: [...records([["size", size], count, ...map]), paxRecord("path", path)] };
		}
		case "pax-0.1": {
			const map = [["numblocks", String(stretches.length)] as const, ["map", numbers.join(",")] as const];
			return { ...parts, records: records([["name", path], ["size", size], ...map]) };
		}
		case "pax-1.0": {
			const map = padded(Buffer.from([stretches.length, ...numbers].map((number) => `${number}\n`).join("")));
			const version = [["major", "1"] as const, ["minor", "0"] as const];
			return {
				...parts,
				records: records([...version, ["name", path], ["realsize", size]]),
				recorded: Buffer.concat([map, data]),
			};
		}
	}
}

function gnuParts(stretches: readonly Stretch[], byteLength: number, recorded: Buffer): SparseParts {
	const table = (list: readonly Stretch[]): Buffer =>
		Buffer.concat(list.map(([offset, numbytes]) => sparseEntry.encode({ offset, numbytes })));
	const extensions: Buffer[] = [];
	for (let at = 4; at < stretches.length; at += 21) {
		const isextended = at + 21 < stretches.length ? 1 : 0;
		extensions.push(Buffer.from(sparseExtension.encode({ sparse: table(stretches.slice(at, at + 21)), isextended })));
	}
	return {
		records: [],
		fields: { typeflag: "S", magic: "ustar  \0" },
		patch: (block) => {
			table(stretches.slice(0, 4)).copy(block, gnuHeader.fields.sparse.offset);
			block[gnuHeader.fields.isextended.offset] = extensions.length > 0 ? 1 : 0;
			block.write(byteLength.toString(8).padStart(11, "0"), gnuHeader.fields.realsize.offset, "latin1");
		},
		extensions: Buffer.concat(extensions),
		recorded,
	};
}
