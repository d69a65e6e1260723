import { execFileSync } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { bootIso } from "../../test/support/qemu.ts";
import { oci2iso } from "../contenders.ts";
import type { Inputs } from "../inputs.ts";
import { ioCounters, textOf } from "../measure/proc.ts";
import { type Case, caseArguments, caseName } from "./cases.ts";
import type { BootRow } from "./results.ts";

/** A USB 2 stick or a slow DVD, and no limit. */
const MEDIA_BYTES_PER_SECOND = [20e6, undefined];

/** Boots the image built in each way, taking turns; the emulated machine starts with nothing cached of its own. */
export async function measureBoots(
	cases: readonly Case[],
	inputs: Inputs,
	{ work, trials }: { readonly work: string; readonly trials: number },
): Promise<BootRow[]> {
	const isos = cases.map((one, i) => {
		const output = join(work, `boot-${i}.iso`);
		const spec = oci2iso(caseName(one), caseArguments(one)).spec(inputs, { output, scratch: work });
		if (spec.kind !== "command") throw new Error("oci2iso is a command");
		const [program = "", ...args] = spec.command;
		execFileSync(program, args, { stdio: ["ignore", "ignore", "inherit"] });
		return { one, output };
	});
	const rows: BootRow[] = [];
	for (const bytesPerSecond of MEDIA_BYTES_PER_SECOND) {
		const taken = isos.map(() => ({ wallSeconds: [] as number[], readBytes: 0 }));
		for (let trial = 0; trial < trials; trial++)
			for (const [i, { one, output }] of isos.entries()) {
				const before = ioCounters(textOf("/proc/self/io")).readBytes;
				const start = performance.now();
				await bootIso(output, "BIOS from USB disk", { mediumBytesPerSecond: bytesPerSecond });
				const seconds = (performance.now() - start) / 1000;
				const row = taken[i];
				if (row === undefined) continue;
				row.wallSeconds.push(seconds);
				row.readBytes = ioCounters(textOf("/proc/self/io")).readBytes - before;
				process.stderr.write(`bench: boot of ${caseName(one)}: ${seconds.toFixed(1)} s\n`);
			}
		for (const [i, { one }] of isos.entries())
			rows.push({ ...one, bytesPerSecond, ...(taken[i] ?? { wallSeconds: [], readBytes: 0 }) });
	}
	for (const { output } of isos) rmSync(output, { force: true });
	return rows;
}
