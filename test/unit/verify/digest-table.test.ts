import { createHash } from "node:crypto";
import { expect, it } from "vitest";
import { DigestTable } from "../../../src/verify/digest-table.ts";

it("keeps digests by number, far ones too, and knows those that are not there", () => {
	const digest = (number: number): Buffer => createHash("sha256").update(String(number)).digest();
	const table = new DigestTable();
	const numbers = [0, 1, 1023, 1024, 5000, 100_000];
	for (const number of numbers) table.set(number, digest(number));
	for (const number of numbers) expect(table.get(number)).toBe(digest(number).toString("hex"));
	for (const number of [2, 1025, 99_999, 100_001, 1e9])
		expect([table.has(number), table.get(number)]).toEqual([false, undefined]);
	expect(() => table.set(3, Buffer.alloc(20))).toThrow("32 bytes");
});
