import { type ByteString, compareByteStrings } from "../../binary/byte-string.ts";
import { assignIdentifiers, type NamingScheme } from "./identifiers.ts";
import type { IsoDirectory, IsoNode } from "./tree.ts";

/** One entry as one tree of directory records names it. */
export interface NamedNode {
	readonly name: ByteString;
	readonly identifier: Buffer;
	readonly node: IsoNode;
	/** Set for directories. */
	readonly directory: NamedDirectory | undefined;
}

export interface NamedDirectory {
	readonly path: ByteString;
	/** One zero byte for the root. */
	readonly identifier: Buffer;
	readonly node: IsoDirectory;
	/** The root is its own parent. */
	readonly parent: NamedDirectory;
	/** In order of their identifiers. */
	readonly entries: readonly NamedNode[];
}

/** The tree below `root` under `scheme`, in the order that directory records have (ECMA-119 9.3). */
export function nameHierarchy(
	root: IsoDirectory,
	scheme: NamingScheme,
	includes: (node: IsoNode) => boolean,
): NamedDirectory {
	return nameDirectory(root, "/", Buffer.from([0]), undefined);

	function nameDirectory(
		node: IsoDirectory,
		path: ByteString,
		identifier: Buffer,
		parent: NamedDirectory | undefined,
	): NamedDirectory {
		const entries: NamedNode[] = [];
		const directory = { path, identifier, node, entries, parent: undefined as NamedDirectory | undefined };
		const named: NamedDirectory = Object.assign(directory, { parent: parent ?? (directory as NamedDirectory) });
		const children = [...node.entries]
			.filter(([, child]) => includes(child))
			.sort(([a], [b]) => compareByteStrings(a, b))
			.map(([name, child]) => ({ name, child, type: child.type === "directory" ? child.type : ("other" as const) }));
		const identifiers = assignIdentifiers(children, scheme);
		const ordered = children
			.map((each, i) => ({ ...each, text: identifiers[i] ?? "" }))
			.sort((a, b) => compareByteStrings(a.text, b.text));
		for (const { name, child, type, text } of ordered) {
			const bytes = scheme.encode(text, type);
			const below = path === "/" ? `/${name}` : `${path}/${name}`;
			entries.push({
				name,
				identifier: bytes,
				node: child,
				directory: child.type === "directory" ? nameDirectory(child, below, bytes, named) : undefined,
			});
		}
		return named;
	}
}

/** Every directory, parents before children, siblings in order: how their extents follow each other. */
export function depthFirst(root: NamedDirectory): NamedDirectory[] {
	const found: NamedDirectory[] = [];
	const pending = [root];
	for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
		found.push(next);
		pending.push(...subdirectories(next).reverse());
	}
	return found;
}

/** Every directory in path table order: by level, parent, identifier (ECMA-119 6.9.1). */
export function breadthFirst(root: NamedDirectory): NamedDirectory[] {
	const found = [root];
	for (let i = 0; i < found.length; i++) {
		const next = found[i];
		if (next !== undefined) found.push(...subdirectories(next));
	}
	return found;
}

function subdirectories(directory: NamedDirectory): NamedDirectory[] {
	return directory.entries.map((entry) => entry.directory).filter((each) => each !== undefined);
}
