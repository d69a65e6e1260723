import { MatchFinder } from "./match-finder.ts";
import { distanceSlot, LzmaModel, lengthClass, POSITION_STATES } from "./model.ts";
import { Parser } from "./parser.ts";
import { RangeEncoder } from "./range-encoder.ts";
import { type History, historyAfter, INITIAL_HISTORY, type LzmaSymbol } from "./symbols.ts";

/**
 * Compresses `bytes` to a raw LZMA stream with lc = 3, lp = 0, pb = 2 and distances of at most 64 KiB: no header, no end marker, so the
 * decoder must know the length. The same bytes give the same stream everywhere.
 */
export function encodeLzma(bytes: Uint8Array): Uint8Array {
	const encoder = new RangeEncoder();
	const model = new LzmaModel();
	const parser = new Parser(bytes, new MatchFinder(bytes));
	let history = INITIAL_HISTORY;
	let position = 0;
	while (position < bytes.byteLength) {
		for (const symbol of parser.next(position, history, model)) {
			codeSymbol(encoder, model, bytes, position, history, symbol);
			history = historyAfter(history, symbol);
			position += symbol.byteLength;
		}
	}
	return encoder.finish();
}

function codeSymbol(
	encoder: RangeEncoder,
	model: LzmaModel,
	bytes: Uint8Array,
	position: number,
	{ state, distances }: History,
	symbol: LzmaSymbol,
): void {
	const positionState = position % POSITION_STATES;
	switch (symbol.type) {
		case "literal": {
			const previous = bytes[position - 1] ?? 0;
			const matched = bytes[position - distances[0] - 1] ?? 0;
			model.literal(encoder, state, positionState, previous, matched, bytes[position] ?? 0);
			break;
		}
		case "short-repeat":
			model.shortRepeat(encoder, state, positionState);
			break;
		case "repeat":
			model.repeatHead(encoder, state, positionState, symbol.which);
			model.repeatLength.code(encoder, positionState, symbol.byteLength);
			break;
		case "match": {
			const slot = distanceSlot(symbol.distance);
			model.matchHead(encoder, state, positionState);
			model.matchLength.code(encoder, positionState, symbol.byteLength);
			model.slot(encoder, lengthClass(symbol.byteLength), slot);
			model.distanceFooter(encoder, slot, symbol.distance);
		}
	}
}
