import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
	closeSync,
	existsSync,
	linkSync,
	lstatSync,
	mkdirSync,
	openSync,
	readdirSync,
	readFileSync,
	readlinkSync,
	rmSync,
	symlinkSync,
	writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { loadNativeAddon } from "../../../src/native/addon.ts";
import { openOutput } from "../../../src/output/output-file.ts";
import { isPartOf, isSamePlace, isStandIn, resolvePlace } from "../../../src/output/place.ts";
import { openReport } from "../../../src/output/report-file.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

let directory = "";
beforeEach(() => {
	directory = temporaryDirectory("test");
});

describe("the output file", () => {
	it("has its name only when it is whole", async () => {
		const path = join(directory, "a.iso");
		const output = openOutput(path);
		output.target.write(4, Buffer.from("tail"));
		output.target.write(0, Buffer.from("head"));
		expect(existsSync(path)).toBe(false);
		await output.publish();
		expect(readFileSync(path, "latin1")).toBe("headtail");
		output.discard();
		expect(readdirSync(directory)).toEqual(["a.iso"]);
	});

	it("leaves nothing when it is discarded", () => {
		const output = openOutput(join(directory, "a.iso"));
		output.target.write(0, Buffer.from("x"));
		output.discard();
		expect(readdirSync(directory)).toEqual([]);
	});

	it("reads back what it wrote, and zeros where it did not", async () => {
		const { target, discard } = openOutput(join(directory, "a.iso"));
		target.write(10, Buffer.from("x"));
		target.truncate(20);
		expect(Buffer.from(await target.read(8, 4)).toString("latin1")).toBe("\0\0x\0");
		expect(target.byteLength).toBe(20);
		await expect(target.read(18, 4)).rejects.toThrow("UNEXPECTED_END");
		discard();
	});

	it("replaces an existing file only when told so", async () => {
		const path = join(directory, "a.iso");
		writeFileSync(path, "old");
		expect(() => openOutput(path)).toThrow("OUTPUT_EXISTS");
		const output = openOutput(path, { overwrite: true });
		output.target.write(0, Buffer.from("new"));
		expect(readFileSync(path, "latin1")).toBe("old");
		await output.publish();
		expect(readFileSync(path, "latin1")).toBe("new");
	});

	it.each([
		["/proc/x", "no files can be made in that directory"],
		["/proc/self/x", "no files can be made in that directory"],
		["/proc/x/y", "the directory does not exist"],
	])("says what is wrong with a place: %s", (path, what) => {
		expect(() => openOutput(path)).toThrow(`OUTPUT_UNWRITABLE: ${what}`);
	});

	it("says with exit status 6 where it cannot write", () => {
		mkdirSync(join(directory, "folder"));
		for (const path of [join(directory, "missing", "a.iso"), join(directory, "folder")]) {
			try {
				openOutput(path, { overwrite: true });
				expect.unreachable();
			} catch (error) {
				expect(error).toMatchObject({ kind: "output", exitStatus: 6 });
			}
		}
		expect(readdirSync(directory)).toEqual(["folder"]);
	});
});

