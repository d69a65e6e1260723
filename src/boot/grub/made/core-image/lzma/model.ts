import { type BitCoder, codeReverseTree, codeTree, probabilities } from "./bit-coder.ts";

/** The properties that GRUB's decoder is compiled with: lc = 3, lp = 0, pb = 2. */
const LITERAL_CONTEXT_BITS = 3;
const POSITION_BITS = 2;
const STATES = 12;
/** From this state on the last symbol was not a literal. */
const FIRST_STATE_AFTER_MATCH = 7;

export const POSITION_STATES = 1 << POSITION_BITS;
export const MIN_MATCH_BYTES = 2;
export const MAX_MATCH_BYTES = 273;
/** Lengths from 5 on choose distances alike. */
export const LENGTH_CLASSES = 4;
/** Slots that distances up to 64 KiB have. */
export const DISTANCE_SLOTS = 32;

const LITERAL_PROBABILITIES = 0x300;
const SLOT_BITS = 6;
const ALIGN_BITS = 4;
export const ALIGN_VALUES = 1 << ALIGN_BITS;
/** Slots below it need no further bits; slots below the second have a tree of their own for them. */
const FIRST_SLOT_WITH_FOOTER = 4;
export const FIRST_SLOT_WITH_DIRECT_BITS = 14;
export const SPECIAL_DISTANCES = 128;

export function lengthClass(byteLength: number): number {
	return Math.min(byteLength - MIN_MATCH_BYTES, LENGTH_CLASSES - 1);
}

/** `distance` counts from 0: the previous byte. */
export function distanceSlot(distance: number): number {
	if (distance < FIRST_SLOT_WITH_FOOTER) return distance;
	const highest = 31 - Math.clz32(distance);
	return highest * 2 + ((distance >>> (highest - 1)) & 1);
}

/** What the last symbols were, 0 to 11. */
export const stateAfter = {
	literal: (state: number): number => (state < 4 ? 0 : state < 10 ? state - 3 : state - 6),
	match: (state: number): number => (state < FIRST_STATE_AFTER_MATCH ? 7 : 10),
	repeat: (state: number): number => (state < FIRST_STATE_AFTER_MATCH ? 8 : 11),
	shortRepeat: (state: number): number => (state < FIRST_STATE_AFTER_MATCH ? 9 : 11),
} as const;

/** Codes match lengths, 2 to 273. */
export class LengthModel {
	readonly #choice = probabilities(2);
	readonly #low = probabilities(POSITION_STATES << 3);
	readonly #middle = probabilities(POSITION_STATES << 3);
	readonly #high = probabilities(1 << 8);

