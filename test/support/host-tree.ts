import { createReadStream } from "node:fs";
import { lstat, readdir, readlink } from "node:fs/promises";
import { join } from "node:path";
import { run } from "./run.ts";
import { sha256OfChunks } from "./trees.ts";

/** One name of a directory tree as the kernel shows it. */
export interface HostEntry {
	readonly type: "directory" | "file" | "symlink" | "block-device" | "character-device" | "fifo" | "socket";
	/** Octal. */
	readonly mode: string;
	readonly owner: string;
	/** Whole seconds: what squashfs keeps. */
	readonly mtimeSeconds: number;
	/** Files: length and SHA-256. Links: the target. Devices: major,minor. */
	readonly content: string;
	/** The first path, in byte order, of the hard-link group; "" for a single link. */
	readonly group: string;
	/** `name=0xhex`, sorted. */
	readonly xattrs: readonly string[];
}

const TYPES: readonly [mask: number, type: HostEntry["type"]][] = [
	[0o040000, "directory"],
	[0o100000, "file"],
	[0o120000, "symlink"],
	[0o060000, "block-device"],
	[0o020000, "character-device"],
	[0o010000, "fifo"],
	[0o140000, "socket"],
];

/** Everything below `root` by path without leading slash ("" is the root), names as latin1 byte strings. Needs `getfattr`. */
export async function hostTree(root: string): Promise<Map<string, HostEntry>> {
	const xattrs = await allXattrs(root);
	const inodes = new Map<string, string>();
	const tree = new Map<string, HostEntry>();
	const visit = async (path: string): Promise<void> => {
		const full = Buffer.from(`${root}${path === "" ? "" : `/${path}`}`, "latin1");
		const stat = await lstat(full);
		const type = TYPES.find(([mask]) => (stat.mode & 0o170000) === mask)?.[1] ?? "file";
		const inode = `${stat.dev}:${stat.ino}`;
		const isLinked = type !== "directory" && stat.nlink > 1;
		if (isLinked && !inodes.has(inode)) inodes.set(inode, path);
		tree.set(path, {
			type,
			mode: (stat.mode & 0o7777).toString(8),
			owner: `${stat.uid}:${stat.gid}`,
			mtimeSeconds: Math.floor(stat.mtimeMs / 1000),
			content: await contentOf(full, type, stat.size, stat.rdev),
			group: isLinked ? (inodes.get(inode) ?? "") : "",
			xattrs: xattrs.get(path) ?? [],
		});
		if (type !== "directory") return;
		const names = (await readdir(full, { encoding: "buffer" })).map((name) => name.toString("latin1")).sort();
		for (const name of names) await visit(path === "" ? name : `${path}/${name}`);
	};
	await visit("");
	return tree;
}

async function contentOf(path: Buffer, type: HostEntry["type"], size: number, rdev: number): Promise<string> {
	if (type === "file") return `${size} ${await sha256Of(path)}`;
	if (type === "symlink") return (await readlink(path, { encoding: "buffer" })).toString("latin1");
	return type === "block-device" || type === "character-device" ? `${rdev}` : "";
}

export async function sha256Of(path: string | Buffer): Promise<string> {
	return sha256OfChunks(createReadStream(path, { highWaterMark: 1024 * 1024 }));
}

/** `getfattr` prints a header with the path (octal escapes for odd bytes), then one line per attribute. */
async function allXattrs(root: string): Promise<Map<string, string[]>> {
	const text = await run("getfattr", ["-R", "-P", "-h", "-d", "-m", "-", "-e", "hex", "--absolute-names", join(root)]);
	const found = new Map<string, string[]>();
	let current: string[] = [];
	for (const line of text.split("\n")) {
		if (line.startsWith("# file: ")) {
			const path = Buffer.from(line.slice("# file: ".length), "utf8")
				.toString("latin1")
				.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
			current = [];
			found.set(path.slice(root.length).replace(/^\//, ""), current);
		} else if (line !== "") current.push(line);
	}
	for (const list of found.values()) list.sort();
	return found;
}
