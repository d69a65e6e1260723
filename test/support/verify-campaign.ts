import { memorySource } from "../../src/binary/byte-source.ts";
import { verifyIso } from "../../src/verify/verify-iso.ts";
import type { SmallIso } from "./verify-iso-fixture.ts";
import { checkedAreas, type Mutation, mutateBytes, mutateField, randomNumbers } from "./verify-mutations.ts";

export interface Campaign {
	readonly mutations: number;
	/** By area. */
	readonly counts: ReadonlyMap<string, number>;
	/** Mutations that no check reported. */
	readonly missed: readonly string[];
	readonly slowestMilliseconds: number;
}

/**
 * Mutates what `verifyIso` checks, one thing at a time, every area in turn, and asks it each time. The media checksum, which would tell
 * of nearly all, is left out. A throw is the caller's: nothing in an ISO may cause one.
 */
export async function mutationCampaign(iso: SmallIso, seed: number, mutations: number): Promise<Campaign> {
	const areas = await checkedAreas(iso);
	const random = randomNumbers(seed);
	const counts = new Map<string, number>();
	const missed: string[] = [];
	let slowestMilliseconds = 0;
	for (let i = 0; i < mutations; i++) {
		const area = areas[i % areas.length];
		if (area === undefined) throw new Error("there are no areas");
		const mutate = area.records !== undefined && random(2) === 0 ? mutateField : mutateBytes;
		const mutation: Mutation = mutate(iso.bytes, area, random);
		const started = performance.now();
		const { verdict } = await verifyIso(memorySource(iso.bytes), { ...iso, mediaChecksum: false });
		slowestMilliseconds = Math.max(slowestMilliseconds, performance.now() - started);
		mutation.undo();
		counts.set(area.name, (counts.get(area.name) ?? 0) + 1);
		if (verdict === "pass") missed.push(`${mutation.area}: ${mutation.what}`);
	}
	return { mutations, counts, missed, slowestMilliseconds };
}

/** What may be missed, and why. */
export const JUSTIFIED_MISSES: readonly { readonly pattern: RegExp; readonly why: string }[] = [
	{
		pattern: /^squashfs superblock: (bytes ([89]|1[01]):|.*modificationTimeSeconds)/,
		why: "a time stamp that nothing else repeats",
	},
	{ pattern: /^squashfs superblock: (bytes 2[45]:|.*\.flags)/, why: "flags that say how the image was made" },
	{
		pattern: /^squashfs inode table: bytes (1[89]|2[0-5]|31[4-9]|32[01]|37[0-7]|65[5-8]):/,
		why: "where the blocks would be of a file that has none",
	},
	{
		pattern: /^squashfs inode table: bytes (19[4-7]|26[2-5]|66[3-6]):/,
		why: "where the tail would be of a file that has none",
	},
	{
		pattern: /^squashfs inode table: bytes 24[67]:/,
		why: "bytes of holes 0, as an inode says that does not count them",
	},
	{
		pattern: /^squashfs inode table: bytes (49[0-3]|50[01]):/,
		why: "where the listing would be of an empty directory",
	},
	{
		pattern: /^squashfs lookup tables: bytes (569|57[0-2]|58[5-8]|60[1-4]):/,
		why: "the length of an xattr set, which readers count themselves",
	},
	{
		pattern: /^boot catalog: (section header\.identifier|bytes (6[89]|[78]\d|9[0-5]):)/,
		why: "a text that is free",
	},
];

export function unjustified(missed: readonly string[]): string[] {
	return missed.filter((miss) => !JUSTIFIED_MISSES.some(({ pattern }) => pattern.test(miss)));
}
