import { type ByteString, displayName, utf8TextOf } from "../../binary/byte-string.ts";
import { Oci2isoError } from "../../errors.ts";

/** The two names of a directory entry. */
export interface FatName {
	/** 11 ASCII characters: base padded to 8, extension padded to 3. */
	readonly shortName: string;
	/** NT's case flags (0x08 base, 0x10 extension are shown in lower case); 0 with a long name. */
	readonly caseFlags: number;
	/** Needed where the short name cannot express it: as written, at most 255 UTF-16 units. */
	readonly longName: string | undefined;
}

const LOWER_BASE = 0x08;
const LOWER_EXTENSION = 0x10;
const MAX_LONG_UNITS = 255;

/**
 * Names for the entries of one directory, as Linux's vfat chooses them: no long name where base and extension fit 8.3 and
 * each is all upper or all lower case. Aliases are numbered in the order given. Throws FAT_NAME for a name that VFAT
 * cannot hold, FAT_NAME_COLLISION where two differ in case only.
 */
export function fatNames(names: readonly ByteString[]): Map<ByteString, FatName> {
	const texts = names.map((name) => ({ name, text: checkedText(name) }));
	const folded = new Map<string, ByteString>();
	for (const { name, text } of texts) {
		const other = folded.get(text.toUpperCase());
		if (other !== undefined)
			throw nameError("FAT_NAME_COLLISION", `${displayName(other)} and ${displayName(name)} are one name on FAT`);
		folded.set(text.toUpperCase(), name);
	}
	const taken = new Set<string>();
	const result = new Map<ByteString, FatName>();
	// Names that fit come first, so that no alias takes one of them.
	for (const { name, text } of texts) {
		const exact = exactShortName(text);
		if (exact === undefined) continue;
		taken.add(exact.shortName);
		result.set(name, exact);
	}
	for (const { name, text } of texts) {
		if (result.has(name)) continue;
		const shortName = freeAlias(text, taken);
		taken.add(shortName);
		result.set(name, { shortName, caseFlags: 0, longName: text });
	}
	return result;
}

/** As a mount shows it: with the case flags applied. */
export function displayedShortName(shortName: string, caseFlags: number): string {
	const base = shortName.slice(0, 8).trimEnd();
	const extension = shortName.slice(8).trimEnd();
	const shownBase = caseFlags & LOWER_BASE ? base.toLowerCase() : base;
	const shownExtension = caseFlags & LOWER_EXTENSION ? extension.toLowerCase() : extension;
	return shownExtension === "" ? shownBase : `${shownBase}.${shownExtension}`;
}

/** Over the 11 characters of the short name (fatgen103, "ChkSum"); ties long name slots to it. */
export function shortNameChecksum(shortName: string): number {
	let sum = 0;
	for (const c of shortName) sum = (((sum & 1) << 7) + (sum >> 1) + c.charCodeAt(0)) & 0xff;
	return sum;
}

function checkedText(name: ByteString): string {
	const text = utf8TextOf(name);
	const shown = displayName(name);
	if (text === undefined) throw nameError("FAT_NAME", `the name ${shown} is not UTF-8`);
	// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what VFAT forbids
	if (text === "" || /[\x00-\x1f"*/:<>?\\|\x7f]/.test(text))
		throw nameError("FAT_NAME", `FAT cannot hold the name ${shown}`);
	if (/[. ]$/.test(text)) throw nameError("FAT_NAME", `the name ${shown} ends with a dot or a space`);
	if (text.length > MAX_LONG_UNITS) throw nameError("FAT_NAME", `the name ${shown} has ${text.length} characters`);
	return text;
}

function nameError(code: string, what: string): Oci2isoError {
	const expected = "names as VFAT has them, distinct without regard to case";
	return new Oci2isoError({ code, kind: "contract", what, where: "EFI system partition", expected });
}

function exactShortName(text: string): FatName | undefined {
	const match = /^([A-Za-z0-9!#$%&'()@^_`{}~-]{1,8})(?:\.([A-Za-z0-9!#$%&'()@^_`{}~-]{1,3}))?$/.exec(text);
	if (match?.[1] === undefined) return undefined;
	const [base, extension] = [match[1], match[2] ?? ""];
	const shortName = base.toUpperCase().padEnd(8) + extension.toUpperCase().padEnd(3);
	const flags = [caseFlag(base, LOWER_BASE), caseFlag(extension, LOWER_EXTENSION)];
	const [baseFlag, extensionFlag] = flags;
	if (baseFlag === undefined || extensionFlag === undefined) return { shortName, caseFlags: 0, longName: text };
	return { shortName, caseFlags: baseFlag | extensionFlag, longName: undefined };
}

/** 0 without lower case, `flag` without upper case, undefined with both. */
function caseFlag(part: string, flag: number): number | undefined {
	if (part === part.toUpperCase()) return 0;
	return part === part.toLowerCase() ? flag : undefined;
}

function freeAlias(text: string, taken: ReadonlySet<string>): string {
	const bare = text.replace(/^[. ]+/, "");
	const dot = bare.lastIndexOf(".");
	const legal = (part: string): string =>
		part
			.replace(/[. ]/g, "")
			.replace(/[^A-Za-z0-9!#$%&'()@^_`{}~-]/gu, "_")
			.toUpperCase();
	const base = legal(dot < 0 ? bare : bare.slice(0, dot)) || "_";
	const extension = dot < 0 ? "" : legal(bare.slice(dot + 1)).slice(0, 3);
	for (let number = 1; number <= 999_999; number++) {
		const tail = `~${number}`;
		const alias = (base.slice(0, Math.min(6, 8 - tail.length)) + tail).padEnd(8) + extension.padEnd(3);
		if (!taken.has(alias)) return alias;
	}
	throw nameError("FAT_NAME", `there is no free alias for ${text}`);
}
