import { expect, it } from "vitest";
import { HeldBytes } from "../../../src/binary/held-bytes.ts";

it("contents are held up to a bound, for all that hold some", () => {
	const held = new HeldBytes(100);
	expect(held.tryHold(60)).toBe(true);
	expect(held.tryHold(41)).toBe(false);
	expect(() => held.hold(41, "a")).toThrow(/CONTENTS_TOO_LARGE.*41 bytes beside 60 others.*at most 100/);
	held.hold(40, "a");
	held.release(60);
	expect(held.byteLength).toBe(40);
	expect(() => held.hold(Number.MAX_SAFE_INTEGER, "a")).toThrow("CONTENTS_TOO_LARGE");
});
