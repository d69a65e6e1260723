import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { requires } from "../support/requires.ts";

/** Compiler flags with which a wrong access, an overflow or a leak ends the program. */
export const SANITIZE = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"];

/** Why tests with sanitizers cannot run here, told once, or undefined: some systems have a compiler without the sanitizers' libraries. */
export function sanitizersMissing(directory: string): string | undefined {
	const missing = requires("c++");
	if (missing !== undefined) return missing;
	const source = join(directory, "empty.cc");
	writeFileSync(source, "int main() {}\n");
	const { status } = spawnSync("c++", [...SANITIZE, "-o", join(directory, "empty"), source], { stdio: "ignore" });
	if (status === 0) return undefined;
	process.stderr.write("SKIPPED: needs a C++ compiler with -fsanitize=address,undefined\n");
	return "needs sanitizers";
}
