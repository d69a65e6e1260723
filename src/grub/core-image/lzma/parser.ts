import { assert } from "../../../errors.ts";
import { copyLength, type MatchFinder } from "./match-finder.ts";
import { type LzmaModel, MIN_MATCH_BYTES, POSITION_STATES } from "./model.ts";
import { PriceMeter } from "./price-meter.ts";
import { PriceTables } from "./price-tables.ts";
import { type History, historyAfter, type LzmaSymbol } from "./symbols.ts";

/** How far ahead symbols are chosen with one set of prices. */
const HORIZON_BYTES = 512;
/** A copy this long is taken without looking at what it covers, so that repetitive content costs no more time than any other. */
const LONG_BYTES = 64;

const LITERAL: LzmaSymbol = { type: "literal", byteLength: 1 };
const SHORT_REPEAT: LzmaSymbol = { type: "short-repeat", byteLength: 1 };

/** The cheapest known way to one position: its whole price, its last symbol, and what the decoder remembers then. */
interface Step {
	readonly price: number;
	readonly symbol: LzmaSymbol;
	readonly history: History;
}

/** The bytes that symbols are chosen for together. `steps` are by position from `start`. */
interface Window {
	readonly start: number;
	readonly byteLength: number;
	readonly steps: Step[];
	readonly model: LzmaModel;
	readonly tables: PriceTables;
}

/** Chooses symbols: the cheapest way through the next bytes, when each symbol costs what the model would code it with now. */
export class Parser {
	readonly #bytes: Uint8Array;
	readonly #finder: MatchFinder;
	readonly #meter = new PriceMeter();

	constructor(bytes: Uint8Array, finder: MatchFinder) {
		this.#bytes = bytes;
		this.#finder = finder;
	}

	/** The symbols from `start` on, at least one; the caller codes them all and asks again at their end. */
	next(start: number, history: History, model: LzmaModel): LzmaSymbol[] {
		const byteLength = Math.min(HORIZON_BYTES, this.#bytes.byteLength - start);
		const steps: Step[] = [{ price: 0, symbol: LITERAL, history }];
		const window: Window = { start, byteLength, steps, model, tables: new PriceTables(model) };
		for (let at = 0; at < byteLength; at++) {
			const taken = this.#expand(window, at);
			if (taken !== undefined) return [...symbolsTo(steps, at), taken];
		}
		return symbolsTo(steps, byteLength);
	}

	/** Tries every symbol at one position of the window; returns the one that must be taken, if any. */
	#expand({ start, byteLength: horizon, steps, model, tables }: Window, at: number): LzmaSymbol | undefined {
		const step = steps[at];
		assert(step !== undefined, "a literal leads to every position");
		const { price, history } = step;
		const { state, distances } = history;
		const position = start + at;
		const positionState = position % POSITION_STATES;
		const isCheaper = (total: number, byteLength: number): boolean =>
			at + byteLength <= horizon && total < (steps[at + byteLength]?.price ?? Number.POSITIVE_INFINITY);
		const accept = (total: number, symbol: LzmaSymbol): void => {
			steps[at + symbol.byteLength] = { price: total, symbol, history: historyAfter(history, symbol) };
		};

		const byte = this.#bytes[position] ?? 0;
		const previous = this.#bytes[position - 1] ?? 0;
		const matched = this.#bytes[position - distances[0] - 1] ?? 0;
		model.literal(this.#meter, state, positionState, previous, matched, byte);
		const ofLiteral = price + this.#meter.take();
		if (isCheaper(ofLiteral, 1)) accept(ofLiteral, LITERAL);
		if (position > 0 && matched === byte) {
			model.shortRepeat(this.#meter, state, positionState);
			const total = price + this.#meter.take();
			if (isCheaper(total, 1)) accept(total, SHORT_REPEAT);
		}

		let taken: LzmaSymbol | undefined;
		for (const [which, distance] of distances.entries()) {
			const longest = copyLength(this.#bytes, position, distance);
			if (longest >= LONG_BYTES && longest > (taken?.byteLength ?? 0)) {
				taken = { type: "repeat", byteLength: longest, which };
			}
			model.repeatHead(this.#meter, state, positionState, which);
			const head = price + this.#meter.take();
			for (let byteLength = MIN_MATCH_BYTES; byteLength <= longest; byteLength++) {
				const total = head + tables.repeatLength(positionState, byteLength);
				if (isCheaper(total, byteLength)) accept(total, { type: "repeat", byteLength, which });
			}
		}

		const longest = this.#finder.find(position);
		model.matchHead(this.#meter, state, positionState);
		const head = price + this.#meter.take();
		for (let byteLength = MIN_MATCH_BYTES; byteLength <= longest; byteLength++) {
			const distance = this.#finder.distances[byteLength] ?? 0;
			const total = head + tables.matchLength(positionState, byteLength) + tables.distance(byteLength, distance);
			if (isCheaper(total, byteLength)) accept(total, { type: "match", byteLength, distance });
		}
		if (longest >= LONG_BYTES && longest > (taken?.byteLength ?? 0)) {
			taken = { type: "match", byteLength: longest, distance: this.#finder.distances[longest] ?? 0 };
		}
		for (let i = 1; i < (taken?.byteLength ?? 0); i++) this.#finder.skip(position + i);
		return taken;
	}
}

function symbolsTo(steps: readonly Step[], end: number): LzmaSymbol[] {
	const symbols: LzmaSymbol[] = [];
	for (let at = end; at > 0; ) {
		const symbol = steps[at]?.symbol ?? LITERAL;
		symbols.push(symbol);
		at -= symbol.byteLength;
	}
	return symbols.reverse();
}
