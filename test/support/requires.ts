import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";

/**
 * Why tests that need these cannot run here, or undefined when they can. `root` asks for uid 0, what begins with a slash is a file, anything else names a command on PATH.
 * Prints one line for what is missing, so that a skipped test is never silent. With `OCI2ISO_REQUIRE_ALL=1` a missing thing is a failure.
 */
export function requires(...needs: string[]): string | undefined {
	const missing = needs.filter((need) => (need === "root" ? process.getuid?.() !== 0 : !isThere(need)));
	if (missing.length === 0) return undefined;
	const reason = `needs ${missing.join(", ")}`;
	if (process.env["OCI2ISO_REQUIRE_ALL"] === "1") throw new Error(`${reason}, and OCI2ISO_REQUIRE_ALL=1`);
	process.stderr.write(`SKIPPED: ${reason}\n`);
	return reason;
}

function isThere(name: string): boolean {
	return name.startsWith("/")
		? existsSync(name)
		: spawnSync("sh", ["-c", 'command -v "$1"', "sh", name], { stdio: "ignore" }).status === 0;
}
