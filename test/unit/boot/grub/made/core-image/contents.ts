import * as fc from "fast-check";
import { noise } from "../../../../../support/noise.ts";

/** How one stretch of a content is made. `back` is a distance where there is as much before, `length` in bytes. */
type Part =
	| { readonly kind: "bytes"; readonly bytes: Uint8Array }
	| { readonly kind: "copy"; readonly back: number; readonly length: number; readonly changed: number }
	| { readonly kind: "noise"; readonly length: number; readonly alphabet: number; readonly seed: number };

function joined(parts: readonly Part[]): Uint8Array {
	const out: number[] = [];
	for (const part of parts) {
		if (part.kind === "bytes") out.push(...part.bytes);
		if (part.kind === "noise") {
			for (const byte of noise(part.length, `${part.seed}`)) out.push(byte % part.alphabet);
		}
		if (part.kind === "copy") {
			const distance = 1 + (part.back % Math.max(1, out.length));
			for (let i = 0; i < part.length; i++) out.push(out[out.length - distance] ?? 0);
			if (part.changed > 10) out.push(part.changed);
		}
	}
	return Uint8Array.from(out);
}

const bytes = fc
	.uint8Array({ minLength: 1, maxLength: 20 })
	.map((content): Part => ({ kind: "bytes", bytes: content }));
const copy = (back: number) =>
	fc.record({
		kind: fc.constant("copy" as const),
		back: fc.nat(back),
		length: fc.integer({ min: 1, max: 400 }),
		changed: fc.nat(20),
	});

/** Literals, copies from near and far, repeated distances and runs, as programs have them. */
export const smallContent: fc.Arbitrary<Uint8Array> = fc
	.array(fc.oneof(bytes, copy(3000)), { minLength: 1, maxLength: 60 })
	.map(joined);

/** The same with stretches of noise between them, long enough that copies are from about the farthest distance of 64 KiB, and from beyond it. */
export const bigContent: fc.Arbitrary<Uint8Array> = fc
	.array(
		fc.oneof(
			bytes,
			copy(3000),
			copy(100_000),
			fc.integer({ min: 65_525, max: 65_545 }).chain(copy),
			fc.record({
				kind: fc.constant("noise" as const),
				length: fc.nat(40_000),
				alphabet: fc.constantFrom(2, 5, 16, 256),
				seed: fc.nat(1e6),
			}),
		),
		{ minLength: 1, maxLength: 150 },
	)
	.map(joined);
