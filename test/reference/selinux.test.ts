import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import type { ByteString } from "../../src/binary/byte-string.ts";
import { readPolicy, type SelinuxPolicy } from "../../src/selinux/policy.ts";
import { parseSpecifications } from "../../src/selinux/specifications.ts";
import type { Inode } from "../../src/tree/inode.ts";
import { INODE_TYPES, numbers, oddPath, oddPolicy, pathsOf } from "../support/policy-paths.ts";
import { requires } from "../support/requires.ts";
import { roundsOf } from "../support/slow.ts";
import { SmallRoot } from "../support/small-root.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const LIBRARY = "/usr/lib/x86_64-linux-gnu/libselinux.so.1";
const FILES = "contexts/files/file_contexts";
const PATHS = 100_000;
const ODD_POLICIES = 200;
const PATHS_OF_ODD = 300;

interface Asked {
	readonly path: ByteString;
	readonly type: Inode["type"];
	readonly bits: number;
}

/** Each path with one of the types, in turn. */
function asked(paths: readonly ByteString[]): Asked[] {
	return paths.map((path, i) => {
		const [type, bits] = INODE_TYPES[i % INODE_TYPES.length] ?? ["file", 0];
		return { path, type, bits };
	});
}

describe.skipIf(requires("gcc", "/usr/include/selinux/label.h", LIBRARY))("labels of paths", () => {
	const work = temporaryDirectory("selinux");
	const program = join(work, "selabel-lookup");
	beforeAll(() => {
		execFileSync("gcc", ["-O2", "-o", program, join(import.meta.dirname, "selabel-lookup.c"), "-lselinux"]);
	});

	/** What the installed libselinux says of the policy whose `file_contexts` is at `base`. */
	function theirs(base: string, records: readonly Asked[]): string[] {
		const input = Buffer.from(records.map(({ path, bits }) => `${bits.toString(8)} ${path}\0`).join(""), "latin1");
		const output = execFileSync(program, [base], { input, maxBuffer: 2 ** 30 });
		return output.toString("latin1").split("\n").slice(0, -1);
	}

	/** The same policy in an image with the same library. */
	async function ours(base: string): Promise<SelinuxPolicy> {
		const root = new SmallRoot().file("/etc/selinux/config", "SELINUXTYPE=x\n").file(LIBRARY, readFileSync(LIBRARY));
		for (const suffix of ["", ".homedirs", ".local", ".subs", ".subs_dist"])
			try {
				root.file(`/etc/selinux/x/${FILES}${suffix}`, readFileSync(base + suffix));
			} catch {}
		const policy = await readPolicy(root, { mode: undefined, type: "x" });
		if (policy === undefined) throw new Error("no policy");
		return policy;
	}

	function differences(policy: SelinuxPolicy, base: string, records: readonly Asked[]): string[] {
		const said = theirs(base, records);
		expect(said.length).toBe(records.length);
		return records.flatMap(({ path, type }, i) => {
			const own = policy.labelFor(path, type)?.context ?? "-";
			return own === said[i] ? [] : [`${JSON.stringify(path)} ${type}: ${own}, not ${said[i]}`];
		});
	}

	describe.each(["default", "mls"])("of Debian's policy %s", (name) => {
		const base = `/etc/selinux/${name}/${FILES}`;

		it.skipIf(requires(base))(
			"are libselinux's, of files that are installed here and of paths that its patterns are for",
			async () => {
				const specifications = parseSpecifications(readFileSync(base, "latin1"), base, 0);
				const made = pathsOf(specifications, roundsOf(PATHS) / (name === "mls" ? 4 : 1), 1);
				const installed = execFileSync(
					"find",
					["/etc", "/usr/bin", "/usr/sbin", "/usr/lib/systemd", "/var/lib", "/dev"],
					{
						encoding: "latin1",
						maxBuffer: 2 ** 28,
					},
				);
				const records = asked([...made, ...installed.split("\n").slice(0, 10_000)].filter((path) => path !== ""));
				expect(differences(await ours(base), base, records)).toEqual([]);
			},
			120_000,
		);
	});

	it("are libselinux's where specifications and substitutions contradict each other", async () => {
		const random = numbers(20);
		for (let round = 0; round < roundsOf(ODD_POLICIES); round++) {
			const directory = join(work, `odd-${round}`);
			mkdirSync(directory);
			const base = join(directory, "file_contexts");
			for (const [suffix, text] of Object.entries(oddPolicy(random))) writeFileSync(base + suffix, text);
			const records = asked(Array.from({ length: PATHS_OF_ODD }, () => oddPath(random)));
			expect(differences(await ours(base), base, records), directory).toEqual([]);
		}
	});
});
