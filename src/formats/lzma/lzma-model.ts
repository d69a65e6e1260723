// What encoder and decoder of LZMA share (LZMA specification of the LZMA SDK).

export const STATES = 12;
/** From this state on the last symbol was not a literal. */
export const FIRST_STATE_AFTER_MATCH = 7;
export const MIN_MATCH_BYTES = 2;
export const LITERAL_PROBABILITIES = 0x300;
/** Lengths from 5 on choose distances alike. */
export const LENGTH_CLASSES = 4;
export const SLOT_BITS = 6;
export const ALIGN_BITS = 4;
/** Slots below it need no further bits; slots below the second have a tree of their own for them. */
export const FIRST_SLOT_WITH_FOOTER = 4;
export const FIRST_SLOT_WITH_DIRECT_BITS = 14;
export const SPECIAL_DISTANCES = 128;

/** What the last symbols were, 0 to 11. */
export const stateAfter = {
	literal: (state: number): number => (state < 4 ? 0 : state < 10 ? state - 3 : state - 6),
	match: (state: number): number => (state < FIRST_STATE_AFTER_MATCH ? 7 : 10),
	repeat: (state: number): number => (state < FIRST_STATE_AFTER_MATCH ? 8 : 11),
	shortRepeat: (state: number): number => (state < FIRST_STATE_AFTER_MATCH ? 9 : 11),
} as const;

/** Of bits that are 0, in 2048ths: even at first. */
export function probabilities(count: number): Uint16Array {
	return new Uint16Array(count).fill(1024);
}
