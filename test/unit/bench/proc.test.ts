import { linkSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { diskUsage } from "../../../bench/measure/disk-usage.ts";
import { childTicks, ioCounters, residentMemory, threadTicks } from "../../../bench/measure/proc.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

describe("what the kernel accounts for a process", () => {
	it("finds ticks, its own and its children's, behind a name with spaces and parentheses", () => {
		const stat = "42 (a) b (c) S 1 42 42 0 -1 4194560 900 8 0 0 11 13 170 19 20 0 7 0 500 1000 200";
		expect([childTicks(stat), threadTicks(stat)]).toEqual([189, 24]);
	});

	it("reads the counters of bytes", () => {
		const io = "rchar: 5\nwchar: 7\nsyscr: 1\nsyscw: 2\nread_bytes: 3\nwrite_bytes: 4096\ncancelled_write_bytes: 9\n";
		expect(ioCounters(io)).toEqual({ readBytes: 5, writtenBytes: 7, diskWrittenBytes: 4096 });
	});

	it("gives no counters where the kernel keeps none", () => expect(ioCounters("").readBytes).toBeNaN());

	it("reads resident memory, and nothing of a process that is gone", () => {
		const status = "Name:\tnode\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\n";
		expect(residentMemory(status)).toEqual({ nowBytes: 1024 * 1024, peakBytes: 2048 * 1024 });
		expect(residentMemory("")).toEqual({ nowBytes: 0, peakBytes: 0 });
	});
});

describe("diskUsage", () => {
	it("counts a file with two names once", () => {
		const directory = temporaryDirectory("bench");
		mkdirSync(join(directory, "a"));
		const empty = diskUsage(directory);
		writeFileSync(join(directory, "a/one"), Buffer.alloc(100_000, 1));
		const single = diskUsage(directory);
		linkSync(join(directory, "a/one"), join(directory, "two"));
		expect(single - empty).toBeGreaterThanOrEqual(100_000);
		expect(diskUsage(directory)).toBe(single);
	});
});
