import { execFileSync } from "node:child_process";
import { copyFileSync, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { ByteString } from "../../src/binary/byte-string.ts";
import { readPolicy } from "../../src/selinux/policy.ts";
import type { Inode } from "../../src/tree/inode.ts";
import { INODE_TYPES } from "./policy-paths.ts";
import { SmallRoot } from "./small-root.ts";

export const LIBRARY = "/usr/lib/x86_64-linux-gnu/libselinux.so.1";
/** What `compileLookup` needs. */
export const LOOKUP_NEEDS = ["gcc", "/usr/include/selinux/label.h", LIBRARY] as const;
const SUFFIXES = ["", ".homedirs", ".local", ".subs", ".subs_dist"];

export interface Asked {
	readonly path: ByteString;
	readonly type: Inode["type"];
	readonly bits: number;
}

/** Each path with one of the types, in turn. */
export function asked(paths: readonly ByteString[]): Asked[] {
	return paths.map((path, i) => {
		const [type, bits] = INODE_TYPES[i % INODE_TYPES.length] ?? ["file", 0];
		return { path, type, bits };
	});
}

/** The program that asks libselinux, made in `directory`. */
export function compileLookup(directory: string): string {
	const program = join(directory, "selabel-lookup");
	execFileSync("gcc", ["-O2", "-o", program, join(import.meta.dirname, "selabel-lookup.c"), "-lselinux"]);
	return program;
}

/** In which of the records the labels of the policy whose `file_contexts` is at `base` are not those of libselinux, the host's or that of another root, which is entered for it. */
export async function differences(
	program: string,
	base: string,
	records: readonly Asked[],
	root = "/",
): Promise<string[]> {
	const said = theirs(program, base, records, root);
	if (said.length !== records.length) throw new Error(`${said.length} answers for ${records.length} paths`);
	const image = new SmallRoot().file("/etc/selinux/config", "SELINUXTYPE=x\n");
	image.file(LIBRARY, readFileSync(join(root, LIBRARY)));
	for (const suffix of SUFFIXES) {
		const path = join(root, base + suffix);
		if (existsSync(path)) image.file(`/etc/selinux/x/contexts/files/file_contexts${suffix}`, readFileSync(path));
	}
	const policy = await readPolicy(image, { mode: undefined, type: "x" });
	return records.flatMap(({ path, type }, i) => {
		const own = policy?.labelFor(path, type)?.context ?? "-";
		return own === said[i] ? [] : [`${JSON.stringify(path)} ${type}: ${own}, not ${said[i]}`];
	});
}

function theirs(program: string, base: string, records: readonly Asked[], root: string): string[] {
	const input = Buffer.from(records.map(({ path, bits }) => `${bits.toString(8)} ${path}\0`).join(""), "latin1");
	let command = [program, base];
	if (root !== "/") {
		copyFileSync(program, join(root, "selabel-lookup"));
		command = ["chroot", root, "/selabel-lookup", base];
	}
	const [name = "", ...args] = command;
	const output = execFileSync(name, args, { input, maxBuffer: 2 ** 30 });
	return output.toString("latin1").split("\n").slice(0, -1);
}
