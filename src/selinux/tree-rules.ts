import type { ByteString } from "../binary/byte-string.ts";
import type { Inode } from "../tree/inode.ts";
import { compileSpecifications } from "./compiled-specifications.ts";
import type { LibraryRules } from "./library.ts";
import { literalOf } from "./literal.ts";
import type { Matcher } from "./matcher.ts";
import type { ChoosesSpecification, Specification } from "./specifications.ts";

/** Directories that a specification begins with and libselinux tells apart. */
const MAX_DEPTH = 3;

/**
 * Libselinux 3.8 and later: a literal path comes before all patterns. Patterns lie in a tree of the literal directories that they begin with. From the deepest directory of
 * a path up, the last pattern of each that matches counts, where it is later in the policy than what was found below it; one without a label ends the search.
 */
export class TreeRules implements ChoosesSpecification {
	readonly #specifications: readonly Specification[];
	readonly #matcher: Matcher;
	/** Specifications by their paths, the first that counts first. */
	readonly #literals = new Map<ByteString, Specification[]>();
	/** By specification that is a pattern. */
	readonly #nodes: readonly (ByteString | undefined)[];
	/** Directories of the tree, `usr/lib` for example. */
	readonly #known = new Set<ByteString>();
	#last: { readonly directory: ByteString; readonly nodes: readonly ByteString[] } | undefined;

	constructor(
		specifications: readonly Specification[],
		fileOf: (input: number) => string,
		library: Exclude<LibraryRules, "before 3.8">,
	) {
		this.#specifications = specifications;
		this.#nodes = specifications.map((specification) => {
			const literal = literalOf(specification.pattern);
			const node = literal === undefined ? nodeOfPattern(specification.pattern) : nodeOfLiteral(literal);
			for (let end = node.length; end > 0; end = node.lastIndexOf("/", end - 1)) this.#known.add(node.slice(0, end));
			if (literal === undefined) return node;
			const alike = this.#literals.get(literal) ?? [];
			alike.push(specification);
			this.#literals.set(literal, alike);
			return undefined;
		});
		for (const alike of this.#literals.values())
			alike.sort((a, b) => (library === "3.8" ? hasNoType(a) - hasNoType(b) : b.input - a.input));
		const patterns = specifications.map((each, number) => (this.#nodes[number] === undefined ? undefined : each));
		this.#matcher = compileSpecifications(patterns, fileOf);
	}

	choose(path: ByteString, type: Inode["type"]): Specification | undefined {
		const fits = (each: Specification | undefined): boolean => each?.type === undefined || each.type === type;
		const literal = this.#literals.get(path)?.find(fits);
		if (literal !== undefined) return literal;
		const matches = this.#matcher.matches(path);
		if (matches.length === 0) return undefined;
		let best = -1;
		for (const node of this.#nodesAbove(path)) {
			const last =
				matches.findLast((number) => this.#nodes[number] === node && fits(this.#specifications[number])) ?? -1;
			if (last < best || last < 0) continue;
			best = last;
			if (this.#specifications[best]?.context === undefined) break;
		}
		return this.#specifications[best];
	}

	/** Directories of the tree that a path lies in, the deepest first, the root last. */
	#nodesAbove(path: ByteString): readonly ByteString[] {
		const directory = path.slice(0, path.lastIndexOf("/") + 1);
		if (this.#last?.directory === directory) return this.#last.nodes;
		const nodes: ByteString[] = [""];
		let node = "";
		for (const name of directory.startsWith("/") ? namesOf(directory) : []) {
			node = node === "" ? name : `${node}/${name}`;
			if (!this.#known.has(node)) break;
			nodes.unshift(node);
		}
		this.#last = { directory, nodes };
		return nodes;
	}
}

function hasNoType({ type }: Specification): number {
	return type === undefined ? 1 : 0;
}

function nodeOfLiteral(literal: ByteString): ByteString {
	if (!literal.startsWith("/")) return "";
	return namesOf(literal.slice(0, literal.lastIndexOf("/") + 1))
		.slice(0, MAX_DEPTH)
		.join("/");
}

/** Its first components that are literal and end in a slash; what is before the first one's slash is not looked at. */
function nodeOfPattern(pattern: ByteString): ByteString {
	const names: ByteString[] = [];
	for (let at = 0; names.length < MAX_DEPTH; ) {
		const end = pattern.indexOf("/", at + 1);
		if (end === -1) break;
		if (end > at + 1) {
			const name = literalOf(pattern.slice(at + 1, end));
			if (name === undefined) break;
			names.push(name);
		}
		at = end;
	}
	return names.join("/");
}

function namesOf(directory: ByteString): ByteString[] {
	return directory.split("/").filter((name) => name !== "");
}
