import { median, pairedRatio } from "../statistics.ts";
import type { PayloadResults } from "./run.ts";

/** The table of what a payload adds to an ISO and its build. */
export function payloadMarkdown({ image, alone, withPayload, peerSeconds, bytes }: PayloadResults): string {
	const walls = (costs: PayloadResults["alone"]): number[] => costs.map(({ wallSeconds }) => wallSeconds);
	const cpus = (costs: PayloadResults["alone"]): number[] => costs.map(({ cpuSeconds }) => cpuSeconds);
	const ratio = (a: readonly number[], b: readonly number[]): string => pairedRatio(a, b)?.median.toFixed(2) ?? "";
	const row = (what: string, costs: PayloadResults["alone"], size: number): string =>
		`| ${what} | ${median(walls(costs)).toFixed(2)} | ${median(cpus(costs)).toFixed(2)} | ${(size / 1e6).toFixed(1)} |`;
	const peer =
		peerSeconds === undefined
			? []
			: [
					`| skopeo copy into storage, mksquashfs of both | ${median(peerSeconds).toFixed(2)} | | ${((bytes.peer ?? 0) / 1e6).toFixed(1)} |`,
				];
	return [
		`### A payload in container storage: ${image}`,
		"",
		`An image of the payload's layers and one more of 5 % of their bytes; medians of ${alone.length} rounds.`,
		"",
		"| | wall s | CPU s | MB |",
		"|---|---:|---:|---:|",
		row("the ISO without the payload", alone, bytes.alone),
		row("the ISO with the payload", withPayload, bytes.withPayload),
		...peer,
		"",
		`With the payload, of without: wall ${ratio(walls(withPayload), walls(alone))}, CPU ${ratio(cpus(withPayload), cpus(alone))}, bytes ${(bytes.withPayload / bytes.alone).toFixed(3)}.` +
			(peerSeconds === undefined ? "" : ` Of the other tools' time: ${ratio(walls(withPayload), peerSeconds)}.`),
		"",
	].join("\n");
}
