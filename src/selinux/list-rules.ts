import type { ByteString } from "../binary/byte-string.ts";
import type { Inode } from "../tree/inode.ts";
import { compileSpecifications } from "./compiled-specifications.ts";
import { hasMetaCharacters } from "./literal.ts";
import type { Matcher } from "./matcher.ts";
import type { ChoosesSpecification, Specification } from "./specifications.ts";

/**
 * Libselinux before 3.8: of the specifications in their order, with those behind the others that have no meta characters, the last that matches. One that begins with a literal
 * directory is for paths below that directory only.
 */
export class ListRules implements ChoosesSpecification {
	readonly #specifications: readonly Specification[];
	/** By specification: the directory in the root that it begins with. */
	readonly #stems: readonly (ByteString | undefined)[];
	readonly #matcher: Matcher;

	constructor(specifications: readonly Specification[], fileOf: (input: number) => string) {
		const withMeta = specifications.filter(({ pattern }) => hasMetaCharacters(pattern));
		const plain = specifications.filter(({ pattern }) => !hasMetaCharacters(pattern));
		this.#specifications = [...withMeta, ...plain];
		this.#stems = this.#specifications.map(({ pattern }) => {
			const stem = stemOf(pattern);
			return stem === undefined || /[.^$?*+|[({]/.test(stem) ? undefined : stem;
		});
		this.#matcher = compileSpecifications(this.#specifications, fileOf);
	}

	choose(path: ByteString, type: Inode["type"]): Specification | undefined {
		const stem = stemOf(path);
		const found = this.#matcher.matches(path).findLast((number) => {
			const wanted = this.#stems[number];
			const { type: only } = this.#specifications[number] ?? {};
			return (only === undefined || only === type) && (wanted === undefined || wanted === stem);
		});
		return found === undefined ? undefined : this.#specifications[found];
	}
}

/** Up to its second slash. */
function stemOf(path: ByteString): ByteString | undefined {
	const end = path.indexOf("/", 1);
	return end === -1 ? undefined : path.slice(0, end);
}
