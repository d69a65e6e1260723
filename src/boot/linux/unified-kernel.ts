import type { ByteSource } from "../../binary/byte-source.ts";
import { byteStringOf, utf8TextOf } from "../../binary/byte-string.ts";
import { KiB } from "../../binary/units.ts";
import { decodePeHead, type PeLayout } from "../../formats/pe/pe-layout.ts";
import { PASSING_HEAD_BYTES } from "../../formats/pe/signed-program.ts";

/** A section, as a place in the file. */
export interface FileStretch {
	readonly offset: number;
	readonly byteLength: number;
}

/** A kernel with what it starts, as one EFI program (UAPI Group, "Unified Kernel Image"). */
export interface UnifiedKernel {
	/** As in the COFF header. */
	readonly machine: number;
	readonly linux: FileStretch;
	readonly initrd: FileStretch | undefined;
	/** What the kernel is given, without line breaks; with Secure Boot nothing else is. */
	readonly commandLine: string;
	/** As `uname -r`, where it says so. */
	readonly release: string | undefined;
	/** Of os-release(5), where it has one: the text of it. */
	readonly osRelease: string;
}

/** Of one text in it. */
const MAX_TEXT_BYTES = 64 * KiB;
/** Begins the sections that are for one of several command lines. */
const PROFILE = ".profile";

/** Undefined where the program is no unified kernel; in words where it is no program, or texts are too long. Rejects as `source.read`. */
export async function readUnifiedKernel(source: ByteSource): Promise<UnifiedKernel | string | undefined> {
	const { byteLength } = source;
	const layout = decodePeHead(await source.read(0, Math.min(PASSING_HEAD_BYTES, byteLength)), byteLength);
	if (layout === undefined) return "its headers lie further on";
	if (typeof layout === "string") return layout;
	const sections = sectionsOf(layout);
	const linux = sections.get(".linux");
	if (linux === undefined) return undefined;
	const [osRelease = "", commandLine = "", uname = ""] = await Promise.all(
		[".osrel", ".cmdline", ".uname"].map(async (name) => {
			const { offset, byteLength: length } = sections.get(name) ?? { offset: 0, byteLength: 0 };
			return length > MAX_TEXT_BYTES ? undefined : textOf(await source.read(offset, length));
		}),
	);
	return {
		machine: layout.machine,
		linux,
		initrd: sections.get(".initrd"),
		commandLine: commandLine.replace(/\p{Cc}+/gu, " ").trim(),
		release: /^[!-~]+/.exec(uname)?.[0],
		osRelease,
	};
}

/** Those that count where nobody asks for a profile: of several the first's, where it has them, before those of all. */
function sectionsOf({ sections }: PeLayout): ReadonlyMap<string, FileStretch> {
	const found = new Map<string, FileStretch & { readonly profile: number }>();
	let profile = 0;
	for (const { name, fileOffset: offset, fileBytes, virtualBytes } of sections) {
		if (name === PROFILE && ++profile > 1) break;
		const known = found.get(name);
		const byteLength = virtualBytes === 0 ? fileBytes : Math.min(virtualBytes, fileBytes);
		if (byteLength > 0 && (known === undefined || known.profile < profile))
			found.set(name, { offset, byteLength, profile });
	}
	return found;
}

function textOf(bytes: Uint8Array): string {
	const text = byteStringOf(bytes);
	return utf8TextOf(text) ?? text;
}
