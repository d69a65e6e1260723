import { join } from "node:path";
import { TAR_BLOCK_BYTES } from "../../src/formats/tar/header.ts";
import { type LayoutLayer, type WrittenLayout, writeOciLayout } from "./oci-layout.ts";
import { paxHeader, paxRecord, type TarMember, tarArchive } from "./tar-fixtures.ts";
import { zstdChunkedLayer } from "./toc-layers.ts";

const directory = (path: string, more: Partial<TarMember> = {}): TarMember => ({
	path,
	type: "directory",
	mode: 0o755,
	...more,
});
const text = (path: string, content: string, more: Partial<TarMember> = {}): TarMember => ({
	path,
	content: Buffer.from(content),
	...more,
});

/** Owners, times, links, attributes of all kinds, in the form of podman's own layers. */
export const LOWER_LAYER = tarArchive([
	directory("./", { mode: 0o555 }),
	directory("./etc"),
	directory("./marked", { xattrs: new Map([["user.of", Buffer.from("a directory")]]) }),
	text("./etc/shared", "shared".repeat(50_000), {
		xattrs: new Map([["security.capability", Buffer.from("0100000200200000000000000000000000000000", "hex")]]),
	}),
	{ path: "./etc/hard", type: "hard-link", linkTarget: "./etc/shared" },
	directory("./var", { mtime: { seconds: 1_500_000_000, nanoseconds: 0 } }),
	directory("./var/some", { mode: 0o700, uid: 7, gid: 8 }),
	text("./var/some/gone", "gone"),
	text("./var/some/kept", "kept"),
	text("./var/program", "#!", { mode: 0o4755, uid: 1000, gid: 1000 }),
	directory("./opaque", { mode: 0o711 }),
	text("./opaque/hidden", "hidden"),
	{ path: "./null", type: "character-device", major: 1, minor: 3, mode: 0o666 },
	text("./caf\xe9", "in Latin-1"),
	{ path: "./link", type: "symlink", linkTarget: "etc" },
]);

/** Whiteouts of all kinds, some in directories that the layer has no entry for. */
export const UPPER_LAYER = tarArchive([
	text("var/some/.wh.gone", ""),
	text("var/.wh.program", ""),
	directory("opaque", { mode: 0o711 }),
	text("opaque/.wh..wh..opq", ""),
	text("opaque/shown", "shown"),
	text(".wh.link", ""),
	text("etc/own", "own"),
]);

const SPARSE = Buffer.concat([Buffer.alloc(4096, "a"), Buffer.alloc(1 << 20), Buffer.alloc(5000, "b")]);

/** What no tar-split of containers/storage could make again, and what leads out of the layer or nowhere. */
const ODD_LAYER = tarArchive([
	text("../../escaped", "escaped"),
	text("/absolute", "absolute"),
	text("twice", "the first"),
	text("twice", "the second"),
	{ path: "sparse", content: SPARSE, sparse: "pax-1.0" },
	{ path: "old-sparse", content: SPARSE, sparse: "gnu" },
	directory("usr"),
	{ path: "lib", type: "symlink", linkTarget: "/usr" },
	text("lib/through", "through a link"),
	text("of/nothing/.wh.all", ""),
	text("foo", "foo"),
	text(".wh.foo", ""),
	text("foo/.wh.below", ""),
	text(".wh.not-empty", "a whiteout with a content"),
	text("x".repeat(200), "a long name", { xattrs: new Map([["user.large", Buffer.alloc(60_000, 1)]]) }),
]);

const GLOBAL_HEADER = paxHeader([paxRecord("comment", "of a commit")], "g");
const FOREIGN_LAYER = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip";
const EMPTY_LAYER = Buffer.alloc(2 * TAR_BLOCK_BYTES);

/** Layers of all kinds of blobs, empty ones, the same ones twice, what archives hold beyond files, and `more` small ones. */
export function writeCrowdedPayload(into: string, name: string, more: number): WrittenLayout {
	const upper: LayoutLayer = { tar: UPPER_LAYER, compression: "zstd" };
	const chunked = zstdChunkedLayer([directory("chunked"), text("chunked/file", "in chunks".repeat(9000))]);
	const garbage = Buffer.concat([GLOBAL_HEADER, tarArchive([text("etc/behind", "x")]), Buffer.alloc(5000, 7)]);
	const layers: LayoutLayer[] = [
		{ tar: LOWER_LAYER, compression: "gzip" },
		{ tar: EMPTY_LAYER, compression: "gzip" },
		{ tar: Buffer.alloc(0), compression: "gzip" },
		upper,
		{ tar: EMPTY_LAYER, compression: "gzip" },
		{ tar: garbage, compression: "none" },
		{ tar: tarArchive([text("foreign", "f")]), compression: "gzip", mediaType: FOREIGN_LAYER },
		{ tar: chunked.tar, compression: "zstd", blob: chunked.blob, annotations: chunked.annotations },
		// what it hides is there again
		{ tar: LOWER_LAYER, compression: "none" },
		upper,
	];
	for (let i = 0; i < more; i++) {
		const tar = tarArchive([
			directory("many"),
			text(`many/${i}`, String(i)),
			{ path: `many/again-${i}`, type: "hard-link", linkTarget: `many/${i}` },
			text("many/last", String(i), { xattrs: new Map([["user.number", Buffer.from(String(i))]]) }),
			...(i % 10 === 9 ? [text(`many/.wh.${i - 5}`, "")] : []),
		]);
		layers.push({ tar, compression: i % 2 === 0 ? "gzip" : "none" });
	}
	return writeOciLayout(join(into, name), { layers, tag: "v1" });
}

export interface StoragePayloads {
	readonly plain: WrittenLayout;
	readonly odd: WrittenLayout;
}

/** Two images with a layer in common. */
export function writeStoragePayloads(into: string): StoragePayloads {
	const write = (name: string, upper: Buffer): WrittenLayout =>
		writeOciLayout(join(into, name), {
			layers: [
				{ tar: LOWER_LAYER, compression: "gzip" },
				{ tar: upper, compression: "none" },
			],
			tag: "v1",
		});
	return { plain: write("plain", UPPER_LAYER), odd: write("odd", ODD_LAYER) };
}
