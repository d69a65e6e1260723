import {
	ALIGN_BITS,
	FIRST_SLOT_WITH_DIRECT_BITS,
	FIRST_SLOT_WITH_FOOTER,
	FIRST_STATE_AFTER_MATCH,
	LENGTH_CLASSES,
	LITERAL_PROBABILITIES,
	MIN_MATCH_BYTES,
	probabilities,
	SLOT_BITS,
	SPECIAL_DISTANCES,
	STATES,
} from "../../../../../formats/lzma/lzma-model.ts";
import { type BitCoder, codeReverseTree, codeTree } from "./bit-coder.ts";

/** The properties that GRUB's decoder is compiled with: lc = 3, lp = 0, pb = 2. */
const LITERAL_CONTEXT_BITS = 3;
const POSITION_BITS = 2;

export const POSITION_STATES = 1 << POSITION_BITS;
export const MAX_MATCH_BYTES = 273;
/** Slots that distances up to 64 KiB have. */
export const DISTANCE_SLOTS = 32;

export const ALIGN_VALUES = 1 << ALIGN_BITS;

export function lengthClass(byteLength: number): number {
	return Math.min(byteLength - MIN_MATCH_BYTES, LENGTH_CLASSES - 1);
}

/** `distance` counts from 0: the previous byte. */
export function distanceSlot(distance: number): number {
	if (distance < FIRST_SLOT_WITH_FOOTER) return distance;
	const highest = 31 - Math.clz32(distance);
	return highest * 2 + ((distance >>> (highest - 1)) & 1);
}

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
