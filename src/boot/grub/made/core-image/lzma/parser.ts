import { MIN_MATCH_BYTES, stateAfter } from "../../../../../formats/lzma/lzma-model.ts";
import { LONG_BYTES, type MatchFinder, sameUntil } from "./match-finder.ts";
import { type LzmaModel, MAX_MATCH_BYTES, POSITION_STATES } from "./model.ts";
import { PriceMeter } from "./price-meter.ts";
import type { PriceTables } from "./price-tables.ts";
import type { History, LzmaSymbol } from "./symbols.ts";

/** How far ahead symbols are chosen together, at most. */
const HORIZON_BYTES = (1 << 12) - 1;
const UNKNOWN_PRICE = 2 ** 30;
const ONE_LITERAL: readonly LzmaSymbol[] = [{ type: "literal", byteLength: 1 }];

/** How a position is reached: by a literal, a copy at one of the last four distances (0 to 3), or one at a distance, 4 higher than it. */
const LITERAL = -1;
const REPEATS = 4;
/** A way to a position may be a whole phrase, whose last symbol is then a copy at the newest distance. */
const Lead = { none: 0, literal: 1, copyAndLiteral: 2 } as const;
type Lead = (typeof Lead)[keyof typeof Lead];

/**
 * Chooses symbols: the cheapest way through the next bytes at the prices of now, by the LZMA SDK's rules of which ways are looked at. Prices that depend
 * on the model are exact; those of lengths and distances are from the tables.
 */
export class Parser {
	readonly #bytes: Uint8Array;
	readonly #finder: MatchFinder;
	readonly #model: LzmaModel;
	readonly #tables: PriceTables;
	readonly #meter = new PriceMeter();
	/** Length of a long copy at the finder's last position, which is for the next plan; 0 when there is none. */
	#pending = 0;

	#start = 0;
	/** The farthest offset from `#start` that a way was found to. */
	#end = 0;
	/** By offset from `#start`: the cheapest known way there. */
	readonly #prices = new Int32Array(HORIZON_BYTES + 1);
	/** Where its last symbol starts, and which that is. */
	readonly #from = new Uint16Array(HORIZON_BYTES + 1);
	readonly #choices = new Int32Array(HORIZON_BYTES + 1);
	readonly #leads = new Uint8Array(HORIZON_BYTES + 1);
	/** Of a leading copy. */
	readonly #leadFrom = new Uint16Array(HORIZON_BYTES + 1);
	readonly #leadChoices = new Int32Array(HORIZON_BYTES + 1);
	/** What the decoder remembers there. */
	readonly #states = new Uint8Array(HORIZON_BYTES + 1);
	readonly #distances = new Uint32Array((HORIZON_BYTES + 1) * REPEATS);

	constructor(bytes: Uint8Array, finder: MatchFinder, model: LzmaModel, tables: PriceTables) {
		this.#bytes = bytes;
		this.#finder = finder;
		this.#model = model;
		this.#tables = tables;
	}

	/** Whether the finder has looked up a position of the next plan. */
	get isAhead(): boolean {
		return this.#pending > 0;
	}

	/** The symbols from `start` on, at least one; the caller codes them all and asks again at their end. `start` is not 0. */
	plan(start: number, { state, distances }: History): readonly LzmaSymbol[] {
		// One less than follow where the position was looked up before: the SDK's encoder counts so.
		const available = this.#bytes.byteLength - this.#finder.position;
		const longest = this.#pending > 0 ? this.#pending : this.#finder.find();
		this.#pending = 0;
		if (available < MIN_MATCH_BYTES) return ONE_LITERAL;

		const limit = Math.min(available, MAX_MATCH_BYTES);
		const repeats = distances.map((distance) => this.#copyLength(start, distance, limit));
		const longestRepeat = Math.max(...repeats);
		if (longestRepeat >= LONG_BYTES) return this.#take(repeats.indexOf(longestRepeat), longestRepeat);
		if (longest >= LONG_BYTES) {
			return this.#take((this.#finder.distances[this.#finder.count - 1] ?? 0) + REPEATS, longest);
		}
		const isSame = this.#bytes[start] === this.#bytes[start - distances[0] - 1];
		if (longest === 0 && longestRepeat === 0 && !isSame) return ONE_LITERAL;

		this.#start = start;
		this.#end = 0;
		this.#prices[0] = 0;
		this.#states[0] = state;
		this.#distances.set(distances);
		this.#expand(0, longest, available);
		for (let at = 1; at < this.#end; at++) {
			const left = this.#bytes.byteLength - this.#finder.position;
			const found = this.#finder.find();
			if (found >= LONG_BYTES) {
				this.#pending = found;
				return this.#symbolsTo(at);
			}
			this.#settle(at);
			this.#expand(at, found, left);
		}
		return this.#symbolsTo(this.#end);
	}

	#take(choice: number, byteLength: number): LzmaSymbol[] {
		this.#finder.skip(byteLength - 1);
		return [symbolOf(choice, byteLength)];
	}

