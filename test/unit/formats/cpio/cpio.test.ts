import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type CpioEntry, CpioFault, CpioReader } from "../../../../src/formats/cpio/cpio.ts";
import { newcArchive } from "../../../support/inspect-cpio.ts";

function read(chunks: Iterable<Uint8Array>): { entries: (CpioEntry & { content: string })[]; taken: number } {
	const entries: (CpioEntry & { content: string })[] = [];
	const reader = new CpioReader({
		entry: () => true,
		content: (entry, bytes) => entries.push({ ...entry, content: bytes.toString("latin1") }),
	});
	let taken = 0;
	for (const chunk of chunks) taken += reader.push(chunk);
	reader.finish();
	return { entries, taken };
}

const member = fc.record({
	path: fc.stringMatching(/^[a-z0-9/._-]{1,40}$/),
	mode: fc.integer({ min: 0, max: 0o177777 }),
	content: fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
});

describe("newc archives", () => {
	it("gives back what was packed, whatever the chunks", () => {
		fc.assert(
			fc.property(fc.array(member, { maxLength: 6 }), fc.integer({ min: 1, max: 200 }), (members, step) => {
				const archive = newcArchive(members);
				const chunks = Array.from({ length: Math.ceil(archive.byteLength / step) }, (_, i) =>
					archive.subarray(i * step, (i + 1) * step),
				);
				const { entries, taken } = read(chunks);
				expect(taken).toBe(archive.byteLength);
				expect(entries.map(({ path, mode, content }) => ({ path, mode, content }))).toEqual(
					members.map(({ path, mode, content }) => ({ path, mode, content: content.toString("latin1") })),
				);
			}),
			{ seed: 6, numRuns: 100 },
		);
	});

	it("passes over zeros between archives and stops at what is none", () => {
		const one = newcArchive([{ path: "a", content: Buffer.from("1") }]);
		const two = newcArchive([{ path: "b", content: Buffer.from("22") }]);
		const both = Buffer.concat([one, Buffer.alloc(8), two]);
		const { entries, taken } = read([Buffer.concat([both, Buffer.from([0x1f, 0x8b, 1])])]);
		expect(entries.map(({ path }) => path)).toEqual(["a", "b"]);
		expect(taken).toBe(both.byteLength);
	});

	it("takes an archive that lacks its trailer, as kernels do", () => {
		const archive = newcArchive([{ path: "a", content: Buffer.from("1234") }]);
		expect(read([archive.subarray(0, 110 + 2 + 4)]).entries).toHaveLength(1);
	});

	it.each([
		["a member that ends too early", (bytes: Buffer) => bytes.subarray(0, 100)],
		["a content that ends too early", (bytes: Buffer) => bytes.subarray(0, 114)],
		["another format's header", (bytes: Buffer) => Buffer.concat([Buffer.from("070707"), bytes.subarray(6)])],
		[
			"a size that is no number",
			(bytes: Buffer) => Buffer.concat([bytes.subarray(0, 54), Buffer.from("zz"), bytes.subarray(56)]),
		],
		[
			"a name without end",
			(bytes: Buffer) => Buffer.concat([bytes.subarray(0, 94), Buffer.from("FFFFFFFF"), bytes.subarray(102)]),
		],
	])("refuses %s", (_, change) => {
		const archive = newcArchive([{ path: "a", content: Buffer.from("1234") }]);
		expect(() => read([change(archive)])).toThrow(CpioFault);
	});
});
