import { memorySource } from "../../../src/binary/byte-source.ts";
import { atOnce } from "../../../src/binary/turns.ts";
import { corrupt } from "../../../src/errors.ts";
import type { TarHandler } from "../../../src/formats/tar/entry.ts";
import { interpretPaxRecords } from "../../../src/formats/tar/extended-header.ts";
import { parsePaxInteger, parsePaxRecords, parsePaxTime } from "../../../src/formats/tar/pax.ts";
import { TarReader } from "../../../src/formats/tar/reader.ts";
import { SparseMapParser, sparseMapFault } from "../../../src/formats/tar/sparse.ts";
import { indexArchive } from "../../../src/oci/archive-index.ts";
import { TreeMerger } from "../../../src/tree/merge.ts";
import { walk } from "../../../src/tree/walk.ts";
import {
	gnuLongName,
	padded,
	paxHeader,
	paxRecord,
	tarArchive,
	tarHeader,
	withChecksum,
} from "../../support/tar-fixtures.ts";
import type { FuzzTarget } from "../engine/target.ts";

const BLOCK_BYTES = 512;
const PAX_WORDS =
	"path=~linkpath=~size=~uid=~mtime=~SCHILY.xattr.user.a=~LIBARCHIVE.xattr.user.b=~GNU.sparse.major=1~GNU.sparse.map=0,1,2,3~GNU.sparse.realsize=~GNU.sparse.numblocks=~GNU.sparse.offset=~SCHILY.acl.access=~\n~30 ";

/** Headers whose checksums no longer hold would end every mutation at once. */
function withChecksums(archive: Buffer): Buffer {
	for (let at = 0; at + BLOCK_BYTES <= archive.byteLength; at += BLOCK_BYTES) {
		const block = archive.subarray(at, at + BLOCK_BYTES);
		if (block.toString("latin1", 257, 262) === "ustar") withChecksum(block);
	}
	return archive;
}

function sparseArchives(): Buffer[] {
	const sparse = paxHeader([
		paxRecord("GNU.sparse.major", "1"),
		paxRecord("GNU.sparse.minor", "0"),
		paxRecord("GNU.sparse.name", "sparse"),
		paxRecord("GNU.sparse.realsize", "9000"),
	]);
	const map = padded(Buffer.from("2\n0\n10\n5000\n20\n"));
	const body = Buffer.concat([map, padded(Buffer.alloc(30, "x"))]);
	const oneZero = Buffer.concat([sparse, tarHeader({ name: "x", size: map.byteLength + 30 }), body]);
	const zeroOne = Buffer.concat([
		paxHeader([paxRecord("GNU.sparse.map", "0,10,5000,20"), paxRecord("GNU.sparse.size", "9000")]),
		tarHeader({ name: "y", size: 30 }),
		padded(Buffer.alloc(30, "y")),
	]);
	const old = tarHeader({ name: "z", size: 30, typeflag: "S", magic: "ustar  \0" }, (block) => {
		block.write("00000000000\0\x30\x30\x30\x30\x30\x30\x30\x30\x30\x31\x32\0", 386, "latin1");
		block.write("00000011610\x00000000000024\0", 410, "latin1");
		block.write("00000021450\0", 483, "latin1");
	});
	return [oneZero, zeroOne, Buffer.concat([old, padded(Buffer.alloc(30, "z"))])];
}

const NAMES = ["a", "b", "c", "lib", "x", ".."];

