import fc from "fast-check";
import type { ByteString } from "../../../../src/binary/byte-string.ts";
import type { IsoDirectory, IsoFile, IsoNode } from "../../../../src/formats/iso9660/tree.ts";

const PLAIN = { mode: 0o644, uid: 0, gid: 0, mtimeSeconds: 1_700_000_000 };

export function file(contentKey: string, byteLength: number, more: Partial<IsoFile> = {}): IsoFile {
	return { type: "file", contentKey, byteLength, ...PLAIN, ...more };
}

export function directory(entries: Record<ByteString, IsoNode>): IsoDirectory {
	return { type: "directory", entries: new Map(Object.entries(entries)), ...PLAIN, mode: 0o755 };
}

const byteName = fc
	.oneof(
		fc.stringMatching(/^[a-zA-Z0-9._-]{1,40}$/),
		fc.uint8Array({ minLength: 1, maxLength: 255 }).map((bytes) => Buffer.from(bytes).toString("latin1")),
		fc.constantFrom("readme", "README", "Readme", "a b", "a-b", "a_b", "x.y.z", ".x", "x."),
		fc.string({ unit: "grapheme", minLength: 1, maxLength: 40 }).map((text) => Buffer.from(text).toString("latin1")),
	)
	.filter((name) => name.length > 0 && name.length < 256 && !/[/\0]/.test(name) && name !== "." && name !== "..");

const attributes = fc.record({
	mode: fc.nat(0o7777),
	uid: fc.nat(0xffffffff),
	gid: fc.nat(0xffffffff),
	mtimeSeconds: fc.integer({ min: Date.UTC(1900, 0, 1) / 1000, max: Date.UTC(2155, 11, 31) / 1000 }),
});

const target = fc
	.array(fc.oneof(fc.constantFrom(".", ".."), fc.stringMatching(/^[ -.0-~]{1,255}$/)), { minLength: 1, maxLength: 6 })
	.chain((parts) => fc.boolean().map((absolute) => (absolute ? "/" : "") + parts.join("/")))
	.filter((text) => text.length <= 1024);

const GiB = 2 ** 30;
let serial = 0;

const tree = fc.letrec<{ node: IsoNode; directory: IsoDirectory }>((tie) => ({
	node: fc.oneof(
		{ maxDepth: 4, depthSize: "small" },
		fc
			.tuple(attributes, fc.oneof(fc.nat(10_000), fc.integer({ min: 4 * GiB - 5, max: 13 * GiB })))
			.map(([each, byteLength]) => ({ type: "file" as const, contentKey: `body ${serial++}`, byteLength, ...each })),
		fc.tuple(attributes, target).map(([each, text]) => ({ type: "symlink" as const, target: text, ...each })),
		tie("directory"),
	),
	directory: fc
		.tuple(attributes, fc.array(fc.tuple(byteName, tie("node")), { maxLength: 60 }))
		.map(([each, entries]) => ({ type: "directory" as const, entries: new Map(entries), ...each })),
}));

/** Trees with hostile names, long links, files beyond 4 GiB and directories of many blocks. */
export const anyTree: fc.Arbitrary<IsoDirectory> = tree.directory;
