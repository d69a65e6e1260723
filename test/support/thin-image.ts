import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { decompress } from "fzstd";
import type { Digest } from "../../src/oci/digest.ts";
import { debianFixture, withLock } from "./fixture.ts";
import { type BlobDescriptor, blobPath, OCI_MEDIA_TYPES, writeOciLayout } from "./oci-layout.ts";

const BLOCK_BYTES = 512;
/** What a boot takes from the image or what is looked into before one, and the image's own tools that can be asked for. */
const KEPT = new RegExp(
	`^(\\./)?(${[
		"boot/|usr/lib/(grub|shim|efi|modules/[^/]+/[^/]+$)|usr/share/grub/",
		"usr/bin/(grub-mkimage|implantisomd5)$",
		"(usr/)?lib(64)?/([^/]+-linux-gnu/)?(ld-linux|lib(c|m|lzma|devmapper|pcre2-8|popt|selinux|udev)[.-])",
	].join("|")})`,
);
const KEPT_BYTES = 16 << 10;

/**
 * The real image as a layout directory, with the large files that no boot takes from it empty and nothing compressed: a fifth of the bytes, for tests
 * of how it boots. Every path, mode, owner, time and attribute is there. Made once for all files of tests, which must not change it.
 */
export async function thinImage(): Promise<string> {
	const base = await debianFixture();
	const directory = `${base}-thin`;
	const madeOf = join(directory, "made-of");
	const index = `${readFileSync(join(base, "index.json"), "utf8")}${KEPT}`;
	return withLock(`${directory}.lock`, async () => {
		if (existsSync(madeOf) && readFileSync(madeOf, "utf8") === index) return directory;
		rmSync(directory, { recursive: true, force: true });
		mkdirSync(directory);
		writeThinImage(base, directory);
		writeFileSync(madeOf, index);
		return directory;
	});
}

function writeThinImage(base: string, directory: string): void {
	const json = (digest: Digest) => JSON.parse(readFileSync(blobPath(base, digest), "utf8"));
	const index = JSON.parse(readFileSync(`${base}/index.json`, "utf8"));
	const { layers } = json(index.manifests[0].digest) as { layers: BlobDescriptor[] };
	const tars = layers.map(({ digest, mediaType }) => thin(archiveOf(readFileSync(blobPath(base, digest)), mediaType)));
	writeOciLayout(directory, { layers: tars.map((tar) => ({ tar, compression: "none" })) });
}

function archiveOf(blob: Buffer, mediaType: string): Uint8Array {
	if (mediaType === OCI_MEDIA_TYPES.layer.none) return blob;
	return mediaType === OCI_MEDIA_TYPES.layer.gzip ? gunzipSync(blob) : decompress(blob);
}

/** Header by header, without those contents. Sparse files stay. */
function thin(archive: Uint8Array): Buffer {
	const tar = Buffer.from(archive.buffer, archive.byteOffset, archive.byteLength);
	const kept: Buffer[] = [];
	let isSparse = false;
	for (let at = 0; at + BLOCK_BYTES <= tar.byteLength; ) {
		const header = Buffer.from(tar.subarray(at, at + BLOCK_BYTES));
		const text = (start: number, length: number) =>
			header.toString("latin1", start, start + length).split("\0")[0] ?? "";
		const byteLength = Number.parseInt(text(124, 12).trim() || "0", 8);
		const content = tar.subarray(at + BLOCK_BYTES, at + BLOCK_BYTES * (1 + Math.ceil(byteLength / BLOCK_BYTES)));
		at += BLOCK_BYTES + content.byteLength;
		const type = text(156, 1);
		const path = text(345, 155) === "" ? text(0, 100) : `${text(345, 155)}/${text(0, 100)}`;
		const isDropped = (type === "0" || type === "") && byteLength > KEPT_BYTES && !KEPT.test(path) && !isSparse;
		isSparse = type === "x" && content.includes("GNU.sparse");
		if (isDropped) {
			header.write("00000000000\0", 124, "latin1");
			header.fill(" ", 148, 156);
			const sum = header.reduce((total, byte) => total + byte, 0);
			header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
		}
		kept.push(header, ...(isDropped ? [] : [content]));
	}
	return Buffer.concat(kept);
}
