import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import "../support/every-source.ts";
import { inTurns, Turns } from "../../src/binary/turns.ts";
import { interruptible, Oci2isoError, throwIfAborted } from "../../src/errors.ts";
import { verifyAgainstImage } from "../../src/verify/verify.ts";

const SOURCE = join(import.meta.dirname, "../../src");
const interrupted = expect.objectContaining({ code: "INTERRUPTED", exitStatus: 130 });

describe("an aborted signal", () => {
	it("ends work with INTERRUPTED whatever its reason is, or with an error of ours", async () => {
		const own = new Oci2isoError({ code: "STOPPED", kind: "interrupted", what: "x" });
		for (const reason of [undefined, "text", new Error("other"), new DOMException("x", "AbortError"), 0]) {
			const signal = AbortSignal.abort(reason);
			expect(() => throwIfAborted(signal)).toThrow(interrupted);
			await expect(interruptible(signal, () => Promise.resolve(1))).rejects.toEqual(interrupted);
		}
		expect(() => throwIfAborted(AbortSignal.abort(own))).toThrow(own);
	});

	it("is why work fails that it makes fail, and nothing else's", async () => {
		const controller = new AbortController();
		const failing = (error: unknown) => async () => {
			controller.abort();
			throw error;
		};
		const fault = new Oci2isoError({ code: "CORRUPT", kind: "corrupt", what: "x" });
		await expect(interruptible(undefined, () => Promise.reject(new Error("y")))).rejects.toThrow("y");
		await expect(interruptible(controller.signal, failing(fault))).rejects.toBe(fault);
		await expect(interruptible(new AbortController().signal, () => Promise.reject(new TypeError("z")))).rejects.toThrow(
			TypeError,
		);
		const late = new AbortController();
		await expect(
			interruptible(late.signal, async () => {
				late.abort();
				throw new DOMException("x", "AbortError");
			}),
		).rejects.toEqual(interrupted);
	});

	it("is asked for in one way in the source", () => {
		const wrong = readdirSync(SOURCE, { recursive: true, encoding: "utf8" })
			.filter((name) => name.endsWith(".ts") && name !== "errors.ts")
			.filter((name) => /\.throwIfAborted\(|[sS]ignal\??\.reason/.test(readFileSync(join(SOURCE, name), "utf8")));
		// There it is passed on to requests, or is one of their own: a transfer that stalled.
		expect(wrong.sort()).toEqual(["oci/registry/retry.ts", "oci/registry/transport.ts"]);
	});
});

describe("a limit of the process or the machine", () => {
	const wrapped = (code: string) =>
		new Oci2isoError({
			code: "ISO_UNREADABLE",
			kind: "usage",
			what: "the ISO cannot be read",
			cause: Object.assign(new Error("open"), { code }),
		});

	it("is named as such whoever met it, and by every entry of the library", async () => {
		for (const [errno, code] of [
			["EMFILE", "TOO_MANY_OPEN_FILES"],
			["ENFILE", "TOO_MANY_OPEN_FILES"],
			["ENOMEM", "OUT_OF_MEMORY"],
			["EAGAIN", "TOO_MANY_PROCESSES"],
		] as const) {
			const limit = expect.objectContaining({ code, exitStatus: 6 });
			const source = { byteLength: 100_000, read: () => Promise.reject(wrapped(errno)) };
			await expect(interruptible(undefined, () => Promise.reject(wrapped(errno)))).rejects.toEqual(limit);
			await expect(verifyAgainstImage(source)).rejects.toEqual(limit);
		}
		const other = wrapped("ENOENT");
		await expect(interruptible(undefined, () => Promise.reject(other))).rejects.toBe(other);
	});
});

describe("turns", () => {
	it("come in work that would take long in one piece, as often as the clock says", async () => {
		let turns = 0;
		const work = function* (): Generator<undefined, number, undefined> {
			let sum = 0;
			for (let step = 0; step < 200_000; step++) {
				for (let i = 0; i < 1000; i++) sum += i % 7;
				yield;
			}
			return sum;
		};
		const count = setInterval(() => turns++, 0);
		expect(await inTurns(work())).toBeGreaterThan(0);
		clearInterval(count);
		expect(turns).toBeGreaterThan(3);
	});

	it("end the work where the signal is aborted meanwhile", async () => {
		const controller = new AbortController();
		let steps = 0;
		const endless = function* (): Generator<undefined, void, undefined> {
			for (;;) {
				if (++steps === 1000) setTimeout(() => controller.abort(), 0);
				yield;
			}
		};
		await expect(inTurns(endless(), controller.signal)).rejects.toEqual(interrupted);
		const turns = new Turns(AbortSignal.abort());
		await expect(turns.next()).rejects.toEqual(interrupted);
	});
});
