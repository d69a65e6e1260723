import { printable } from "../binary/printable.ts";

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
