import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { parseSpecifications } from "../../src/selinux/specifications.ts";
import { numbers, oddPath, oddPolicy, pathsOf } from "../support/policy-paths.ts";
import { requires } from "../support/requires.ts";
import { asked, compileLookup, differences, LOOKUP_NEEDS } from "../support/selabel.ts";
import { roundsOf } from "../support/slow.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const FILES = "contexts/files/file_contexts";
const PATHS = 100_000;
const ODD_POLICIES = 200;
const PATHS_OF_ODD = 300;

describe.skipIf(requires(...LOOKUP_NEEDS))("labels of paths", () => {
	const work = temporaryDirectory("selinux");
	let program = "";
	beforeAll(() => {
		program = compileLookup(work);
	});

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
					{ encoding: "latin1", maxBuffer: 2 ** 28 },
				);
				const records = asked([...made, ...installed.split("\n").slice(0, 10_000)].filter((path) => path !== ""));
				expect(await differences(program, base, records)).toEqual([]);
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
			expect(await differences(program, base, records), directory).toEqual([]);
		}
	});
});
