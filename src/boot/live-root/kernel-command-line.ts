/** Linux for x86, COMMAND_LINE_SIZE: of the whole line with its final NUL. */
const MAX_COMMAND_LINE_BYTES = 2048;
const KERNEL_WORD = "BOOT_IMAGE=";

/** /proc/cmdline as GRUB makes it. */
interface KernelCommandLine {
	readonly text: string;
	/** Words that GRUB leaves away, without a message, because the line is full. */
	readonly lost: readonly string[];
}

/**
 * The line that GRUB's `linux` makes of its words (grub-core/lib/cmdline.c): a word with a space is put in double quotes, quotes and backslashes
 * get a backslash, `\xNN` stays. All of it reaches an initramfs, what follows `--` too.
 */
export function grubCommandLine([kernel = "", ...words]: readonly string[]): KernelCommandLine {
	let text = `${KERNEL_WORD}${quoted(kernel)}`;
	let left = MAX_COMMAND_LINE_BYTES - Buffer.byteLength(text) - 1;
	for (const [index, word] of words.entries()) {
		const next = quoted(word);
		left -= Buffer.byteLength(next) + 1;
		if (left < 0) return { text, lost: words.slice(index) };
		text += ` ${next}`;
	}
	return { text, lost: [] };
}

function quoted(word: string): string {
	let out = "";
	for (let at = 0; at < word.length; at++) {
		const c = word.charAt(at);
		const isEscape = c === "\\" && /^x[0-9a-fA-F]{2}$/.test(word.slice(at + 1, at + 4));
		out += !isEscape && (c === "\\" || c === "'" || c === '"') ? `\\${c}` : c;
	}
	return word.includes(" ") ? `"${out}"` : out;
}

export interface KernelArgument {
	readonly name: string;
	/** Undefined where there is no `=`. */
	readonly value: string | undefined;
}

/** The arguments of a command line as dracut-getarg takes it apart (dracut-util.c, after the kernel's next_arg): only double quotes mean anything. */
export function kernelArguments(line: string): KernelArgument[] {
	const found: KernelArgument[] = [];
	let at = 0;
	while (at < line.length) {
		if (isSpace(line.charAt(at))) {
			at++;
			continue;
		}
		let start = at;
		const isQuoted = line[at] === '"';
		if (isQuoted) start = ++at;
		let inQuote = isQuoted;
		let equals = 0;
		for (; at < line.length && (inQuote || !isSpace(line.charAt(at))); at++) {
			if (equals === 0 && line[at] === "=" && at > start) equals = at;
			if (line[at] === '"') inQuote = !inQuote;
		}
		found.push(argumentOf(line.slice(start, at), equals - start, isQuoted));
	}
	return found;
}

function argumentOf(word: string, equals: number, isQuoted: boolean): KernelArgument {
	const closed = (text: string, isOpen: boolean): string => (isOpen && text.endsWith('"') ? text.slice(0, -1) : text);
	if (equals <= 0) return { name: closed(word, isQuoted), value: undefined };
	const value = word.slice(equals + 1);
	const isValueQuoted = value.startsWith('"');
	return {
		name: word.slice(0, equals),
		value: closed(closed(isValueQuoted ? value.slice(1) : value, isValueQuoted), isQuoted),
	};
}

/** C's isspace. */
function isSpace(c: string): boolean {
	return c === " " || (c >= "\t" && c <= "\r");
}
