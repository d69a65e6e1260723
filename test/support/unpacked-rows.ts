import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { type ByteString, byteStringOf, bytesOf } from "../../src/binary/byte-string.ts";
import type { Layers, Row } from "../unit/tree/layers.ts";
import { writeOciLayout } from "./oci-layout.ts";
import { tarArchive } from "./tar-fixtures.ts";

/** Layers that umoci unpacks onto a disk, and what lies there. Needs `umoci`, `getfattr` and root. */

const MASK_TYPE = 0o170000n;
const TYPES = new Map<bigint, string>([
	[0o040000n, "directory"],
	[0o100000n, "file"],
	[0o120000n, "symlink"],
	[0o060000n, "block-device"],
	[0o020000n, "character-device"],
	[0o010000n, "fifo"],
	[0o140000n, "socket"],
]);

/** umoci leaves the time of day on directories it makes or empties by the way; we give those a fixed time. */
export const NOW = "the time of day";

const startSeconds = Math.floor(Date.now() / 1000);
/** Longer contents are shown by their digest. */
const MAX_SHOWN_BYTES = 200;

/** Unpacks the layers into `root`, which must not exist; `image` is where their layout lies meanwhile. Returns why umoci refuses, if it does. */
export function unpackLayers(layers: Layers, image: string, root: string): string | undefined {
	mkdirSync(image);
	try {
		writeOciLayout(image, { layers: layers.map((members) => ({ tar: tarArchive(members), compression: "none" })) });
		const { status, stderr } = spawnSync("umoci", ["raw", "unpack", "--image", `${image}:latest`, root]);
		return status === 0 ? undefined : `umoci ended with ${status}: ${stderr.toString()}`;
	} finally {
		rmSync(image, { recursive: true, force: true });
	}
}

/** Everything below `root` as the kernel shows it, with `NOW` for directories that have the time of day. */
export function diskRows(root: string): Map<ByteString, Row> {
	const xattrs = readXattrs(root);
	const firstNames = new Map<bigint, ByteString>();
	const rows = new Map<ByteString, Row>();
	const visit = (path: ByteString): void => {
		const real = Buffer.concat([Buffer.from(`${root}/`), bytesOf(path)]);
		const stat = lstatSync(real, { bigint: true });
		const type = TYPES.get(stat.mode & MASK_TYPE) ?? "unknown";
		const seconds = stat.mtimeNs >= 0n ? stat.mtimeNs / 10n ** 9n : (stat.mtimeNs - 10n ** 9n + 1n) / 10n ** 9n;
		const isNow = type === "directory" && seconds >= startSeconds - 2 && seconds <= startSeconds + 3600;
		const sameAs = type === "directory" ? undefined : firstNames.get(stat.ino);
		if (sameAs === undefined) firstNames.set(stat.ino, path);
		rows.set(path, {
			type,
			mode: Number(stat.mode & 0o7777n),
			owner: `${stat.uid}:${stat.gid}`,
			mtime: isNow ? NOW : `${seconds}.${stat.mtimeNs - seconds * 10n ** 9n}`,
			detail: detail(type, real, stat.rdev),
			xattrs: xattrs.get(path) ?? "",
			sameAs,
		});
		if (type !== "directory") return;
		const names = readdirSync(real, { encoding: "buffer" }).map((name) => byteStringOf(name));
		for (const name of names.sort()) visit(path === "" ? name : `${path}/${name}`);
	};
	visit("");
	return rows;
}

function detail(type: string, real: Buffer, rdev: bigint): string {
	if (type === "file") return contentDetail(readFileSync(real));
	if (type === "symlink") return `-> ${readlinkSync(real, { encoding: "latin1" })}`;
	if (!type.endsWith("device")) return "";
	// Linux's dev_t as stat shows it: 12 bits of major and 20 of minor, interleaved.
	const major = (rdev >> 8n) & 0xfffn;
	const minor = (rdev & 0xffn) | ((rdev >> 12n) & 0xfff00n);
	return `${major}, ${minor}`;
}

/** A file's content as `diskRows` shows it. */
export function contentDetail(content: Uint8Array): string {
	const bytes = Buffer.from(content.buffer, content.byteOffset, content.byteLength);
	if (bytes.byteLength <= MAX_SHOWN_BYTES) return bytes.toString("latin1");
	return `${bytes.byteLength} bytes, sha256 ${createHash("sha256").update(bytes).digest("hex")}`;
}

function readXattrs(root: string): Map<ByteString, string> {
	const text = execFileSync("getfattr", ["-R", "-P", "-h", "-d", "-m", "-", "-e", "hex", "."], {
		cwd: root,
		encoding: "latin1",
		maxBuffer: 2 ** 26,
	});
	const result = new Map<ByteString, string>();
	for (const block of text.split("\n\n").filter((part) => part.startsWith("# file: "))) {
		const [first = "", ...lines] = block.split("\n");
		const path = first
			.slice("# file: ".length)
			.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
		const attributes = lines.filter((line) => line !== "").map((line) => line.replace("=0x", "="));
		result.set(path === "." ? "" : path, attributes.sort().join(" "));
	}
	return result;
}
