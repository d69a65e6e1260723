import {
	FIRST_SLOT_WITH_DIRECT_BITS,
	LENGTH_CLASSES,
	MIN_MATCH_BYTES,
	SPECIAL_DISTANCES,
} from "../../../../../formats/lzma/lzma-model.ts";
import { LONG_BYTES } from "./match-finder.ts";
import {
	ALIGN_VALUES,
	DISTANCE_SLOTS,
	distanceSlot,
	type LengthModel,
	type LzmaModel,
	lengthClass,
	POSITION_STATES,
} from "./model.ts";
import { PriceMeter } from "./price-meter.ts";
import type { LzmaSymbol } from "./symbols.ts";

/** After how many matches the prices of distances are computed anew, and after how many far ones those of their low bits. */
const MATCHES_PER_REFRESH = 128;
const FAR_MATCHES_PER_REFRESH = 16;

/** What lengths of 2 to 32 cost. The prices for a position state are computed anew when it was coded with once for each of them. */
class LengthPrices {
	static readonly #COUNT = LONG_BYTES + 1 - MIN_MATCH_BYTES;
	readonly #model: LengthModel;
	readonly #meter = new PriceMeter();
	readonly #prices = new Uint16Array(POSITION_STATES * LengthPrices.#COUNT);
	readonly #left = new Uint8Array(POSITION_STATES);

	constructor(model: LengthModel) {
		this.#model = model;
		for (let positionState = 0; positionState < POSITION_STATES; positionState++) this.#refresh(positionState);
	}

	of(positionState: number, byteLength: number): number {
		return this.#prices[positionState * LengthPrices.#COUNT + byteLength - MIN_MATCH_BYTES] ?? 0;
	}

	coded(positionState: number): void {
		const left = (this.#left[positionState] ?? 0) - 1;
		this.#left[positionState] = left;
		if (left === 0) this.#refresh(positionState);
	}

	#refresh(positionState: number): void {
		const base = positionState * LengthPrices.#COUNT;
		for (let i = 0; i < LengthPrices.#COUNT; i++) {
			this.#model.code(this.#meter, positionState, MIN_MATCH_BYTES + i);
			this.#prices[base + i] = this.#meter.take();
		}
		this.#left[positionState] = LengthPrices.#COUNT;
	}
}

/** What lengths and distances cost, by tables that follow the model at fixed intervals: those of the LZMA SDK's encoder. */
export class PriceTables {
	readonly matchLengths: LengthPrices;
	readonly repeatLengths: LengthPrices;
	readonly #model: LzmaModel;
	readonly #meter = new PriceMeter();
	/** Of slots, with the bits that are as likely 0 as 1, by length class. */
	readonly #slots = new Uint16Array(LENGTH_CLASSES * DISTANCE_SLOTS);
	/** Of the nearest distances, whole, by length class. */
	readonly #near = new Uint16Array(LENGTH_CLASSES * SPECIAL_DISTANCES);
	readonly #align = new Uint16Array(ALIGN_VALUES);
	#matches = 0;
	#farMatches = 0;

	constructor(model: LzmaModel) {
		this.#model = model;
		this.matchLengths = new LengthPrices(model.matchLength);
		this.repeatLengths = new LengthPrices(model.repeatLength);
		this.#refreshDistances();
		this.#refreshAlign();
	}

	distance(byteLength: number, distance: number): number {
		const forClass = lengthClass(byteLength);
		if (distance < SPECIAL_DISTANCES) return this.#near[forClass * SPECIAL_DISTANCES + distance] ?? 0;
		const ofSlot = this.#slots[forClass * DISTANCE_SLOTS + distanceSlot(distance)] ?? 0;
		return ofSlot + (this.#align[distance % ALIGN_VALUES] ?? 0);
	}

	/** To be called when a symbol was coded at a position of that state. */
	coded(symbol: LzmaSymbol, positionState: number): void {
		if (symbol.type === "repeat") this.repeatLengths.coded(positionState);
		if (symbol.type !== "match") return;
		this.matchLengths.coded(positionState);
		this.#matches++;
		if (distanceSlot(symbol.distance) >= FIRST_SLOT_WITH_DIRECT_BITS) this.#farMatches++;
	}

	/** Computes anew what is due. */
	refresh(): void {
		if (this.#matches >= MATCHES_PER_REFRESH) this.#refreshDistances();
		if (this.#farMatches >= FAR_MATCHES_PER_REFRESH) this.#refreshAlign();
	}

	#refreshDistances(): void {
		this.#matches = 0;
		for (let forClass = 0; forClass < LENGTH_CLASSES; forClass++) {
			for (let slot = 0; slot < DISTANCE_SLOTS; slot++) {
				this.#model.slot(this.#meter, forClass, slot);
				if (slot >= FIRST_SLOT_WITH_DIRECT_BITS) this.#model.directFooter(this.#meter, slot, 0);
				this.#slots[forClass * DISTANCE_SLOTS + slot] = this.#meter.take();
			}
			for (let distance = 0; distance < SPECIAL_DISTANCES; distance++) {
				const slot = distanceSlot(distance);
				this.#model.specialFooter(this.#meter, slot, distance);
				const price = (this.#slots[forClass * DISTANCE_SLOTS + slot] ?? 0) + this.#meter.take();
				this.#near[forClass * SPECIAL_DISTANCES + distance] = price;
			}
		}
	}

	#refreshAlign(): void {
		this.#farMatches = 0;
		for (let value = 0; value < ALIGN_VALUES; value++) {
			this.#model.alignFooter(this.#meter, value);
			this.#align[value] = this.#meter.take();
		}
	}
}
