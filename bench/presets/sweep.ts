import { statSync } from "node:fs";
import { type Contender, oci2iso } from "../contenders.ts";
import type { Inputs } from "../inputs.ts";
import { compileLimit, sampleBlocks } from "../limit/limit.ts";
import { blocksOfImage } from "../run-limits.ts";
import { runTrial } from "../run-rounds.ts";
import { CASES, type Case, caseArguments, caseName } from "./cases.ts";
import type { CasePoint, PeerPoint } from "./results.ts";

/** Bytes of blocks in a sample: enough for a steady speed, and a minute's work for the slowest encoder at most. */
const SAMPLE_BYTES = 24e6;

export interface SweepOptions {
	readonly work: string;
	readonly layerBytes: number;
	readonly codecs: readonly string[];
	readonly warn: (line: string) => void;
	/** No build or peer is run whose processor time is expected to be more. */
	readonly maxCpuSeconds: number;
	/** What a smaller image took. */
	readonly smaller:
		| { readonly layerBytes: number; readonly points: readonly CasePoint[]; readonly peers: readonly PeerPoint[] }
		| undefined;
}

/** Builds the image once in every way; a build takes what it takes, and processor time needs no second opinion. */
export async function sweep(inputs: Inputs, options: SweepOptions): Promise<CasePoint[]> {
	const { work, warn, smaller, maxCpuSeconds } = options;
	const limit = compileLimit(work);
	if ("reason" in limit) warn(`SKIPPED: the speed of decoding: ${limit.reason}`);
	const points: CasePoint[] = [];
	const growth = smaller === undefined ? 0 : options.layerBytes / smaller.layerBytes;
	for (const one of CASES) {
		if (!options.codecs.includes(one.codec)) continue;
		const name = caseName(one);
		const before = smaller?.points.find((point) => caseName(point) === name);
		if (smaller !== undefined && (before?.cpuSeconds ?? Number.POSITIVE_INFINITY) * growth > maxCpuSeconds) continue;
		const result = runTrial(oci2iso(name, caseArguments(one)), inputs, work);
		if (typeof result === "string" || result.squashfsBytes === undefined) {
			warn(`SKIPPED: ${name}: ${typeof result === "string" ? result : "no report"}`);
			continue;
		}
		const { cpuSeconds, peakResidentBytes, squashfsBytes } = result;
		process.stderr.write(`bench: ${name}: ${(squashfsBytes / 1e6).toFixed(1)} MB, ${cpuSeconds.toFixed(2)} s\n`);
		const sample = "reason" in limit ? undefined : await sampleOf(one, inputs, limit.program, work);
		points.push({ ...one, squashfsBytes, cpuSeconds, peakResidentBytes, sample });
	}
	return points;
}

/** The peers, once each; what the reference is measured against is run however long it takes. */
export function sweepPeers(peers: readonly Contender[], inputs: Inputs, options: SweepOptions): PeerPoint[] {
	const { work, warn, smaller, maxCpuSeconds } = options;
	const growth = smaller === undefined ? 0 : options.layerBytes / smaller.layerBytes;
	return peers.flatMap((peer) => {
		const before = smaller?.peers.find(({ name }) => name === peer.name);
		if (peer.name !== "pipeline zstd 15" && (before?.cpuSeconds ?? 0) * growth > maxCpuSeconds) return [];
		const result = runTrial(peer, inputs, work);
		if (typeof result === "string") {
			warn(`FAILED: ${peer.name}: ${result}`);
			return [];
		}
		const { cpuSeconds, squashfsBytes, outputBytes } = result;
		process.stderr.write(`bench: ${peer.name}: ${cpuSeconds.toFixed(2)} s\n`);
		return [{ name: peer.name, imageBytes: squashfsBytes ?? outputBytes, cpuSeconds }];
	});
}

async function sampleOf(one: Case, inputs: Inputs, program: string, work: string): Promise<CasePoint["sample"]> {
	const blocksFile = await blocksOfImage(inputs, work, one.blockBytes);
	const stride = Math.max(1, Math.round(statSync(blocksFile).size / SAMPLE_BYTES));
	const sampled = sampleBlocks(program, { ...one, blocksFile, threads: 1, stride });
	return {
		compressBytesPerSecond: sampled.inputBytes / sampled.cpuSeconds,
		decodeBytesPerSecond: sampled.decodedBytes / sampled.decodeCpuSeconds,
	};
}
