import type { Field } from "../../binary/record.ts";

/** First and last second that the 7-byte form can say: 1900-01-01 and 2155-12-31, both UTC. */
export const EARLIEST_RECORDING_SECONDS = Date.UTC(1900, 0, 1) / 1000;
export const LATEST_RECORDING_SECONDS = Date.UTC(2155, 11, 31, 23, 59, 59) / 1000;

/** The nearest time that the 7-byte form can say. */
export function clampRecordingSeconds(seconds: number): number {
	return Math.min(Math.max(Math.floor(seconds), EARLIEST_RECORDING_SECONDS), LATEST_RECORDING_SECONDS);
}

/** ECMA-119 9.1.5: recording date and time, 7 bytes. The value is whole seconds since 1970; written as UTC. */
export function recordingDate(position: number): Field<number> {
	return {
		offset: position - 1,
		byteLength: 7,
		encode(seconds, view, at) {
			new Uint8Array(view.buffer, view.byteOffset + at, 7).set(encodeRecordingDate(seconds));
		},
		decode(view, at) {
			return decodeRecordingDate(new Uint8Array(view.buffer, view.byteOffset + at, 7));
		},
	};
}

export function encodeRecordingDate(seconds: number): Buffer {
	const date = new Date(seconds * 1000);
	return Buffer.from([
		date.getUTCFullYear() - 1900,
		date.getUTCMonth() + 1,
		date.getUTCDate(),
		date.getUTCHours(),
		date.getUTCMinutes(),
		date.getUTCSeconds(),
		0,
	]);
}

export function decodeRecordingDate(bytes: Uint8Array): number {
	const view = new DataView(bytes.buffer, bytes.byteOffset, 7);
	const local = Date.UTC(
		1900 + view.getUint8(0),
		view.getUint8(1) - 1,
		view.getUint8(2),
		view.getUint8(3),
		view.getUint8(4),
		view.getUint8(5),
	);
	return local / 1000 - view.getInt8(6) * QUARTER_HOUR_SECONDS;
}

/** ECMA-119 8.4.26.1: date and time in digits, 17 bytes. undefined is "not specified" (all digits 0). */
export function digitDate(position: number): Field<number | undefined> {
	return {
		offset: position - 1,
		byteLength: 17,
		encode(seconds, view, at) {
			const target = Buffer.from(view.buffer, view.byteOffset + at, 17);
			const digits = seconds === undefined ? "0".repeat(16) : `${utcDigits(seconds)}00`;
			target.write(digits, "latin1");
		},
		decode(view, at) {
			const digits = Buffer.from(view.buffer, view.byteOffset + at, 16).toString("latin1");
			const parts = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)\d\d$/.exec(digits);
			if (parts === null || /^0+$/.test(digits)) return undefined;
			const [year, month, day, hour, minute, second] = parts.slice(1).map(Number) as DateNumbers;
			const local = new Date(0);
			local.setUTCFullYear(year, month - 1, day);
			local.setUTCHours(hour, minute, second);
			return local.getTime() / 1000 - view.getInt8(at + 16) * QUARTER_HOUR_SECONDS;
		},
	};
}

const QUARTER_HOUR_SECONDS = 15 * 60;
type DateNumbers = [number, number, number, number, number, number];

function utcDigits(seconds: number): string {
	return new Date(seconds * 1000).toISOString().replace(/\D/g, "").slice(0, 14);
}
