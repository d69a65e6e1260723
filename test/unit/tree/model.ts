import type { ByteString } from "../../../src/binary/byte-string.ts";
import type { TarEntry } from "../../../src/formats/tar/entry.ts";
import { readTar, tarArchive } from "../../support/tar-fixtures.ts";
import { type Layers, type Row, xattrsText } from "./layers.ts";

/** One inode of the model: compared by identity for hard links. */
interface Node {
	row: Row;
	target: string | undefined;
}

/** The model refuses a layer; the reason is for people only. */
export class ModelError extends Error {}

/**
 * The merge in its plainest form: layers from the bottom, entry by entry, on a flat table from path to inode. It shares nothing with
 * the code under test, is slow, and follows the behaviour of unpacking onto a file system step by step.
 */
export class ModelTree {
	readonly nodes = new Map<string, Node>([["", directory(0o755, "0:0", "0.0", "")]]);
	#upper = new Set<string>();
	/** Made by entries of this layer. */
	#own = new Set<Node>();
	/** Something of a lower layer gave way to a directory, where umoci refuses the layer or follows a link to nowhere. */
	isUnlikeUmoci = false;

	/** Begins the next layer. */
	nextLayer(): void {
		this.#upper = new Set();
		this.#own = new Set();
	}

	/** Applies one entry or throws `ModelError`; after that the model may have changed. */
	apply(entry: TarEntry, layer: number): void {
		const path = clean(entry.path);
		if (path === "") {
			if (entry.type !== "directory") throw new ModelError("root");
			this.#setAttributes(this.#get(""), entry);
			return;
		}
		const name = path.slice(path.lastIndexOf("/") + 1);
		if (name.startsWith(".wh.")) {
			const place = this.#whiteoutPlace(dirname(path));
			if (place !== undefined) this.#whiteout(place, name);
			return;
		}
		const parent = this.#entryParent(dirname(path));
		this.#makeParents(parent);
		const real = join(parent, name);
		const old = this.nodes.get(real);
		if (!(old?.row.type === "directory" && entry.type === "directory")) {
			this.#removeAll(real);
			this.#create(real, entry, layer);
		} else this.#setAttributes(old, entry);
		for (let p = real; p !== ""; p = dirname(p)) this.#upper.add(p);
	}

	/** Rows as `rowsOf` gives them. */
	rows(): Map<ByteString, Row> {
		const first = new Map<Node, string>();
		const ordered = [...this.nodes.keys()].sort((a, b) => compareByComponents(a, b));
		return new Map(
			ordered.map((path) => {
				const node = this.#get(path);
				const sameAs = first.get(node);
				if (sameAs === undefined) first.set(node, path);
				return [path, { ...node.row, sameAs }];
			}),
		);
	}

	#create(real: string, entry: TarEntry, layer: number): void {
		if (entry.type === "hard-link") {
			const target = clean(entry.linkTarget);
			const targetPath =
				target === "" ? "" : join(this.#secureJoin(dirname(target)), target.slice(target.lastIndexOf("/") + 1));
			const node = this.nodes.get(targetPath);
			if (node === undefined || node.row.type === "directory") throw new ModelError(`hard link to ${targetPath}`);
			this.nodes.set(real, node);
			return;
		}
		const detail =
			entry.type === "file"
				? `body ${layer}:${entry.index}, ${entry.byteLength} bytes`
				: entry.type === "symlink"
					? `-> ${entry.linkTarget}`
					: entry.type.endsWith("device")
						? `${entry.major}, ${entry.minor}`
						: "";
		const node: Node = {
			row: { type: entry.type, mode: 0, owner: "", mtime: "", detail, xattrs: "", sameAs: undefined },
			target: entry.type === "symlink" ? entry.linkTarget : undefined,
		};
		this.#setAttributes(node, entry);
		this.nodes.set(real, node);
		this.#own.add(node);
	}

