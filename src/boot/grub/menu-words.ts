import { commandArguments } from "./made/quoting.ts";
import { readGrubScript, writtenWord } from "./model/script.ts";

/** `text` as one word of a menu entry's `linux` or `initrd`. */
export function grubWord(text: string): string {
	const isBare = text !== "" && !/\s/.test(text);
	return isBare ? text.replace(/['"\\]/g, "\\$&") : `"${text.replace(/["\\]/g, "\\$&")}"`;
}

/** The words that GRUB makes of a menu entry's `linux` or `initrd`, once they are written into a menu. */
export function grubWords(text: string): string[] {
	const [command] = readGrubScript(`linux ${commandArguments(text)}`).statements;
	return command?.type === "command" ? command.words.slice(1).map(writtenWord) : [];
}
