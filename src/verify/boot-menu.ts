import { type ByteString, displayName } from "../binary/byte-string.ts";
import { commandsOf, type GrubStatements, readGrubScript, writtenWord } from "../boot/grub/model/script.ts";
import { readSearchArguments } from "../boot/grub/model/search.ts";
import type { Findings } from "../findings/findings.ts";

export interface BootEntry {
	readonly title: ByteString;
	/** Path of the kernel as GRUB is told, and its arguments. */
	readonly kernel: ByteString | undefined;
	readonly kernelArguments: readonly ByteString[];
	readonly initrds: readonly ByteString[];
	/** Path of the device tree that it has. */
	readonly devicetree?: ByteString | undefined;
	/** Path of the program that it starts in place of a kernel. */
	readonly program?: ByteString | undefined;
}

export interface BootMenu {
	readonly entries: readonly BootEntry[];
	/** Labels, and paths of files, that `search` looks for outside of entries. */
	readonly searchLabels: readonly ByteString[];
	readonly searchFiles: readonly ByteString[];
	readonly modules: readonly ByteString[];
}

/** What a grub.cfg offers. */
export function readBootMenu(script: ByteString, where: string, findings: Findings): BootMenu {
	const { statements, problems } = readGrubScript(script);
	for (const problem of problems) findings.fault(problem, where, "a GRUB script");
	const entries: BootEntry[] = [];
	const searchLabels: ByteString[] = [];
	const searchFiles: ByteString[] = [];
	const modules: ByteString[] = [];
	const visit = (list: GrubStatements): void => {
		for (const { words, block = [] } of commandsOf(list)) {
			const [name, ...rest] = words.map(writtenWord).filter((word) => word !== "!");
			if (name === "menuentry") entries.push(entryOf(rest[0] ?? "", block));
			else if (name === "search") takeSearch(rest);
			else if (name === "insmod" && rest[0] !== undefined) modules.push(rest[0]);
			else if (name === "configfile" || name === "source" || name === ".")
				findings.note(`${name} ${displayName(rest[0] ?? "")} was not followed`, where);
			if (name !== "menuentry") visit(block);
		}
	};
	const takeSearch = (words: readonly ByteString[]): void => {
		const { by, target } = readSearchArguments("search", words);
		if (target !== undefined && by === "label") searchLabels.push(target);
		else if (target !== undefined && by === "file") searchFiles.push(target);
		else if (target !== undefined) findings.note(`search ${displayName(words.join(" "))} was not followed`, where);
	};
	visit(statements);
	return { entries, searchLabels, searchFiles, modules };
}

function entryOf(title: ByteString, block: GrubStatements): BootEntry {
	let kernel: ByteString | undefined;
	let kernelArguments: readonly ByteString[] = [];
	const initrds: ByteString[] = [];
	let program: ByteString | undefined;
	let devicetree: ByteString | undefined;
	const visit = (commands: GrubStatements): void => {
		for (const { words, block: inner = [] } of commandsOf(commands)) {
			const [name, first, ...rest] = words.map(writtenWord);
			if (name !== undefined && /^linux(16|efi)?$/.test(name)) {
				kernel = first;
				kernelArguments = rest;
			} else if (name !== undefined && /^initrd(16|efi)?$/.test(name))
				initrds.push(...[first, ...rest].filter((word) => word !== undefined));
			else if (name === "chainloader") program = rest.at(-1) ?? first ?? "";
			else if (name === "devicetree") devicetree = first;
			visit(inner);
		}
	};
	visit(block);
	return { title, kernel, kernelArguments, initrds, devicetree, program };
}
