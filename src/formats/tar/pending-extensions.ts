import type { ByteString } from "../../binary/byte-string.ts";
import { type ExtendedHeader, interpretPaxRecords, isUnappliedKeyword } from "./extended-header.ts";
import { type PaxRecord, parsePaxRecords } from "./pax.ts";

/** Members that only describe what follows: PAX headers (x for one member, g for all that follow, X Solaris' older x), GNU's long names. */
const EXTENSION_FLAGS = new Set(["x", "g", "X", "L", "K"]);

export function isExtensionFlag(flag: string): boolean {
	return EXTENSION_FLAGS.has(flag);
}

/** Global records apply to every member after them, each time anew: more would make reading cost more than the archive's length. */
const MAX_GLOBAL_BYTES = 4096;
/** Keywords that are told apart in reports. */
const MAX_UNAPPLIED = 64;
const MAX_UNAPPLIED_CHARACTERS = 128;
const OTHERS = "(others)";

type Fail = (code: string, what: string, expected?: string) => never;

/** The extended headers that were read and wait for their member. */
export class PendingExtensions {
	readonly #fail: Fail;
	#longName: ByteString | undefined;
	#longLink: ByteString | undefined;
	#local: PaxRecord[] | undefined;
	readonly #global = new Map<ByteString, PaxRecord>();
	#globalBytes = 0;
	/** Keywords that were not applied, with the number of members that had them. */
	readonly unapplied = new Map<ByteString, number>();

	constructor(fail: Fail) {
		this.#fail = fail;
	}

	/** Whether a member has to follow. */
	get isPending(): boolean {
		return this.#local !== undefined || this.#longName !== undefined || this.#longLink !== undefined;
	}

	/** Takes a whole extended header, whose `body` must stay as it is. */
	add(flag: string, body: Buffer): void {
		switch (flag) {
			case "L":
				this.#longName = untilNul(body);
				break;
			case "K":
				this.#longLink = untilNul(body);
				break;
			case "g":
				this.#addGlobal(this.#parse(body));
				break;
			default:
				this.#local = this.#parse(body);
		}
	}

	/** What they say about the member that comes now. */
	take(): ExtendedHeader {
		const local = this.#local;
		const longName = this.#longName;
		const longLink = this.#longLink;
		this.#local = undefined;
		this.#longName = undefined;
		this.#longLink = undefined;
		const records = this.#global.size === 0 ? local : [...this.#global.values(), ...(local ?? [])];
		for (const { keyword } of records ?? []) if (isUnappliedKeyword(keyword)) this.#countUnapplied(keyword);
		const header =
			records === undefined
				? {}
				: interpretPaxRecords(records, ({ code, what, expected }) => this.#fail(code, what, expected));
		if (longName !== undefined) header.path = longName;
		if (longLink !== undefined) header.linkTarget = longLink;
		return header;
	}

	#countUnapplied(keyword: ByteString): void {
		const known = this.unapplied.has(keyword) || this.unapplied.size < MAX_UNAPPLIED;
		const name = known ? keyword.slice(0, MAX_UNAPPLIED_CHARACTERS) : OTHERS;
		this.unapplied.set(name, (this.unapplied.get(name) ?? 0) + 1);
	}

	#parse(body: Uint8Array): PaxRecord[] {
		const records = parsePaxRecords(body);
		if (Array.isArray(records)) return records;
		const what = `a malformed PAX record at byte ${records.malformedAt} of its header`;
		return this.#fail("TAR_BAD_PAX_RECORD", what, '"LENGTH KEYWORD=VALUE\\n"');
	}

	#addGlobal(records: readonly PaxRecord[]): void {
		for (const { keyword, value } of records) {
			const old = this.#global.get(keyword);
			if (old !== undefined) this.#globalBytes -= keyword.length + old.value.byteLength;
			this.#globalBytes += keyword.length + value.byteLength;
			// Copied, so that one small record does not hold its whole header in memory.
			this.#global.set(keyword, { keyword, value: Uint8Array.from(value) });
		}
		if (this.#globalBytes > MAX_GLOBAL_BYTES)
			this.#fail("TAR_HEADER_TOO_LARGE", `global headers of ${this.#globalBytes} bytes`, `at most ${MAX_GLOBAL_BYTES}`);
	}
}

function untilNul(body: Buffer): ByteString {
	const end = body.indexOf(0);
	return body.toString("latin1", 0, end === -1 ? body.byteLength : end);
}
