import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, onTestFinished, TestRunner } from "vitest";

const left = new Set<string>();
// Suites that are skipped run no hooks.
process.once("exit", () => left.forEach(remove));

/** A new directory that is removed after the test that asks for it; outside of tests, after the file or the `describe` block. Not for hooks. */
export function temporaryDirectory(name = "test", parent = tmpdir()): string {
	const path = mkdtempSync(join(parent, `oci2iso-${name}-`));
	left.add(path);
	(TestRunner.getCurrentTest() === undefined ? afterAll : onTestFinished)(() => remove(path));
	return path;
}

function remove(path: string): void {
	rmSync(path, { recursive: true, force: true });
	left.delete(path);
}