describe("the place of an output", () => {
	const at = (name: string) => join(directory, name);

	it.each(["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "/proc/thread-self/fd/1"])(
		"%s is standard output",
		(path) => {
			expect(resolvePlace(path).kind).toBe("stdout");
			symlinkSync(path === "-" ? "/dev/stdout" : path, at("link"));
			expect(resolvePlace(at("link")).kind).toBe("stdout");
		},
	);

	it("is behind symbolic links, also where nothing is yet, and never takes a link's own place", async () => {
		mkdirSync(at("real"));
		symlinkSync("real", at("folder"));
		symlinkSync("folder/a.iso", at("link"));
		symlinkSync("link", at("twice"));
		for (const [overwrite, text] of [
			[false, "new"],
			[true, "newer"],
		] as const) {
			const output = openOutput(at("twice"), { overwrite });
			output.target.write(0, Buffer.from(text));
			await output.publish();
			expect(readFileSync(at("real/a.iso"), "utf8")).toBe(text);
		}
		expect(readlinkSync(at("twice"))).toBe("link");
		expect(readdirSync(at("real"))).toEqual(["a.iso"]);
		expect(() => openOutput(at("twice"))).toThrow("OUTPUT_EXISTS");
	});

	it("is refused where it is no regular file, with what to do instead", () => {
		symlinkSync("/dev/null", at("null"));
		symlinkSync("loop", at("loop"));
		for (const path of [at(""), "/dev/null", at("null")])
			expect(() => openOutput(path, { overwrite: true })).toThrow("OUTPUT_NOT_A_FILE");
		expect(() => openOutput(`${at("new")}/`)).toThrow("OUTPUT_NOT_A_FILE");
		expect(() => openOutput(at("loop"), { overwrite: true })).toThrow("too many symbolic links");
		expect(lstatSync("/dev/null").isCharacterDevice()).toBe(true);
	});

	it("is the same by any name", () => {
		writeFileSync(at("a"), "");
		linkSync(at("a"), at("hard"));
		symlinkSync("a", at("soft"));
		const isSame = (a: string, b: string) => isSamePlace(resolvePlace(a), resolvePlace(b));
		for (const other of [join(directory, ".", "a"), at("hard"), at("soft")]) expect(isSame(at("a"), other)).toBe(true);
		expect(isSame(at("b.iso"), at("B.ISO"))).toBe(true);
		expect(isSame("-", "/dev/stdout")).toBe(true);
		expect(isSame(at("a"), at("b"))).toBe(false);
		expect(isSame("/dev/null", "/dev/null")).toBe(false);
	});

	it("may not be what is read", () => {
		mkdirSync(at("layout/blobs"), { recursive: true });
		writeFileSync(at("layout/blobs/x"), "");
		symlinkSync("layout", at("link"));
		expect(isPartOf(resolvePlace(at("layout/blobs/x")), at("link"))).toBe(true);
		expect(isPartOf(resolvePlace(at("layout/blobs/x")), at("layout/blobs/x"))).toBe(true);
		expect(isPartOf(resolvePlace(at("layout/new.iso")), at("layout"))).toBe(false);
		expect(isPartOf(resolvePlace(at("layout/blobs/x")), at("missing"))).toBe(false);
	});

	it.each([
		["", 200],
		["", 251],
		["\u00e4", 125],
		["\u{1f4bf}", 62],
	])("has a temporary name that fits: %s", async (letter, count) => {
		const name = `${(letter || "a").repeat(count)}.iso`;
		const output = openOutput(at(name));
		expect(readdirSync(directory)).toHaveLength(1);
		await output.publish();
		expect(readdirSync(directory)).toEqual([name]);
		rmSync(at(name));
		expect(() => openOutput(at(`${name}aaaaaaaaaaaaaaa`.padEnd(256, "a")))).toThrow(
			"longer than the file system takes",
		);
		expect(readdirSync(directory)).toEqual([]);
	});
});

describe("what a killed build left", () => {
	const hasLocks = loadNativeAddon().addon?.lockFile !== undefined;

	it.skipIf(!hasLocks)(
		"goes with the next one, whatever its process id was; what a running build writes stays",
		async () => {
			const path = join(directory, "a.iso");
			const first = openOutput(path);
			const stale = join(directory, ".a.iso.0123abcd.partial");
			writeFileSync(stale, "half");
			for (const other of [".b.iso.0123abcd.partial", ".a.iso.partial", ".a.iso.1.partial"])
				writeFileSync(join(directory, other), "");
			const second = openOutput(path, { overwrite: true });
			expect(existsSync(stale)).toBe(false);
			first.target.write(0, Buffer.from("first"));
			await first.publish();
			await second.publish();
			expect(readdirSync(directory).sort()).toEqual([
				".a.iso.1.partial",
				".a.iso.partial",
				".b.iso.0123abcd.partial",
				"a.iso",
			]);
		},
	);

	it.skipIf(!hasLocks)("is free as soon as its process has ended, by whatever signal", async () => {
		const path = join(directory, "a.iso");
		const module = join(import.meta.dirname, "../../../src/output/output-file.ts");
		const code = `const { openOutput } = await import(${JSON.stringify(module)}); openOutput(${JSON.stringify(path)}); console.log("open"); setInterval(() => {}, 1000);`;
		const child = spawn(process.execPath, ["--import", import.meta.resolve("tsx"), "--input-type=module", "-e", code]);
		await once(child.stdout, "data");
		const left = readdirSync(directory);
		expect(left).toHaveLength(1);
		openOutput(path).discard();
		expect(readdirSync(directory)).toEqual(left);
		child.kill("SIGKILL");
		await once(child, "close");
		openOutput(path).discard();
		expect(readdirSync(directory)).toEqual([]);
	});

	it("is named where nobody can say whether it is in use", () => {
		const stale = join(directory, ".a.iso.0123abcd.partial");
		symlinkSync("/dev/null", stale);
		const output = openOutput(join(directory, "a.iso"));
		expect(output.notices).toEqual([expect.stringContaining(stale)]);
		output.discard();
	});
});

describe("standard output", () => {
	afterEach(() => void vi.unstubAllEnvs());

	it("needs a temporary directory, which the error calls TMPDIR", () => {
		vi.stubEnv("TMPDIR", join(directory, "missing"));
		expect(() => openOutput("-")).toThrow(/TEMPORARY_DIRECTORY_UNWRITABLE: .*ENOENT.*point TMPDIR at/);
		vi.stubEnv("TMPDIR", directory);
		const output = openOutput("-");
		expect(output.isSpooled).toBe(true);
		expect(output.target.failure({ code: "ENOSPC" }).message).toMatch(/TEMPORARY_DIRECTORY_FULL: .*TMPDIR/);
		output.discard();
		expect(readdirSync(directory)).toEqual([]);
	});
});

describe("two builds of one name", () => {
	it("do not take it from each other", async () => {
		const path = join(directory, "a.iso");
		const [first, second] = [openOutput(path), openOutput(path)];
		first.target.write(0, Buffer.from("first"));
		await first.publish();
		await expect(second.publish()).rejects.toThrow("OUTPUT_EXISTS");
		second.discard();
		expect(readFileSync(path, "utf8")).toBe("first");
		expect(readdirSync(directory)).toEqual(["a.iso"]);
	});
});

describe("the report", () => {
	it("has its place before anything is done, and its name when it is whole", async () => {
		const path = join(directory, "r.json");
		const report = openReport(path, {});
		expect(existsSync(path)).toBe(false);
		await report?.write("{}");
		expect(existsSync(path)).toBe(false);
		await report?.publish();
		report?.discard();
		expect(readFileSync(path, "utf8")).toBe("{}");
		expect(() => openReport(path, {})).toThrow("OUTPUT_EXISTS");
		const next = openReport(path, { overwrite: true });
		await next?.write("[]");
		await next?.publish();
		expect(readFileSync(path, "utf8")).toBe("[]");
		expect(readdirSync(directory)).toEqual(["r.json"]);
	});

	it("goes to devices too, and not to directories", async () => {
		expect(openReport("-", {})).toBeUndefined();
		await openReport("/dev/null", {})?.write("{}");
		await expect(openReport("/dev/full", {})?.write("{}")).rejects.toMatchObject({ code: "DISK_FULL", exitStatus: 6 });
		expect(() => openReport(directory, {})).toThrow("OUTPUT_NOT_A_FILE");
		expect(() => openReport(join(directory, "missing/r.json"), {})).toThrow("OUTPUT_UNWRITABLE");
	});
});

it("knows what Node opens for a descriptor that was closed from what was redirected", () => {
	const show = `process.stderr.write(require("fs").readFileSync("/proc/self/fdinfo/1", "latin1"))`;
	const { stderr } = spawnSync("sh", ["-c", `"$0" -e '${show}' >&-`, process.execPath], { encoding: "utf8" });
	expect(stderr).toMatch(/^flags:\s*0[0-7]*2$/m);
	for (const [path, flags, expected] of [
		["/dev/null", "r+", true],
		["/dev/null", "w", false],
		["/dev/full", "r+", false],
	] as const) {
		const descriptor = openSync(path, flags);
		expect(isStandIn(descriptor)).toBe(expected);
		closeSync(descriptor);
	}
});
