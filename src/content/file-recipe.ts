import { createHash } from "node:crypto";
import { DEFAULT_FRAGMENT_RULE, type FragmentRule } from "./fragment-rule.ts";

/** How contents are cut: their recipes are of no use where they are cut otherwise. */
export interface Cut {
	/** Content of a full block: a power of two. */
	readonly blockBytes: number;
	/** Default: `DEFAULT_FRAGMENT_RULE`. */
	readonly fragmentRule?: FragmentRule | undefined;
}

export function isSameCut(a: Cut, b: Cut): boolean {
	return a.blockBytes === b.blockBytes && ruleOf(a) === ruleOf(b);
}

export function ruleOf({ fragmentRule }: Cut): FragmentRule {
	return fragmentRule ?? DEFAULT_FRAGMENT_RULE;
}

/** A file's content by hashes: enough to place it where its blocks can be had compressed. All hashes are SHA-256. */
export interface FileRecipe {
	readonly byteLength: number;
	/** It was given with holes, and `stat` shall count them. */
	readonly hasHoles: boolean;
	/** Blocks of zeros, as pairs: number of the first, how many. Ascending, apart from each other. */
	readonly zeroRuns: readonly number[];
	/** Of the content of every other block in order, 32 bytes each. */
	readonly blockHashes: Uint8Array;
	/** Of what is packed with others, `byteLength % blockBytes` bytes; undefined where blocks hold all of the file. */
	readonly tailHash: Uint8Array | undefined;
}

/** A tail in a fragment block that was stored earlier. */
export interface TailSource {
	/** The fragment block's key. */
	readonly fragment: Uint8Array;
	/** Of the tail in the block's content. */
	readonly offset: number;
}

/** Blocks, holes included, that a file of the recipe has. */
export function blockCountOf(byteLength: number, blockBytes: number, hasTail: boolean): number {
	return hasTail ? Math.floor(byteLength / blockBytes) : Math.ceil(byteLength / blockBytes);
}

/** The whole file is packed with others: its content is what `tailHash` names. */
export function isTailOnly({ blockHashes, zeroRuns, tailHash }: FileRecipe): boolean {
	return blockHashes.byteLength === 0 && zeroRuns.length === 0 && tailHash !== undefined;
}

/**
 * 32 bytes that two files have in common when their contents are the same, for files that are not `isTailOnly`. Blocks of zeros count by place, so that a
 * hole of terabytes costs nothing and equals the same zeros given as data.
 */
export function identityOf({ byteLength, zeroRuns, blockHashes, tailHash }: FileRecipe): Uint8Array {
	const shape = Float64Array.from([byteLength, blockHashes.byteLength, zeroRuns.length].concat(zeroRuns));
	const digest = createHash("sha256").update(new Uint8Array(shape.buffer)).update(blockHashes);
	if (tailHash !== undefined) digest.update(tailHash);
	return digest.digest();
}
