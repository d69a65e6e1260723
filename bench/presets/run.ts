import { bootRequirements } from "../../test/support/qemu.ts";
import { makePlan, runnable } from "../contenders.ts";
import type { Inputs } from "../inputs.ts";
import { missingCommands } from "../machine.ts";
import type { Setting } from "../settings.ts";
import { measureBoots } from "./boots.ts";
import type { Case } from "./cases.ts";
import { measureReads } from "./reads.ts";
import type { BootRow, ImagePresets, ReadRow } from "./results.ts";
import { sweep, sweepPeers } from "./sweep.ts";

/** The balanced preset's level with every block size: what is read hardly depends on the level. */
const READ_CASES: readonly Case[] = [17, 18, 19, 20].map((log) => ({ codec: "zstd", level: 6, blockBytes: 2 ** log }));
const BOOT_CASES = READ_CASES.filter((_, i) => i === 0 || i === READ_CASES.length - 1);
const MAX_CPU_SECONDS = 60;

export interface PresetsOptions {
	readonly work: string;
	readonly layerBytes: number;
	readonly settings: readonly Setting[];
	readonly rootless: boolean;
	readonly trials: number;
	readonly parts: readonly ("presets" | "boot")[];
	/** Programs of the image are started, as root. */
	readonly runPrograms: boolean;
	readonly smaller: ImagePresets | undefined;
	readonly warn: (line: string) => void;
}

/** Weighs levels and block sizes on one image. */
export async function weighPresets(inputs: Inputs, options: PresetsOptions): Promise<ImagePresets> {
	const { work, layerBytes, smaller, warn, parts } = options;
	const sweeps = parts.includes("presets");
	const plan = makePlan(options.settings, { rootless: options.rootless, scaling: false });
	const peers = runnable({ comparisons: plan.comparisons, scaling: [] }, warn).filter(
		({ name }) => !name.startsWith("oci2iso"),
	);
	if (sweeps) await inputs.prepare({ rootless: options.rootless });
	const codecs = options.settings.map(({ codec }) => codec);
	const sweepOptions = { codecs, work, layerBytes, warn, smaller, maxCpuSeconds: MAX_CPU_SECONDS };
	return {
		name: inputs.name,
		layerBytes,
		points: sweeps ? await sweep(inputs, sweepOptions) : [],
		peers: sweeps ? sweepPeers(peers, inputs, sweepOptions) : [],
		reads: sweeps ? await readsOf(inputs, options) : [],
		boots: parts.includes("boot") ? await bootsOf(inputs, options) : [],
	};
}

async function readsOf(inputs: Inputs, { work, runPrograms, warn }: PresetsOptions): Promise<ReadRow[]> {
	const missing = missingCommands(["root", "mount", "chroot"]);
	if (missing.length > 0) {
		warn(`SKIPPED: reading from the mounted squashfs: needs ${missing.join(", ")}`);
		return [];
	}
	const rows: ReadRow[] = [];
	for (const one of READ_CASES) {
		process.stderr.write(`bench: reading with blocks of ${one.blockBytes} bytes\n`);
		rows.push(...(await measureReads(one, inputs, { work, runPrograms })));
	}
	return rows;
}

async function bootsOf(inputs: Inputs, { work, trials, warn }: PresetsOptions): Promise<BootRow[]> {
	const missing = bootRequirements();
	if (missing !== undefined) {
		warn(`SKIPPED: booting: ${missing}`);
		return [];
	}
	return measureBoots(BOOT_CASES, inputs, { work, trials });
}
