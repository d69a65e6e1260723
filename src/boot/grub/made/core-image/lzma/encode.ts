import { KiB } from "../../../../../binary/units.ts";
import { MatchFinder } from "./match-finder.ts";
import { distanceSlot, LzmaModel, lengthClass, POSITION_STATES } from "./model.ts";
import { Parser } from "./parser.ts";
import { PriceTables } from "./price-tables.ts";
import { RangeEncoder } from "./range-encoder.ts";
import { type History, historyAfter, INITIAL_HISTORY, type LzmaSymbol } from "./symbols.ts";

/** How much is compressed at a time, some 30 ms. */
const SLICE_BYTES = 32 * KiB;

/**
 * Compresses `bytes` to a raw LZMA stream with lc = 3, lp = 0, pb = 2 and distances of at most 64 KiB: no header, no end marker, so the
 * decoder must know the length. The stream is the one that grub2-mkimage makes, bit by bit: that of the LZMA SDK's encoder at its default level.
 * `pause` is called now and then, for others to have their turn or to end the work by rejecting.
 */
export async function encodeLzma(bytes: Uint8Array, pause?: () => Promise<void>): Promise<Uint8Array> {
	const encoder = new RangeEncoder();
	const model = new LzmaModel();
	const tables = new PriceTables(model);
	const finder = new MatchFinder(bytes);
	const parser = new Parser(bytes, finder, model, tables);
	let history = INITIAL_HISTORY;
	let position = 0;
	const code = (symbol: LzmaSymbol): void => {
		codeSymbol(encoder, model, bytes, position, history, symbol);
		tables.coded(symbol, position % POSITION_STATES);
		history = historyAfter(history, symbol);
		position += symbol.byteLength;
	};
	if (bytes.byteLength > 0) {
		finder.skip(1);
		code({ type: "literal", byteLength: 1 });
	}
	for (let pauseAt = SLICE_BYTES; position < bytes.byteLength; ) {
		for (const symbol of parser.plan(position, history)) code(symbol);
		if (!parser.isAhead) tables.refresh();
		if (position < pauseAt) continue;
		pauseAt = position + SLICE_BYTES;
		await pause?.();
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
