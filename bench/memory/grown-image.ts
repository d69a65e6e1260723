import { createHash } from "node:crypto";
import { createReadStream, createWriteStream, renameSync } from "node:fs";
import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip, createGzip } from "node:zlib";
import { extract, type Header, type Pack, pack } from "tar-stream";
import { copyLayout, type Descriptor, GZIP_LAYER } from "../layout-copy.ts";

const WHITEOUT = /(^|\/)\.wh\.[^/]*$/;
const KINDS: readonly Header["type"][] = ["file", "directory", "symlink", "link"];

/** A member's content, which has to be read or passed over. */
type Body = AsyncIterable<unknown> & { resume(): unknown };

/**
 * Copies a layout, with every gzip layer of the image once more for each of `copies`, below a directory of its own. The files are other files, which
 * compress as well: each of a file's bytes is changed in the same way.
 */
export async function growImage(layout: string, copy: string, copies: number): Promise<void> {
	const image = copyLayout(layout, copy);
	for (let number = 1; number <= copies; number++) {
		for (const layer of image.layers) {
			if (layer.mediaType !== GZIP_LAYER) continue;
			const { blob, diffId } = await changedLayer(layer, number, image.blobPath);
			image.addLayer(blob, diffId);
		}
	}
	image.save();
}

async function changedLayer(
	layer: Descriptor,
	number: number,
	blobPath: (digest: string) => string,
): Promise<{ readonly blob: { readonly digest: string; readonly size: number }; readonly diffId: string }> {
	const temporary = `${blobPath(layer.digest)}.changed`;
	const [tar, blob] = [hashing(), hashing()];
	const changed = pack();
	const writing = pipeline(changed, tar.stream, createGzip({ level: 1 }), blob.stream, createWriteStream(temporary));
	const entries = extract();
	const reading = pipeline(createReadStream(blobPath(layer.digest)), createGunzip(), entries);
	for await (const entry of entries) await addChanged(entry.header, entry, changed, number);
	await reading;
	changed.finalize();
	await writing;
	const digest = blob.digest();
	renameSync(temporary, blobPath(digest));
	return { blob: { digest, size: blob.byteLength() }, diffId: tar.digest() };
}

async function addChanged(header: Header, body: Body, changed: Pack, number: number): Promise<void> {
	if (WHITEOUT.test(header.name) || !KINDS.includes(header.type)) {
		body.resume();
		return;
	}
	const below = (path: string): string => `copy-${number}/${path.replace(/^(\.?\/)+/, "")}`;
	const { type, mode, uid, gid, size, mtime, linkname } = header;
	const target = linkname ? { linkname: type === "link" ? below(linkname) : linkname } : {};
	const renamed: Parameters<Pack["entry"]>[0] = { name: below(header.name), type, mode, uid, gid, mtime, ...target };
	if (type !== "file") {
		body.resume();
		changed.entry(renamed);
		return;
	}
	await pipeline(body, byteChanger(number), changed.entry({ ...renamed, size }));
}

/** Changes every byte to another, and different ones to different ones. */
function byteChanger(number: number): Transform {
	const mask = (0x15 * number) & 0xff;
	return new Transform({
		transform(chunk: Buffer, _encoding, done) {
			const bytes = Buffer.from(chunk);
			for (let i = 0; i < bytes.byteLength; i++) bytes[i] = (bytes[i] ?? 0) ^ mask;
			done(null, bytes);
		},
	});
}

function hashing(): { readonly stream: Transform; digest(): string; byteLength(): number } {
	const hash = createHash("sha256");
	let byteLength = 0;
	const stream = new Transform({
		transform(chunk: Buffer, _encoding, done) {
			hash.update(chunk);
			byteLength += chunk.byteLength;
			done(null, chunk);
		},
	});
	return { stream, digest: () => `sha256:${hash.digest("hex")}`, byteLength: () => byteLength };
}
