import { stateAfter } from "../../../../../formats/lzma/lzma-model.ts";

/** One step of the coded stream. Distances count from 0: the previous byte. */
export type LzmaSymbol =
	| { readonly type: "literal"; readonly byteLength: 1 }
	| { readonly type: "short-repeat"; readonly byteLength: 1 }
	| { readonly type: "repeat"; readonly byteLength: number; readonly which: number }
	| { readonly type: "match"; readonly byteLength: number; readonly distance: number };

/** What the decoder remembers beside the bytes and the probabilities. */
export interface History {
	readonly state: number;
	/** The last four distances, newest first. */
	readonly distances: Distances;
}

export type Distances = readonly [number, number, number, number];

export const INITIAL_HISTORY: History = { state: 0, distances: [0, 0, 0, 0] };

export function historyAfter({ state, distances }: History, symbol: LzmaSymbol): History {
	const [a, b, c, d] = distances;
	switch (symbol.type) {
		case "literal":
			return { state: stateAfter.literal(state), distances };
		case "short-repeat":
			return { state: stateAfter.shortRepeat(state), distances };
		case "match":
			return { state: stateAfter.match(state), distances: [symbol.distance, a, b, c] };
		case "repeat": {
			const moved = symbol.which === 0 ? distances : symbol.which === 1 ? ([b, a, c, d] as const) : undefined;
			const far = symbol.which === 2 ? ([c, a, b, d] as const) : ([d, a, b, c] as const);
			return { state: stateAfter.repeat(state), distances: moved ?? far };
		}
	}
}