	code(coder: BitCoder, positionState: number, byteLength: number): void {
		const value = byteLength - MIN_MATCH_BYTES;
		coder.bit(this.#choice, 0, value < 8 ? 0 : 1);
		if (value < 8) {
			codeTree(coder, this.#low, positionState << 3, 3, value);
			return;
		}
		coder.bit(this.#choice, 1, value < 16 ? 0 : 1);
		if (value < 16) codeTree(coder, this.#middle, positionState << 3, 3, value - 8);
		else codeTree(coder, this.#high, 0, 8, value - 16);
	}
}

/**
 * How LZMA codes its symbols, and the probabilities that it has learnt (LZMA specification of the LZMA SDK). `state` is from `stateAfter`,
 * `positionState` the low two bits of the position.
 */
export class LzmaModel {
	readonly matchLength = new LengthModel();
	readonly repeatLength = new LengthModel();
	readonly #isMatch = probabilities(STATES << POSITION_BITS);
	readonly #isRepeat = probabilities(STATES);
	readonly #isNotNewest = probabilities(STATES);
	readonly #isNotSecond = probabilities(STATES);
	readonly #isOldest = probabilities(STATES);
	readonly #isLongNewest = probabilities(STATES << POSITION_BITS);
	readonly #literal = probabilities(LITERAL_PROBABILITIES << LITERAL_CONTEXT_BITS);
	readonly #slot = probabilities(LENGTH_CLASSES << SLOT_BITS);
	readonly #special = probabilities(SPECIAL_DISTANCES);
	readonly #align = probabilities(ALIGN_VALUES);

	/** `matched` is the byte at the newest distance. */
	literal(
		coder: BitCoder,
		state: number,
		positionState: number,
		previous: number,
		matched: number,
		byte: number,
	): void {
		coder.bit(this.#isMatch, (state << POSITION_BITS) + positionState, 0);
		const base = (previous >>> (8 - LITERAL_CONTEXT_BITS)) * LITERAL_PROBABILITIES;
		// After a match, bits that go with those of the byte at the newest distance have trees of their own.
		let matching = state >= FIRST_STATE_AFTER_MATCH;
		let node = 1;
		for (let shift = 7; shift >= 0; shift--) {
			const bit = (byte >>> shift) & 1;
			const expected = (matched >>> shift) & 1;
			coder.bit(this.#literal, base + node + (matching ? (1 + expected) << 8 : 0), bit);
			node = (node << 1) | bit;
			matching &&= bit === expected;
		}
	}

	/** That a match at a new distance follows, without its length and distance. */
	matchHead(coder: BitCoder, state: number, positionState: number): void {
		coder.bit(this.#isMatch, (state << POSITION_BITS) + positionState, 1);
		coder.bit(this.#isRepeat, state, 0);
	}

	/** That a match at one of the last four distances follows (`which` 0, the newest, to 3), without its length. */
	repeatHead(coder: BitCoder, state: number, positionState: number, which: number): void {
		coder.bit(this.#isMatch, (state << POSITION_BITS) + positionState, 1);
		coder.bit(this.#isRepeat, state, 1);
		coder.bit(this.#isNotNewest, state, which === 0 ? 0 : 1);
		if (which === 0) coder.bit(this.#isLongNewest, (state << POSITION_BITS) + positionState, 1);
		else coder.bit(this.#isNotSecond, state, which === 1 ? 0 : 1);
		if (which > 1) coder.bit(this.#isOldest, state, which === 2 ? 0 : 1);
	}

	/** One byte at the newest distance. */
	shortRepeat(coder: BitCoder, state: number, positionState: number): void {
		coder.bit(this.#isMatch, (state << POSITION_BITS) + positionState, 1);
		coder.bit(this.#isRepeat, state, 1);
		coder.bit(this.#isNotNewest, state, 0);
		coder.bit(this.#isLongNewest, (state << POSITION_BITS) + positionState, 0);
	}

	slot(coder: BitCoder, forLengthClass: number, slot: number): void {
		codeTree(coder, this.#slot, forLengthClass << SLOT_BITS, SLOT_BITS, slot);
	}

	/** What the slot leaves open of a distance. */
	distanceFooter(coder: BitCoder, slot: number, distance: number): void {
		if (slot < FIRST_SLOT_WITH_DIRECT_BITS) {
			this.specialFooter(coder, slot, distance);
		} else {
			this.directFooter(coder, slot, distance);
			this.alignFooter(coder, distance);
		}
	}

	/** Of a distance whose slot has probabilities for all bits. */
	specialFooter(coder: BitCoder, slot: number, distance: number): void {
		if (slot < FIRST_SLOT_WITH_FOOTER) return;
		const base = slotBase(slot);
		codeReverseTree(coder, this.#special, base - slot, footerBits(slot), distance - base);
	}

	/** All but the lowest bits of what another slot leaves open. */
	directFooter(coder: BitCoder, slot: number, distance: number): void {
		coder.direct((distance - slotBase(slot)) >>> ALIGN_BITS, footerBits(slot) - ALIGN_BITS);
	}

	/** The lowest bits. */
	alignFooter(coder: BitCoder, distance: number): void {
		codeReverseTree(coder, this.#align, 0, ALIGN_BITS, distance % ALIGN_VALUES);
	}
}

function footerBits(slot: number): number {
	return (slot >>> 1) - 1;
}

/** The least distance of a slot. */
function slotBase(slot: number): number {
	return (2 | (slot & 1)) << footerBits(slot);
}
