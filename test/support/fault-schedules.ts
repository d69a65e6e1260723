import type { FaultKind } from "./faulty-proxy.ts";

/** Small, fast and with a period far beyond what a test draws. */
export function seeded(seed: number): () => number {
	let state = Math.imul(seed + 1, 0x9e3779b1) >>> 0;
	return () => {
		state = (state + 0x6d2b79f5) >>> 0;
		let mixed = Math.imul(state ^ (state >>> 15), state | 1);
		mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
		return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
	};
}

/** One fault of any kind, all about as likely. */
export function drawFault(random: () => number): FaultKind {
	const at = random();
	switch (Math.floor(random() * 15)) {
		case 0:
			return { kind: "refuse" };
		case 1:
		case 2:
			return { kind: "drop", at };
		case 3:
			return { kind: "silence" };
		case 4:
			return { kind: "stall", at };
		case 5:
			return { kind: "truncate", at };
		case 6:
			return { kind: "corrupt", at };
		case 7:
			return { kind: "status", status: [429, 500, 502, 503, 504][Math.floor(at * 5)] ?? 500, retryAfter: "0" };
		case 8:
			return { kind: "ignore-range" };
		case 9:
			return { kind: "wrong-range" };
		case 10:
			return { kind: "wrong-total" };
		case 11:
			return { kind: "range-not-satisfiable" };
		case 12:
			return { kind: "expired-token" };
		case 13:
			return { kind: "garbage" };
		default:
			return { kind: "redirect", expired: at < 0.5 };
	}
}
