import { hash } from "node:crypto";
import { GiB } from "../binary/units.ts";
import type { CodecName } from "../codec/types.ts";
import { type Cut, ruleOf } from "../content/file-recipe.ts";
import { DEFAULT_FRAGMENT_RULE, FRAGMENT_RULES } from "../content/fragment-rule.ts";

/** Of everything in the store. A store of another version is another directory, and left alone. */
export const STORE_VERSION = 2;

/** What a store may hold where nobody says otherwise. */
export const DEFAULT_CACHE_BYTES = 10 * GiB;

/** All that decides a block's compressed bytes, beside its content. */
export interface BlockSettings {
	readonly codec: CodecName;
	readonly level: number;
	/** Content of a full block. */
	readonly blockBytes: number;
	/** Library, version and build: `BlockCompressor.encoder`. */
	readonly encoder: string;
}

/** What a pack says of its settings. */
export function settingsText({ codec, level, blockBytes, encoder }: BlockSettings): string {
	return JSON.stringify([STORE_VERSION, codec, level, blockBytes, encoder]);
}

/** For file names and annotations: `131072`, `131072-all-tails`. */
export function cutText(cut: Cut): string {
	const rule = ruleOf(cut);
	return rule === DEFAULT_FRAGMENT_RULE ? String(cut.blockBytes) : `${cut.blockBytes}-${rule}`;
}

/** What `cutText` wrote; undefined where it did not. */
export function parseCut(text: string): Cut | undefined {
	const [, digits, rest] = /^(\d{1,10})(?:-([a-z-]{1,20}))?$/.exec(text) ?? [];
	if (digits === undefined) return undefined;
	if (rest === undefined) return { blockBytes: Number(digits) };
	const fragmentRule = FRAGMENT_RULES.find((rule) => rule === rest && rule !== DEFAULT_FRAGMENT_RULE);
	return fragmentRule && { blockBytes: Number(digits), fragmentRule };
}

/** 16 hexadecimal digits, for file names. */
export function settingsId(settings: BlockSettings): string {
	return hash("sha256", settingsText(settings)).slice(0, 16);
}