	/** Length of a copy, or 0 where it is below two bytes. */
	#copyLength(position: number, distance: number, limit: number): number {
		const length = sameUntil(this.#bytes, position, distance, 0, limit);
		return length < MIN_MATCH_BYTES ? 0 : length;
	}

	/** State and distances at an offset, by the way to it. */
	#settle(at: number): void {
		const lead = this.#leads[at];
		const choice = this.#choices[at] ?? 0;
		let origin = this.#from[at] ?? 0;
		if (lead === Lead.none) {
			const state = this.#states[origin] ?? 0;
			if (origin === at - 1) {
				this.#states[at] = choice === 0 ? stateAfter.shortRepeat(state) : stateAfter.literal(state);
				this.#distances.copyWithin(at * REPEATS, origin * REPEATS, (origin + 1) * REPEATS);
			} else {
				this.#states[at] = stateAfterCopy(state, choice);
				this.#moveDistances(at, origin, choice);
			}
			return;
		}
		let first = LITERAL;
		if (lead === Lead.literal) origin--;
		else {
			origin = this.#leadFrom[at] ?? 0;
			first = this.#leadChoices[at] ?? 0;
		}
		const state = this.#states[origin] ?? 0;
		const beforeLiteral = lead === Lead.literal ? state : stateAfterCopy(state, first);
		this.#states[at] = stateAfter.repeat(stateAfter.literal(beforeLiteral));
		this.#moveDistances(at, origin, lead === Lead.literal ? 0 : first);
	}

	/** The distances after a copy: its own is the newest. */
	#moveDistances(at: number, origin: number, choice: number): void {
		const distances = this.#distances;
		const to = at * REPEATS;
		const source = origin * REPEATS;
		distances[to] = choice < REPEATS ? (distances[source + choice] ?? 0) : choice - REPEATS;
		const moved = Math.min(choice, REPEATS - 1);
		for (let i = 1; i < REPEATS; i++) distances[to + i] = distances[source + (i <= moved ? i - 1 : i)] ?? 0;
	}

	/** A way to an offset, which counts where it is cheaper than those known. */
	#offer(
		at: number,
		price: number,
		from: number,
		choice: number,
		lead: Lead = Lead.none,
		leadFrom = 0,
		leadChoice = 0,
	): void {
		while (this.#end < at) this.#prices[++this.#end] = UNKNOWN_PRICE;
		if (price >= (this.#prices[at] ?? 0)) return;
		this.#prices[at] = price;
		this.#from[at] = from;
		this.#choices[at] = choice;
		this.#leads[at] = lead;
		this.#leadFrom[at] = leadFrom;
		this.#leadChoices[at] = leadChoice;
	}

	/** Looks at the ways on from an offset. `found` is the longest copy there, `available` how many bytes follow. */
	#expand(at: number, found: number, available: number): void {
		const position = this.#start + at;
		const price = this.#prices[at] ?? 0;
		const state = this.#states[at] ?? 0;
		const newest = this.#distances[at * REPEATS] ?? 0;
		const isSame = this.#bytes[position] === this.#bytes[position - newest - 1];

		const afterLiteral = price + this.#literalPrice(state, position, newest);
		const before = this.#end > at ? (this.#prices[at + 1] ?? 0) : UNKNOWN_PRICE;
		this.#offer(at + 1, afterLiteral, at, LITERAL);
		let reachesNext = afterLiteral < before;
		if (isSame && !((this.#from[at + 1] ?? 0) < at && this.#choices[at + 1] === 0)) {
			this.#model.shortRepeat(this.#meter, state, position % POSITION_STATES);
			const afterRepeat = price + this.#meter.take();
			const known = this.#prices[at + 1] ?? 0;
			// Equal prices are in favour of the repeat everywhere but at the start.
			if (at === 0 ? afterRepeat < known : afterRepeat <= known) {
				this.#prices[at + 1] = UNKNOWN_PRICE;
				this.#offer(at + 1, afterRepeat, at, 0);
				reachesNext = true;
			}
		}

		const room = Math.min(available, HORIZON_BYTES - at);
		if (room < MIN_MATCH_BYTES) return;
		const limit = Math.min(room, LONG_BYTES);
		if (at > 0 && !reachesNext && !isSame) this.#offerLiteralAndRepeat(at, afterLiteral, state, newest, room);
		const newestLength = this.#offerRepeats(at, state, limit, room);
		this.#offerMatches(at, state, Math.max(newestLength + 1, MIN_MATCH_BYTES), Math.min(found, limit), room);
	}

	/** `afterLiteral` is the price of a literal at `at`. */
	#offerLiteralAndRepeat(at: number, afterLiteral: number, state: number, newest: number, room: number): void {
		const next = this.#start + at + 1;
		const length = sameUntil(this.#bytes, next, newest, 0, Math.min(LONG_BYTES, room - 1));
		if (length < MIN_MATCH_BYTES) return;
		const total = afterLiteral + this.#repeatPrice(stateAfter.literal(state), next, 0, length);
		this.#offer(at + 1 + length, total, at + 1, 0, Lead.literal);
	}

	/** Copies at the last four distances. Length of the one at the newest, or 0. */
	#offerRepeats(at: number, state: number, limit: number, room: number): number {
		const position = this.#start + at;
		const price = this.#prices[at] ?? 0;
		let newestLength = 0;
		for (let which = 0; which < REPEATS; which++) {
			const distance = this.#distances[at * REPEATS + which] ?? 0;
			const longest = this.#copyLength(position, distance, limit);
			if (longest === 0) continue;
			if (which === 0) newestLength = longest;
			const positionState = position % POSITION_STATES;
			this.#model.repeatHead(this.#meter, state, positionState, which);
			const head = price + this.#meter.take();
			for (let length = MIN_MATCH_BYTES; length <= longest; length++) {
				this.#offer(at + length, head + this.#tables.repeatLengths.of(positionState, length), at, which);
			}
			const total = head + this.#tables.repeatLengths.of(positionState, longest);
			this.#offerPhrase(at, total, which, longest, distance, stateAfter.repeat(state), room);
		}
		return newestLength;
	}

	/** Copies that were found, of lengths from `shortest` to `longest`. */
	#offerMatches(at: number, state: number, shortest: number, longest: number, room: number): void {
		if (longest < shortest) return;
		const { lengths, distances } = this.#finder;
		const positionState = (this.#start + at) % POSITION_STATES;
		this.#model.matchHead(this.#meter, state, positionState);
		const head = (this.#prices[at] ?? 0) + this.#meter.take();
		let index = 0;
		for (let length = shortest; length <= longest; length++) {
			while (length > (lengths[index] ?? 0)) index++;
			const distance = distances[index] ?? 0;
			const total =
				head + this.#tables.matchLengths.of(positionState, length) + this.#tables.distance(length, distance);
			this.#offer(at + length, total, at, distance + REPEATS);
			if (length === lengths[index] || length === longest) {
				this.#offerPhrase(at, total, distance + REPEATS, length, distance, stateAfter.match(state), room);
			}
		}
	}

	/** A copy, of that price and with that state after it, then one other byte and a copy from the same place. */
	#offerPhrase(
		at: number,
		price: number,
		choice: number,
		length: number,
		distance: number,
		state: number,
		room: number,
	): void {
		if (at === 0) return;
		const position = this.#start + at;
		const after = length + 1;
		const again = sameUntil(this.#bytes, position, distance, after, Math.min(after + LONG_BYTES, room)) - after;
		if (again < MIN_MATCH_BYTES) return;
		const total =
			price +
			this.#literalPrice(state, position + length, distance) +
			this.#repeatPrice(stateAfter.literal(state), position + after, 0, again);
		this.#offer(at + after + again, total, at + after, 0, Lead.copyAndLiteral, at, choice);
	}

	#literalPrice(state: number, position: number, newest: number): number {
		const bytes = this.#bytes;
		const matched = bytes[position - newest - 1] ?? 0;
		const positionState = position % POSITION_STATES;
		this.#model.literal(this.#meter, state, positionState, bytes[position - 1] ?? 0, matched, bytes[position] ?? 0);
		return this.#meter.take();
	}

	#repeatPrice(state: number, position: number, which: number, length: number): number {
		const positionState = position % POSITION_STATES;
		this.#model.repeatHead(this.#meter, state, positionState, which);
		return this.#meter.take() + this.#tables.repeatLengths.of(positionState, length);
	}

	#symbolsTo(end: number): LzmaSymbol[] {
		const symbols: LzmaSymbol[] = [];
		for (let at = end; at > 0; ) {
			let start = this.#from[at] ?? 0;
			symbols.push(symbolOf(this.#choices[at] ?? 0, at - start));
			if (this.#leads[at] !== Lead.none) {
				symbols.push(symbolOf(LITERAL, 1));
				start--;
			}
			if (this.#leads[at] === Lead.copyAndLiteral) {
				const leadStart = this.#leadFrom[at] ?? 0;
				symbols.push(symbolOf(this.#leadChoices[at] ?? 0, start - leadStart));
				start = leadStart;
			}
			at = start;
		}
		return symbols.reverse();
	}
}

function stateAfterCopy(state: number, choice: number): number {
	return choice < REPEATS ? stateAfter.repeat(state) : stateAfter.match(state);
}

function symbolOf(choice: number, byteLength: number): LzmaSymbol {
	if (choice === LITERAL) return { type: "literal", byteLength: 1 };
	if (choice >= REPEATS) return { type: "match", byteLength, distance: choice - REPEATS };
	return byteLength === 1 ? { type: "short-repeat", byteLength } : { type: "repeat", byteLength, which: choice };
}
