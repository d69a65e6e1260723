import { printable } from "../binary/printable.ts";
import { outputError } from "../output/file-target.ts";

/** Where text goes: standard output or standard error. */
export interface TextStream {
	write(text: string): unknown;
}

/** One line for people; whatever the text is made of, it is one line and cannot steer a terminal. */
export function printLine(stream: TextStream, text: string): void {
	stream.write(`${printable(text)}\n`);
}

/** Lines for people that are our own: a report, a stack trace. */
export function printLines(stream: TextStream, text: string): void {
	for (const line of text.replace(/\n$/, "").split("\n")) printLine(stream, line);
}

/** For programs: nothing but JSON's own escapes. */
export function printJson(stream: TextStream, value: unknown, indent?: number): void {
	stream.write(`${JSON.stringify(value, undefined, indent)}\n`);
}

/** Writes what `print` writes to standard output. Rejects with `Oci2isoError` OUTPUT_CLOSED or DISK_FULL (exit 6) where its reader went away or it is full. */
export function onStandardOutput(print: (stream: TextStream) => void): Promise<void> {
	let text = "";
	print({ write: (part) => (text += part) });
	const stream = process.stdout;
	return new Promise((resolve, reject) => {
		stream.write(text, (cause) => {
			if (cause === null || cause === undefined) resolve();
			else reject(outputError("standard output", cause));
		});
	});
}

/** A stream that fails without a listener would end the process with a stack trace. What nobody reads on standard error stops nothing. */
export function guardStreams(): void {
	for (const stream of [process.stdout, process.stderr]) stream.on("error", () => {});
}
