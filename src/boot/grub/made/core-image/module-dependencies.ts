import { type ByteString, byteStringOf, displayName } from "../../../../binary/byte-string.ts";
import { badGrubFile } from "./failures.ts";

const LIST = "moddep.lst";
const MAX_MODULES = 256;
const MODULE_NAME = /^[A-Za-z0-9_][A-Za-z0-9_.+-]{0,62}$/;

/**
 * The modules of the core image in the order in which GRUB must load them: each after those that it depends on.
 * `list` is the content of moddep.lst, lines of `name: name name…`; of lines for one name the last counts.
 * The order is grub2-mkimage's: it takes a line's names from the last to the first.
 * Throws `Oci2isoError` GRUB_MODULE_DEPENDENCIES for a list that cannot be followed.
 */
export function resolveModules(list: Uint8Array, wanted: readonly string[]): string[] {
	const dependencies = parseList(list);
	const resolved = new Set<string>();
	const open = new Set<string>();
	const visit = (nameOrFile: ByteString): void => {
		const name = nameOrFile.replace(/\.mod$/, "");
		if (resolved.has(name)) return;
		if (open.has(name)) throw bad(`${name} depends on itself`);
		if (resolved.size + open.size === MAX_MODULES) throw bad(`more than ${MAX_MODULES} modules are needed`);
		if (!MODULE_NAME.test(name)) throw bad(`"${displayName(name)}" is no module's name`);
		open.add(name);
		for (const needed of [...(dependencies.get(name) ?? [])].reverse()) visit(needed);
		open.delete(name);
		resolved.add(name);
	};
	for (const name of wanted) visit(name);
	return [...resolved];
}

function parseList(list: Uint8Array): Map<ByteString, readonly ByteString[]> {
	const lines = byteStringOf(list).split("\n");
	if (lines.at(-1) === "") lines.pop();
	return new Map(
		lines.map((line, index) => {
			const colon = line.indexOf(":");
			if (colon < 0) throw bad(`line ${index + 1} has no colon`);
			const names = line.slice(colon + 1).split(/[ \t\v\f\r]+/);
			return [line.slice(0, colon), names.filter((name) => name !== "")];
		}),
	);
}

function bad(what: string) {
	return badGrubFile(
		"GRUB_MODULE_DEPENDENCIES",
		LIST,
		what,
		"lines of a module's name, a colon and the modules it needs",
	);
}
