// How the addon is linked to a library of the system, for binding.gyp: its archive where the compiler finds one, else the shared library.
import { spawnSync } from "node:child_process";
import { isAbsolute } from "node:path";

/** The archive's path, or undefined. */
export function staticLibrary(name) {
	const { stdout } = spawnSync(process.env.CC ?? "cc", [`-print-file-name=lib${name}.a`], { encoding: "utf8" });
	const path = stdout?.trim() ?? "";
	return isAbsolute(path) ? path : undefined;
}

if (process.argv[1] === import.meta.filename)
	process.stdout.write(staticLibrary(process.argv[2]) ?? `-l${process.argv[2]}`);
