import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openOutput } from "../../../src/output/output-file.ts";

let directory = "";
beforeEach(() => {
	directory = mkdtempSync(join(tmpdir(), "oci2iso-test-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

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
