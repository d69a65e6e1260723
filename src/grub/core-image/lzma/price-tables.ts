import {
	DISTANCE_SLOTS,
	distanceSlot,
	LENGTH_CLASSES,
	type LengthModel,
	type LzmaModel,
	lengthClass,
	MAX_MATCH_BYTES,
	MIN_MATCH_BYTES,
	POSITION_STATES,
} from "./model.ts";
import { PriceMeter } from "./price-meter.ts";

/** What lengths and distances cost with a model as it is when the tables are made. */
export class PriceTables {
	readonly #matchLengths: Uint16Array;
	readonly #repeatLengths: Uint16Array;
	readonly #slots: Uint16Array;
	readonly #model: LzmaModel;
	readonly #meter = new PriceMeter();

	constructor(model: LzmaModel) {
		this.#model = model;
		this.#matchLengths = this.#lengths(model.matchLength);
		this.#repeatLengths = this.#lengths(model.repeatLength);
		this.#slots = Uint16Array.from({ length: LENGTH_CLASSES * DISTANCE_SLOTS }, (_, index) => {
			model.slot(this.#meter, Math.floor(index / DISTANCE_SLOTS), index % DISTANCE_SLOTS);
			return this.#meter.take();
		});
	}

	matchLength(positionState: number, byteLength: number): number {
		return this.#matchLengths[positionState * (MAX_MATCH_BYTES + 1) + byteLength] ?? 0;
	}

	repeatLength(positionState: number, byteLength: number): number {
		return this.#repeatLengths[positionState * (MAX_MATCH_BYTES + 1) + byteLength] ?? 0;
	}

	distance(byteLength: number, distance: number): number {
		const slot = distanceSlot(distance);
		this.#model.distanceFooter(this.#meter, slot, distance);
		return (this.#slots[lengthClass(byteLength) * DISTANCE_SLOTS + slot] ?? 0) + this.#meter.take();
	}

	#lengths(model: LengthModel): Uint16Array {
		const prices = new Uint16Array(POSITION_STATES * (MAX_MATCH_BYTES + 1));
		for (let positionState = 0; positionState < POSITION_STATES; positionState++) {
			for (let length = MIN_MATCH_BYTES; length <= MAX_MATCH_BYTES; length++) {
				model.code(this.#meter, positionState, length);
				prices[positionState * (MAX_MATCH_BYTES + 1) + length] = this.#meter.take();
			}
		}
		return prices;
	}
}
