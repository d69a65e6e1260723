import { formatSize } from "../binary/format-size.ts";
import type { BuildEvent, BuildListener, Phase } from "../build/progress.ts";
import { printJson, printLine, type TextStream } from "./print.ts";
import { formatDuration } from "./values.ts";

/** What each phase is called on a terminal. */
const PHASE_TITLES: Readonly<Record<Phase, string>> = {
	open: "reading the image's manifest",
	layers: "reading and compressing layers",
	squashfs: "writing tables of the root file system",
	contract: "reading the contract",
	tools: "making GRUB's BIOS image",
	image: "writing the ISO",
	checksum: "computing the media checksum",
	digests: "computing checksums of the file",
	push: "sending the ISO to the registry",
	publish: "finishing the file",
	cache: "looking into the shared cache",
	share: "pushing to the shared cache",
};

const PLAIN_INTERVAL_MILLISECONDS = 5000;

export type ProgressStyle = "auto" | "plain" | "json" | "none";

/** Where progress goes: standard error, so that `-o -` keeps standard output for the ISO. */
interface ProgressStream extends TextStream {
	readonly isTTY?: boolean;
	readonly columns?: number;
}

interface ProgressDisplay {
	readonly onEvent: BuildListener;
	/** Leaves the terminal as it was found. */
	finish(): void;
}

/** `auto` draws on a terminal and prints plain lines elsewhere. `nowMilliseconds` feeds the rate and the estimate of time left. */
export function createProgress(
	style: ProgressStyle,
	stream: ProgressStream,
	nowMilliseconds: () => number,
): ProgressDisplay {
	if (style === "none") return { onEvent: () => {}, finish: () => {} };
	if (style === "json") return jsonLines(stream);
	return style === "auto" && canDraw(stream) ? drawn(stream, nowMilliseconds) : plainLines(stream, nowMilliseconds);
}

/** Neither an editor's terminal nor a CI system's understands what a drawn line is made of. */
function canDraw(stream: ProgressStream): boolean {
	const { TERM, CI } = process.env;
	return stream.isTTY === true && TERM !== "dumb" && (CI === undefined || CI === "" || CI === "false");
}

function jsonLines(stream: ProgressStream): ProgressDisplay {
	return { onEvent: (event) => printJson(stream, event), finish: () => {} };
}

/** A phase that takes long says how far it is, at most every five seconds and each percent once. */
function plainLines(stream: ProgressStream, now: () => number): ProgressDisplay {
	let phaseStarted = now();
	let saidAt = phaseStarted;
	let saidPercent = 0;
	return {
		onEvent(event) {
			if (event.type === "phase") {
				phaseStarted = now();
				saidAt = phaseStarted;
				saidPercent = 0;
				printLine(stream, `oci2iso: ${PHASE_TITLES[event.phase]}`);
			}
			if (event.type === "progress" && event.totalBytes !== undefined && event.totalBytes > 0) {
				const percent = Math.floor((100 * event.doneBytes) / event.totalBytes);
				if (now() - saidAt < PLAIN_INTERVAL_MILLISECONDS || percent === saidPercent) return;
				saidAt = now();
				saidPercent = percent;
				const title = PHASE_TITLES[event.phase];
				printLine(stream, `oci2iso: ${title}: ${percent} %  ${describe(event, saidAt - phaseStarted)}`);
			}
			if (event.type === "notice") printLine(stream, `oci2iso: note: ${event.text}`);
		},
		finish: () => {},
	};
}

function drawn(stream: ProgressStream, now: () => number): ProgressDisplay {
	let phaseStarted = now();
	let lineShown = false;
	const clear = () => {
		if (lineShown) stream.write("\r\u001b[K");
		lineShown = false;
	};
	const draw = (line: string) => {
		const width = Math.max(20, (stream.columns || 80) - 1);
		stream.write(`\r\u001b[K${line.slice(0, width)}`);
		lineShown = true;
	};
	return {
		onEvent(event: BuildEvent) {
			if (event.type === "notice") {
				clear();
				printLine(stream, `note: ${event.text}`);
			} else if (event.type === "phase") {
				phaseStarted = now();
				draw(PHASE_TITLES[event.phase]);
			} else {
				draw(`${PHASE_TITLES[event.phase]}  ${describe(event, now() - phaseStarted)}`);
			}
		},
		finish: clear,
	};
}

/** `412.0 MiB of 1.1 GiB  180.2 MiB/s  0:04 left` */
function describe(event: Extract<BuildEvent, { type: "progress" }>, elapsedMilliseconds: number): string {
	const { doneBytes, totalBytes } = event;
	const parts = [
		totalBytes === undefined ? formatSize(doneBytes) : `${formatSize(doneBytes)} of ${formatSize(totalBytes)}`,
	];
	const seconds = elapsedMilliseconds / 1000;
	if (seconds >= 0.5 && doneBytes > 0) {
		const rate = doneBytes / seconds;
		parts.push(`${formatSize(rate)}/s`);
		if (totalBytes !== undefined) parts.push(`${formatDuration((totalBytes - doneBytes) / rate)} left`);
	}
	return parts.join("  ");
}
