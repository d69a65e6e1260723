import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { parseSpecifications } from "../../src/selinux/specifications.ts";
import { FIXTURE_NEEDS } from "../support/fixture.ts";
import { numbers, oddPath, oddPolicy, pathsOf } from "../support/policy-paths.ts";
import { requires } from "../support/requires.ts";
import { asked, compileLookup, differences, LOOKUP_NEEDS } from "../support/selabel.ts";
import { compiledPolicy } from "../support/selinux-image.ts";
import { isSlowWanted } from "../support/slow.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const PATHS = 100_000;
const ODD_POLICIES = 100;
const PATHS_OF_ODD = 300;
const MADE_WITHIN_MS = 600_000;

describe.skipIf(
	!isSlowWanted("labels as libselinux 3.8 and later choose them") ||
		requires("root", "chroot", ...LOOKUP_NEEDS, ...FIXTURE_NEEDS),
)("labels of paths, as another suite's libselinux has them", () => {
	const work = temporaryDirectory("selinux-suites");
	let program = "";
	beforeAll(() => {
		program = compileLookup(work);
	});

	it.each([
		["trixie", "default"],
		["trixie", "mls"],
		["sid", "default"],
		["sid", "mls"],
	])(
		"%s, of its policy %s and of ones that contradict themselves",
		async (profile, name) => {
			const root = await compiledPolicy(profile, name, work);
			const base = `/etc/selinux/${name}/contexts/files/file_contexts`;
			const specifications = parseSpecifications(readFileSync(join(root, base), "latin1"), base, 0);
			const made = pathsOf(specifications, PATHS, 2);
			// paths again with each other type of file
			for (let turn = 0; turn < 2; turn++)
				expect(await differences(program, base, asked(made.slice(turn)), root)).toEqual([]);
			const random = numbers(profile.length + name.length);
			const odd = "/odd/file_contexts";
			for (let round = 0; round < ODD_POLICIES; round++) {
				rmSync(join(root, "odd"), { recursive: true, force: true });
				mkdirSync(join(root, "odd"));
				for (const [suffix, text] of Object.entries(oddPolicy(random))) writeFileSync(join(root, odd + suffix), text);
				const records = asked(Array.from({ length: PATHS_OF_ODD }, () => oddPath(random)));
				expect(await differences(program, odd, records, root), String(round)).toEqual([]);
			}
			rmSync(root, { recursive: true, force: true });
		},
		MADE_WITHIN_MS,
	);
});
