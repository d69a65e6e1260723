import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ByteString } from "../../src/binary/byte-string.ts";
import { type ReadMember, readTar, type TarMember, tarArchive } from "./tar-fixtures.ts";

const REPOSITORY = "sysroot/ostree/repo";
const REFS = ["/refs", "/refs/heads", "/refs/mirrors", "/refs/remotes"];
const CONFIG = "[core]\nrepo_version=1\nmode=bare-split-xattrs\n";

interface CommittedFile {
	readonly path: ByteString;
	readonly checksum: string;
	/** Owner and mode as ostree has them. */
	readonly attributes: Pick<TarMember, "mode" | "uid" | "gid">;
	readonly member: ReadMember;
}

/**
 * Commits an archive to a repository in `work` with ostree, and gives the layers, bottom first, that `ostree container encapsulate` makes of a commit: directories and
 * the commit's own objects in the first, files by content in `chunkCount` others, each in the repository, with its attributes in a file beside it and its path a hard link to
 * it. What the archive has in usr/etc is in etc.
 */
export function encapsulated(archive: Uint8Array, work: string, chunkCount: number): Buffer[] {
	mkdirSync(work);
	const repository = join(work, "repository");
	const ostree = (...args: string[]): string =>
		execFileSync("ostree", [`--repo=${repository}`, ...args], { encoding: "latin1", maxBuffer: 2 ** 28 });
	writeFileSync(join(work, "tree.tar"), archive);
	ostree("init", "--mode=archive");
	ostree("commit", "--branch=live", "--tar-autocreate-parents", `--tree=tar=${join(work, "tree.tar")}`);

	const members = new Map(readTar(archive).map((member) => [cleaned(member.path), member]));
	const objects: TarMember[] = [];
	for (const place of readdirSync(join(repository, "objects")))
		for (const name of readdirSync(join(repository, "objects", place)))
			if (!name.endsWith(".filez"))
				objects.push({
					path: `${REPOSITORY}/objects/${place}/${name}`,
					content: readFileSync(join(repository, "objects", place, name)),
				});
	const directories: TarMember[] = [];
	const files = new Map<string, CommittedFile[]>();
	for (const line of ostree("ls", "-R", "-C", "live").split("\n")) {
		const [, type, mode = "", uid, gid, checksum = "", path = ""] =
			/^([-dl])(\d+) (\d+) (\d+) +\d+ ([0-9a-f]{64})(?: [0-9a-f]{64})? \/(.*)$/.exec(line) ?? [];
		if (type === undefined) continue;
		const attributes = { mode: Number.parseInt(mode, 8), uid: Number(uid), gid: Number(gid) };
		if (type === "d") {
			if (path !== "sysroot") directories.push({ type: "directory", path: `${mapped(path)}/`, ...attributes });
			continue;
		}
		const name = type === "l" ? path.slice(0, path.indexOf(" -> ")) : path;
		const own = members.get(name);
		const member = own?.type === "hard-link" ? members.get(cleaned(own.linkTarget)) : own;
		if (member === undefined) throw new Error(`ostree made up ${name}`);
		files.set(checksum, [...(files.get(checksum) ?? []), { path: name, checksum, attributes, member }]);
	}
	const [root, ...below] = directories;
	const structure = repositoryStructure();
	const first = tarArchive([
		...(root === undefined ? [] : [{ ...root, path: "./" }]),
		...structure,
		...objects,
		...below,
		{ type: "directory", path: "var/tmp/", mode: 0o1777 },
	]);
	const chunks = Array.from({ length: chunkCount }, (): TarMember[] => [...structure]);
	for (const [i, group] of [...files.values()].entries()) chunks[i % chunkCount]?.push(...objectMembers(group));
	return [first, ...chunks.map((chunk) => tarArchive(withoutRepeats(chunk)))];
}

function repositoryStructure(): TarMember[] {
	const hex = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, "0"));
	const below = ["", "/objects", ...hex.map((place) => `/objects/${place}`), "/extensions", ...REFS];
	const paths = ["sysroot", "sysroot/ostree", ...[...below, "/state", "/tmp"].map((path) => REPOSITORY + path)];
	return [
		...paths.map((path): TarMember => ({ type: "directory", path: `${path}/`, mode: 0o755 })),
		{ path: `${REPOSITORY}/config`, content: Buffer.from(CONFIG) },
	];
}

/** The attributes, the object, and a hard link to it for each path; empty files are none. */
function objectMembers(group: readonly CommittedFile[]): TarMember[] {
	const [file] = group;
	if (file === undefined) return [];
	const { checksum, attributes, member } = file;
	const { linkTarget, content, xattrs } = member;
	const type = member.type === "symlink" ? "symlink" : "file";
	const attributesOf = xattrsVariant(xattrs);
	const shared = objectPath(createHash("sha256").update(attributesOf).digest("hex"), "file-xattrs");
	const object = objectPath(checksum, "file");
	const body = { type, linkTarget, content, ...attributes } as const;
	return [
		{ path: shared, content: attributesOf },
		{ type: "hard-link", path: objectPath(checksum, "file-xattrs-link"), linkTarget: shared },
		{ ...body, path: object, xattrs },
		...group.map(({ path }): TarMember => {
			if (type === "file" && content.byteLength === 0) return { ...body, path: mapped(path) };
			return { type: "hard-link", path: mapped(path), linkTarget: object, ...attributes };
		}),
	];
}

function objectPath(checksum: string, type: string): string {
	return `${REPOSITORY}/objects/${checksum.slice(0, 2)}/${checksum.slice(2)}.${type}`;
}

/** Extended attributes that many files have are in a layer once. */
function withoutRepeats(members: readonly TarMember[]): TarMember[] {
	const seen = new Set<string>();
	return members.filter(({ path }) => !seen.has(path) && seen.add(path));
}

function cleaned(path: ByteString): ByteString {
	return path.replace(/^(\.?\/)+|\/+$/g, "");
}

function mapped(path: ByteString): ByteString {
	return path === "usr/etc" || path.startsWith("usr/etc/") ? path.slice("usr/".length) : path;
}

/** GVariant's `a(ayay)`: names with their zero byte, and values, in the order of names. */
function xattrsVariant(xattrs: ReadMember["xattrs"]): Buffer {
	const pairs = [...xattrs].sort(([a], [b]) => (a < b ? -1 : 1));
	const items = pairs.map(([name, value]) => {
		const first = Buffer.from(`${name}\0`, "latin1");
		return framed([first, Buffer.from(value)], [first.byteLength]);
	});
	let end = 0;
	return framed(
		items,
		items.map(({ byteLength }) => (end += byteLength)),
	);
}

/** With the ends of parts after them, in as few bytes as the whole allows. */
function framed(parts: readonly Buffer[], ends: readonly number[]): Buffer {
	const body = Buffer.concat(parts);
	const width = body.byteLength + ends.length < 2 ** 8 ? 1 : body.byteLength + 2 * ends.length < 2 ** 16 ? 2 : 4;
	const offsets = ends.map((at) => {
		const bytes = Buffer.alloc(width);
		bytes.writeUIntLE(at, 0, width);
		return bytes;
	});
	return Buffer.concat([body, ...offsets]);
}
