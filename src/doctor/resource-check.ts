import { readFileSync } from "node:fs";
import { availableParallelism, cpus, totalmem } from "node:os";
import { formatSize } from "../binary/format-size.ts";
import { MiB } from "../binary/units.ts";
import type { Findings } from "../findings/findings.ts";

/** A build takes some 130 MiB. */
const ENOUGH_MEMORY_BYTES = 160 * MiB;
const ENOUGH_FILES = 256;

/** Memory, processors and open files, and what this process may have of them. */
export function checkResources(findings: Findings): void {
	const allowed = process.constrainedMemory?.() ?? 0;
	const total = totalmem();
	const isLimited = allowed > 0 && allowed < total;
	const bytes = isLimited ? allowed : total;
	const memory = `${formatSize(bytes)} of memory`;
	if (bytes < ENOUGH_MEMORY_BYTES)
		findings.warn("MEMORY", `${memory}: a build may need more`, { remedy: "fewer --jobs take less" });
	else findings.ok("MEMORY", memory, isLimited ? `a limit; the machine has ${formatSize(total)}` : undefined);
	findings.ok("PROCESSORS", `${availableParallelism()} processors`, cpus()[0]?.model);
	const files = mostOpenFiles();
	if (files !== undefined && files < ENOUGH_FILES)
		findings.warn("OPEN_FILES", `this process may open ${files} files`, { remedy: "ulimit -n 1024" });
	else if (files !== undefined) findings.ok("OPEN_FILES", `this process may open ${files} files`);
}

/** Undefined where the system does not say, or has no limit. */
function mostOpenFiles(): number | undefined {
	try {
		const limit = /^Max open files +(\d+)/m.exec(readFileSync("/proc/self/limits", "latin1"))?.[1];
		return limit === undefined ? undefined : Number(limit);
	} catch {
		return undefined;
	}
}