/** Layers out of few names, so that links, whiteouts and replacements meet. */
export const archiveTargets: readonly FuzzTarget[] = [
	{
		name: "tar",
		maxBytes: 16_384,
		dictionary: `${PAX_WORDS}~ustar\x0000~ustar  \0~.wh.~.wh..wh..opq~../~/~\x80\0\0\0`,
		seeds: () => [
			tarArchive([
				{ path: "d/", type: "directory" },
				{ path: "d/f", content: Buffer.from("content"), xattrs: new Map([["user.a", Buffer.from("b")]]) },
				{ path: "d/l", type: "symlink", linkTarget: "../d" },
				{ path: "d/h", type: "hard-link", linkTarget: "d/f" },
				{ path: "n", type: "character-device", major: 1, minor: 3 },
				{ path: "d/.wh.f" },
				{ path: "d/.wh..wh..opq" },
				{ path: "s", type: "socket" },
			]),
			Buffer.concat([gnuLongName("n".repeat(150)), gnuLongName("t".repeat(150), "K"), tarHeader({ name: "n" })]),
			Buffer.concat([paxHeader([paxRecord("mtime", "1.5"), paxRecord("uid", "7")], "g"), tarHeader({ name: "n" })]),
			...sparseArchives(),
		],
		run(input) {
			const archive = withChecksums(input);
			const merger = new TreeMerger({ layerCount: 2 });
			const layer = merger.layer(1);
			const handler: TarHandler = { entry: (entry) => layer.entry(entry), data() {}, hole() {}, endEntry() {} };
			const reader = new TarReader(handler, { origin: "fuzz" });
			for (let at = 0; at < archive.byteLength; at += 700) reader.push(archive.subarray(at, at + 700));
			reader.finish();
			atOnce(layer.finishing());
			atOnce(merger.layer(0).finishing());
			return [...walk(atOnce(merger.settling()).root)].length + reader.notes.length;
		},
	},
	{
		name: "pax",
		dictionary: PAX_WORDS,
		seeds: () => [
			Buffer.concat(
				PAX_WORDS.split("~").flatMap((word) => {
					const [keyword = "", value = ""] = word.split("=", 2);
					return keyword.length < 4 ? [] : [paxRecord(keyword, value || "1")];
				}),
			),
			Buffer.concat([paxRecord("mtime", "-1.999999999"), paxRecord("LIBARCHIVE.xattr.user.%41", "AAEC")]),
		],
		run(input) {
			const records = parsePaxRecords(input);
			parsePaxInteger(input.toString("latin1", 0, 30));
			parsePaxTime(input.toString("latin1", 0, 30));
			if (Array.isArray(records))
				interpretPaxRecords(records, ({ code, what, expected }) => {
					throw corrupt(code, what, undefined, expected);
				});
		},
	},
	{
		name: "sparse-map",
		seeds: () => [padded(Buffer.from("2\n0\n10\n5000\n20\n")), padded(Buffer.from("0\n"))],
		run(input) {
			const parser = new SparseMapParser();
			for (let at = 0; at < input.byteLength; at += BLOCK_BYTES) {
				const map = parser.block(input.subarray(at, at + BLOCK_BYTES));
				if (map === undefined) continue;
				if (map !== "malformed") sparseMapFault(map, 9000, 30);
				return;
			}
		},
	},
	{
		name: "image-archive",
		maxBytes: 16_384,
		dictionary: "ustar\x0000~path=~size=~linkpath=~../~manifest.json",
		seeds: () => [
			tarArchive([
				{ path: "manifest.json", content: Buffer.from("[]") },
				{ path: "latest", type: "symlink", linkTarget: "manifest.json" },
				{ path: "x/y", type: "hard-link", linkTarget: "latest" },
			]),
			Buffer.concat([
				paxHeader([paxRecord("path", "manifest.json"), paxRecord("size", "2")]),
				tarHeader({ name: "n" }),
			]),
		],
		async run(input) {
			const index = await indexArchive(memorySource(withChecksums(input)), "fuzz");
			return ["manifest.json", "latest", "x/y", ""].map((path) => index.find(path));
		},
	},
	{
		name: "merge",
		maxBytes: 600,
		seeds: () => [
			Buffer.from(Array.from({ length: 120 }, (_, i) => (i * 37) % 251)),
			Buffer.from(Array.from({ length: 300 }, (_, i) => (i * i) % 256)),
		],
		run(input) {
			let at = 0;
			const next = (limit: number): number => (input[at++] ?? 0) % limit;
			const path = (): string => Array.from({ length: 1 + next(4) }, () => NAMES[next(NAMES.length)]).join("/");
			const types = ["file", "directory", "symlink", "hard-link", "whiteout", "opaque", "fifo", "file"] as const;
			const merger = new TreeMerger({ layerCount: 3 });
			for (let layer = 2; layer >= 0; layer--) {
				const merge = merger.layer(layer);
				for (let count = next(20); count > 0 && at < input.byteLength; count--) {
					const type = types[next(types.length)] ?? "file";
					const name = type === "whiteout" ? "/.wh.a" : type === "opaque" ? "/.wh..wh..opq" : "";
					merge.entry({
						index: count,
						type: type === "whiteout" || type === "opaque" ? "file" : type,
						path: path() + name,
						linkTarget: type === "symlink" || type === "hard-link" ? (next(2) === 0 ? "/" : "") + path() : "",
						mode: 0o755,
						uid: 0,
						gid: 0,
						byteLength: 0,
						mtime: { seconds: 0, nanoseconds: 0 },
						major: 0,
						minor: 0,
						xattrs: new Map(),
						archiveOffset: 0,
					});
				}
				atOnce(merge.finishing());
			}
			const tree = atOnce(merger.settling());
			return [...walk(tree.root)].length;
		},
	},
];
