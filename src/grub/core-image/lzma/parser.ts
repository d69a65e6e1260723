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

/** The cheapest known way to one position. */
interface Step {
	price: number;
	symbol: LzmaSymbol;
	history: History;
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
	next(start: number, from: History, model: LzmaModel): LzmaSymbol[] {
		const horizon = Math.min(HORIZON_BYTES, this.#bytes.byteLength - start);
		const tables = new PriceTables(model);
		const steps: (Step | undefined)[] = [{ price: 0, symbol: LITERAL, history: from }];
		for (let at = 0; at < horizon; at++) {
			const step = steps[at];
			if (step === undefined) continue;
			const taken = this.#expand(steps, at, start, horizon, step, model, tables);
			if (taken !== undefined) return [...symbolsTo(steps, at), taken];
		}
		return symbolsTo(steps, horizon);
	}

	/** Tries every symbol at one position; returns the one that must be taken, if any. */
	#expand(
		steps: (Step | undefined)[],
		at: number,
		start: number,
		horizon: number,
		{ price, history }: Step,
		model: LzmaModel,
		tables: PriceTables,
	): LzmaSymbol | undefined {
		const position = start + at;
		const positionState = position % POSITION_STATES;
		const { state, distances } = history;
		const offer = (total: number, symbol: LzmaSymbol): void => {
			const end = at + symbol.byteLength;
			const known = steps[end];
			if (end > horizon || (known !== undefined && known.price <= total)) return;
			steps[end] = { price: total, symbol, history: historyAfter(history, symbol) };
		};

		const byte = this.#bytes[position] ?? 0;
		const previous = this.#bytes[position - 1] ?? 0;
		const matched = this.#bytes[position - distances[0] - 1] ?? 0;
		model.literal(this.#meter, state, positionState, previous, matched, byte);
		offer(price + this.#meter.take(), LITERAL);
		if (position > 0 && matched === byte) {
			model.shortRepeat(this.#meter, state, positionState);
			offer(price + this.#meter.take(), SHORT_REPEAT);
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
				offer(head + tables.repeatLength(positionState, byteLength), { type: "repeat", byteLength, which });
			}
		}

		const longest = this.#finder.find(position);
		model.matchHead(this.#meter, state, positionState);
		const head = price + this.#meter.take();
		for (let byteLength = MIN_MATCH_BYTES; byteLength <= longest; byteLength++) {
			const distance = this.#finder.distances[byteLength] ?? 0;
			const total = head + tables.matchLength(positionState, byteLength) + tables.distance(byteLength, distance);
			offer(total, { type: "match", byteLength, distance });
		}
		if (longest >= LONG_BYTES && longest > (taken?.byteLength ?? 0)) {
			taken = { type: "match", byteLength: longest, distance: this.#finder.distances[longest] ?? 0 };
		}
		for (let i = 1; i < (taken?.byteLength ?? 0); i++) this.#finder.skip(position + i);
		return taken;
	}
}

function symbolsTo(steps: readonly (Step | undefined)[], end: number): LzmaSymbol[] {
	const symbols: LzmaSymbol[] = [];
	for (let at = end; at > 0; ) {
		const symbol = steps[at]?.symbol ?? LITERAL;
		symbols.push(symbol);
		at -= symbol.byteLength;
	}
	return symbols.reverse();
}
