import type { Timestamp } from "../../tree/inode.ts";

/** Date and time of a directory entry (fatgen103, "Date and Time Formats"), in UTC. */
export interface DosTime {
	/** Years since 1980 << 9, month << 5, day. */
	readonly date: number;
	/** Hours << 11, minutes << 5, seconds / 2. */
	readonly time: number;
	/** Hundredths of a second beyond `time`, 0 to 199. */
	readonly hundredths: number;
}

const EARLIEST_MS = Date.UTC(1980, 0, 1);
const LATEST_MS = Date.UTC(2107, 11, 31, 23, 59, 59, 990);

/** A time before 1980 becomes the first one that can be stored, one after 2107 the last. */
export function dosTime(timestamp: Timestamp): DosTime {
	const milliseconds = timestamp.seconds * 1000 + Math.floor(timestamp.nanoseconds / 1_000_000);
	const at = new Date(Math.min(Math.max(milliseconds, EARLIEST_MS), LATEST_MS));
	return {
		date: ((at.getUTCFullYear() - 1980) << 9) | ((at.getUTCMonth() + 1) << 5) | at.getUTCDate(),
		time: (at.getUTCHours() << 11) | (at.getUTCMinutes() << 5) | (at.getUTCSeconds() >> 1),
		hundredths: (at.getUTCSeconds() % 2) * 100 + Math.floor(at.getUTCMilliseconds() / 10),
	};
}

/** Seconds since 1970; a day or month of 0 counts back from its neighbour, as Date does. */
export function secondsOfDosTime(date: number, time: number): number {
	const [year, month, day] = [1980 + (date >> 9), (date >> 5) & 15, date & 31];
	return Date.UTC(year, month - 1, day, time >> 11, (time >> 5) & 63, (time & 31) * 2) / 1000;
}
