import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { BuildEvent } from "../../../src/build/progress.ts";
import { createProgress, type ProgressStyle } from "../../../src/cli/progress.ts";

const EVENTS: readonly BuildEvent[] = [
	{ type: "phase", phase: "layers" },
	{ type: "progress", phase: "layers", doneBytes: 64 * 1024 ** 2, totalBytes: 192 * 1024 ** 2 },
	{ type: "notice", text: "two kernels" },
	{ type: "phase", phase: "checksum" },
];

function show(style: ProgressStyle, isTTY: boolean): string {
	let text = "";
	let now = 0;
	const stream = { isTTY, columns: 100, write: (part: string) => (text += part) };
	const progress = createProgress(style, stream, () => now);
	for (const event of EVENTS) {
		progress.onEvent(event);
		now += 2000;
	}
	progress.finish();
	return text;
}

beforeEach(() => {
	vi.stubEnv("CI", "");
	vi.stubEnv("TERM", "xterm");
});
afterEach(() => void vi.unstubAllEnvs());

describe("progress display", () => {
	it.each([
		["CI", "true"],
		["TERM", "dumb"],
	])("does not draw where %s is %s", (name, value) => {
		vi.stubEnv(name, value);
		const text = show("auto", true);
		expect(["\r", "\u001b"].filter((control) => text.includes(control))).toEqual([]);
	});

	it("says on plain lines how far a long phase is, every five seconds", () => {
		let text = "";
		let now = 0;
		const progress = createProgress("plain", { write: (part: string) => (text += part) }, () => now);
		progress.onEvent({ type: "phase", phase: "layers" });
		for (let percent = 0; percent <= 100; percent++, now += 1000)
			progress.onEvent({
				type: "progress",
				phase: "layers",
				doneBytes: percent * 1024 ** 2,
				totalBytes: 100 * 1024 ** 2,
			});
		const lines = text.trimEnd().split("\n");
		expect(lines).toHaveLength(21);
		expect(lines[1]).toBe("oci2iso: reading and compressing layers: 5 %  5.0 MiB of 100.0 MiB  1.0 MiB/s  1:35 left");
	});

	it("draws bytes, rate and time left on a terminal, and leaves a clean line", () => {
		const text = show("auto", true);
		expect(text).toContain("64.0 MiB of 192.0 MiB  32.0 MiB/s  0:04 left");
		expect(text).toContain("note: two kernels\n");
		expect(text.endsWith("\r\u001b[K")).toBe(true);
	});

	it("prints whole lines and no control characters elsewhere", () => {
		for (const text of [show("auto", false), show("plain", true)]) {
			expect(text.split("\n")).toEqual([
				"oci2iso: reading and compressing layers",
				"oci2iso: note: two kernels",
				"oci2iso: computing the media checksum",
				"",
			]);
		}
	});

	it("prints each event as a JSON line", () => {
		const lines = show("json", true).trimEnd().split("\n");
		expect(lines.map((line) => JSON.parse(line))).toEqual(EVENTS);
	});

	it("prints nothing when told so", () => expect(show("none", true)).toBe(""));
});
