import { execFileSync } from "node:child_process";
import { existsSync, lstatSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type ByteString, byteStringOf } from "../../src/binary/byte-string.ts";
import { Oci2isoError } from "../../src/errors.ts";
import type { ImageTree } from "../../src/tree/image-tree.ts";
import type { DirectoryInode, FileInode, Inode, InodeAttributes } from "../../src/tree/inode.ts";
import { createLookup } from "../../src/tree/lookup.ts";

/** A tree for tests whose files are bytes in memory or files of this host. */
export class SmallRoot implements ImageTree {
	readonly root: DirectoryInode = directory();
	readonly lookup = createLookup(this.root);
	readonly #contents: (Uint8Array | string)[] = [];

	/** Adds a file with its parents. */
	file(path: ByteString, content: Uint8Array | string, mode = 0o755): this {
		const bytes = typeof content === "string" ? Buffer.from(content) : content;
		return this.#put(path, this.#fileInode(bytes, bytes.byteLength, mode));
	}

	symlink(path: ByteString, target: ByteString): this {
		return this.#put(path, { ...attributes(0o777), type: "symlink", target });
	}

	directory(path: ByteString): this {
		this.#directoryAt(path);
		return this;
	}

	/** Mirrors host paths at the same place, symbolic links (also in their parents) as links with what they lead to. */
	host(...paths: readonly string[]): this {
		for (const path of paths) this.#copyHost(path, 40);
		return this;
	}

	read(file: FileInode, maxBytes: number): Promise<Uint8Array> {
		const content = this.#contents[file.entry] ?? new Uint8Array();
		const whole = typeof content === "string" ? readFileSync(content) : content;
		const bytes = file.part === undefined ? whole : whole.subarray(file.part.offset).subarray(0, file.byteLength);
		if (bytes.byteLength > maxBytes)
			return Promise.reject(new Oci2isoError({ code: "FILE_TOO_LARGE", kind: "corrupt", what: "file too large" }));
		return Promise.resolve(bytes);
	}

	async *stream(file: FileInode): AsyncIterable<Uint8Array> {
		yield await this.read(file, Number.POSITIVE_INFINITY);
	}

	#copyHost(path: string, linksLeft: number): void {
		let prefix = "";
		const components = path.split("/").filter((part) => part !== "");
		for (const [index, component] of components.entries()) {
			prefix = `${prefix}/${component}`;
			const status = lstatSync(prefix);
			if (status.isSymbolicLink()) {
				const target = readlinkSync(prefix);
				const absolute = target.startsWith("/") ? target : `${prefix.slice(0, prefix.lastIndexOf("/"))}/${target}`;
				const entry = byteStringOf(Buffer.from(prefix));
				if (this.lookup(entry, { followLast: false }) === undefined)
					this.symlink(entry, byteStringOf(Buffer.from(target)));
				if (linksLeft > 0) this.#copyHost([absolute, ...components.slice(index + 1)].join("/"), linksLeft - 1);
				return;
			}
			if (status.isDirectory() && index === components.length - 1) {
				this.directory(prefix);
				for (const name of readdirSync(prefix)) this.#copyHost(`${prefix}/${name}`, linksLeft);
			} else if (status.isFile()) {
				this.#put(byteStringOf(Buffer.from(prefix)), this.#fileInode(prefix, status.size, status.mode & 0o7777));
			}
		}
	}

	#fileInode(content: Uint8Array | string, byteLength: number, mode: number): FileInode {
		return {
			...attributes(mode),
			type: "file",
			byteLength,
			layer: 0,
			entry: this.#contents.push(content) - 1,
		};
	}

	#put(path: ByteString, inode: Inode): this {
		const cut = path.lastIndexOf("/");
		this.#directoryAt(path.slice(0, cut)).entries.set(path.slice(cut + 1), inode);
		return this;
	}

	#directoryAt(path: ByteString): DirectoryInode {
		let here = this.root;
		let prefix = "";
		for (const name of path.split("/").filter((part) => part !== "" && part !== ".")) {
			prefix = `${prefix}/${name}`;
			const child = this.lookup(prefix)?.inode ?? directory();
			if (child.type !== "directory") throw new Error(`${prefix} is not a directory`);
			if (this.lookup(prefix) === undefined) here.entries.set(name, child);
			here = child;
		}
		return here;
	}
}

function directory(): DirectoryInode {
	return { ...attributes(0o755), type: "directory", entries: new Map() };
}

function attributes(mode: number): InodeAttributes {
	return { mode, uid: 0, gid: 0, mtime: { seconds: 0, nanoseconds: 0 }, xattrs: new Map() };
}

/** Compiles the launcher from its sources into `directory`, as the package's build does; returns its path. */
export function compileLauncher(directory: string): string {
	const sources = fileURLToPath(new URL("../../native/confine/", import.meta.url));
	const launcher = join(directory, "oci2iso_confine");
	const files = readdirSync(sources).filter((name) => name.endsWith(".c"));
	const args = ["-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", "-o", launcher, ...files];
	execFileSync("cc", args, { cwd: sources, stdio: "inherit" });
	return launcher;
}

/** A root with one executable of this host and its libraries. */
export function hostToolRoot(path: string): SmallRoot {
	const libraries = execFileSync("ldd", [path])
		.toString()
		.matchAll(/(?:=> |^\s*)(\/\S+) \(/gm);
	const root = new SmallRoot().host(path, ...[...libraries].map(([, library = ""]) => library));
	for (const configuration of ["/etc/ld.so.conf", "/etc/ld.so.conf.d"].filter(existsSync)) root.host(configuration);
	return root;
}