	#setAttributes(node: Node, entry: TarEntry): void {
		node.row.mode = node.target === undefined ? entry.mode : 0o777;
		node.row.owner = `${entry.uid}:${entry.gid}`;
		node.row.mtime = `${entry.mtime.seconds}.${entry.mtime.nanoseconds}`;
		node.row.xattrs = xattrsText(entry.xattrs);
	}

	#whiteout(parent: string, name: string): void {
		const isOpaque = name === ".wh..wh..opq";
		const target = isOpaque ? parent : join(parent, name.slice(4));
		for (const path of [...this.nodes.keys()]) {
			const isBelow = target === "" ? path !== "" : path.startsWith(`${target}/`);
			if ((isBelow || (path === target && !isOpaque)) && !this.#upper.has(path)) this.#removeAll(path);
		}
	}

	/** Where an entry goes, after what a lower layer has in its way was taken out of it. */
	#entryParent(path: string): string {
		let done = "";
		for (const part of path === "" ? [] : path.split("/")) {
			const candidate = join(done, part);
			const node = this.nodes.get(candidate);
			const real = node?.target === undefined ? candidate : this.#followed(candidate);
			const isDirectory = real !== undefined && this.nodes.get(real)?.row.type === "directory";
			if (node !== undefined && !isDirectory && !this.#own.has(node)) {
				this.#removeAll(candidate);
				this.#makeParents(candidate);
				this.isUnlikeUmoci = true;
				done = candidate;
			} else if (real === undefined) throw new ModelError("loop");
			else done = real;
		}
		return done;
	}

	#whiteoutPlace(path: string): string | undefined {
		let done = "";
		for (const part of path === "" ? [] : path.split("/")) {
			const candidate = join(done, part);
			const node = this.nodes.get(candidate);
			const real = node?.target === undefined ? candidate : this.#followed(candidate);
			if (real !== undefined) done = real;
			else if (node === undefined || this.#own.has(node)) throw new ModelError("loop");
			else {
				this.isUnlikeUmoci = true;
				return undefined;
			}
		}
		return done;
	}

	#followed(path: string): string | undefined {
		try {
			return this.#secureJoin(path);
		} catch (error) {
			if (error instanceof ModelError) return undefined;
			throw error;
		}
	}

	#makeParents(parent: string): void {
		const parts = parent === "" ? [] : parent.split("/");
		for (let i = 1; i <= parts.length; i++) {
			const path = parts.slice(0, i).join("/");
			const node = this.nodes.get(path);
			const above = this.#get(dirname(path)).row;
			const group = (above.mode & 0o2000) === 0 ? "0" : above.owner.replace(/.*:/, "");
			const mode = (above.mode & 0o2000) | 0o755;
			if (node === undefined) this.nodes.set(path, directory(mode, `0:${group}`, "0.0", ""));
			else if (node.row.type !== "directory") throw new ModelError(`${path} is no directory`);
		}
	}

	#removeAll(path: string): void {
		for (const other of [...this.nodes.keys()])
			if (other === path || other.startsWith(`${path}/`)) this.nodes.delete(other);
	}

	#secureJoin(unsafe: string): string {
		let rest = unsafe;
		let done = "";
		for (let links = 0; rest !== ""; ) {
			const slash = rest.indexOf("/");
			const part = slash === -1 ? rest : rest.slice(0, slash);
			rest = slash === -1 ? "" : rest.slice(slash + 1);
			const candidate = clean(`${done}/${part}`);
			const target = this.nodes.get(candidate)?.target;
			if (target === undefined || candidate === "") {
				done = candidate;
				continue;
			}
			if (++links > 255) throw new ModelError("loop");
			if (target.startsWith("/")) done = "";
			rest = `${target}/${rest}`;
		}
		return done;
	}

	#get(path: string): Node {
		const node = this.nodes.get(path);
		if (node === undefined) throw new Error(`model lost ${path}`);
		return node;
	}
}

/** The merge of whole layers, or undefined where the model refuses them. */
export function runModel(layers: readonly (readonly TarEntry[])[]): ModelTree | undefined {
	const model = new ModelTree();
	try {
		for (const [index, entries] of layers.entries()) {
			model.nextLayer();
			for (const entry of entries) model.apply(entry, index);
		}
	} catch (error) {
		if (error instanceof ModelError) return undefined;
		throw error;
	}
	return model;
}

/** The rows of the merged layers, or undefined where the model refuses them. */
export function modelRows(layers: readonly (readonly TarEntry[])[]): Map<ByteString, Row> | undefined {
	return runModel(layers)?.rows();
}

function directory(mode: number, owner: string, mtime: string, xattrs: string): Node {
	return { row: { type: "directory", mode, owner, mtime, detail: "", xattrs, sameAs: undefined }, target: undefined };
}

function clean(path: string): string {
	const parts: string[] = [];
	for (const part of path.split("/")) {
		if (part === "..") parts.pop();
		else if (part !== "" && part !== ".") parts.push(part);
	}
	return parts.join("/");
}

function dirname(path: string): string {
	return path.includes("/") ? path.slice(0, path.lastIndexOf("/")) : "";
}

function join(parent: string, name: string): string {
	return parent === "" ? name : `${parent}/${name}`;
}

function compareByComponents(a: string, b: string): number {
	const [x, y] = [a.split("/").join("\0"), b.split("/").join("\0")];
	return x < y ? -1 : x > y ? 1 : 0;
}

/** The layers without the members that cannot be applied where they stand, and without those that `isWanted` refuses then. */
export function applicableLayers(layers: Layers, isWanted: (model: ModelTree) => boolean = () => true): Layers {
	const entries: TarEntry[][] = [];
	return layers.map((members) => {
		const layer: TarEntry[] = [];
		entries.push(layer);
		return members.filter((member) => {
			const [entry] = readTar(tarArchive([member]));
			if (entry === undefined) return false;
			layer.push(entry);
			const model = runModel(entries);
			const applies = model !== undefined && isWanted(model);
			if (!applies) layer.pop();
			return applies;
		});
	});
}
