import { type ByteString, compareByteStrings } from "../binary/byte-string.ts";

/** Runs of digits or of anything else that are compared; more of them are in no version. */
const MAX_RUNS = 64;

/** Order of versions as people mean it: runs of digits by their value, an epoch before a colon first. Takes time linear in them. */
export function compareVersions(a: ByteString, b: ByteString): number {
	const [left, right] = [runsOf(a), runsOf(b)];
	for (let i = 0; i < Math.max(left.length, right.length); i++) {
		const [x = "", y = ""] = [left[i], right[i]];
		const order = isDigit(x) && isDigit(y) ? compareNumbers(x, y) : compareByteStrings(x, y);
		if (order !== 0) return order;
	}
	return 0;
}

function runsOf(version: ByteString): string[] {
	const colon = version.indexOf(":");
	const runs: string[] = [colon < 0 ? "0" : version.slice(0, colon)];
	let run = "";
	for (const c of version.slice(colon + 1)) {
		if (run !== "" && isDigit(c) !== isDigit(run)) {
			runs.push(run);
			run = "";
			if (runs.length === MAX_RUNS) return runs;
		}
		run += c;
	}
	return run === "" ? runs : [...runs, run];
}

function isDigit(text: string): boolean {
	const c = text.charAt(0);
	return c >= "0" && c <= "9";
}

function compareNumbers(a: string, b: string): number {
	const strip = (text: string): string => text.replace(/^0+/, "");
	const [x, y] = [strip(a), strip(b)];
	return x.length - y.length || compareByteStrings(x, y);
}
