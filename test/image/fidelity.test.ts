import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { type BuildReport, buildIso } from "../../src/index.ts";
import { compileExcludes, DEFAULT_EXCLUDES } from "../../src/layers/excludes.ts";
import { debianFixture, FIXTURE_NEEDS } from "../support/fixture.ts";
import { type HostEntry, hostTree } from "../support/host-tree.ts";
import { withLoopMount } from "../support/loop.ts";
import { unpackImage } from "../support/reference-pipeline.ts";
import { requires } from "../support/requires.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const SQUASHFS_OFFSET = 64 * 2048;

/** The root file system of the ISO, read through the kernel, against the same image unpacked by umoci as root. */
describe.skipIf(requires("root", "umoci", "skopeo", "mount", "getfattr", ...FIXTURE_NEEDS))(
	"the Debian image's root file system on the ISO",
	() => {
		const work = temporaryDirectory("fidelity");
		let report: BuildReport;
		let expected: Map<string, HostEntry>;
		let actual: Map<string, HostEntry>;

		beforeAll(async () => {
			const layout = await debianFixture();
			const output = join(work, "debian.iso");
			report = await buildIso({ image: `oci:${layout}:latest`, output, level: 1 });
			expected = await hostTree(await unpackImage(layout, work));
			actual = await withLoopMount(
				output,
				"squashfs",
				{ offsetBytes: SQUASHFS_OFFSET, sizeBytes: report.squashfs.byteLength },
				hostTree,
			);
		});

		it("has every path but the excluded ones", () => {
			const isExcluded = compileExcludes(DEFAULT_EXCLUDES);
			const kept = [...expected.keys()].filter((path) => path === "" || !isExcludedBelow(path, isExcluded));
			expect([...actual.keys()].sort()).toEqual(kept.sort());
			expect(expected.size - kept.length).toBe(report.squashfs.excludedPaths);
		});

		it("has the same type, mode, owner, time, content, link target, device, link group and attributes everywhere", () => {
			const differences = [...actual].filter(([path, entry]) => !same(entry, expected.get(path)));
			expect(differences.map(([path, entry]) => ({ path, actual: entry, expected: expected.get(path) }))).toEqual([]);
		});

		it("was compared on what is hard to keep", () => {
			const entries = [...actual.values()];
			expect(entries.some(({ xattrs }) => xattrs.some((xattr) => xattr.startsWith("security.capability=")))).toBe(true);
			expect(entries.some(({ group }) => group !== "")).toBe(true);
			expect(entries.some(({ mode }) => mode === "4755")).toBe(true);
			for (const type of ["directory", "file", "symlink", "character-device", "fifo"] as const) {
				expect(entries.some((entry) => entry.type === type)).toBe(true);
			}
		});
	},
);

function isExcludedBelow(path: string, isExcluded: (path: string) => boolean): boolean {
	const names = path.split("/");
	return names.some((_, index) => isExcluded(names.slice(0, index + 1).join("/")));
}

function same(a: HostEntry, b: HostEntry | undefined): boolean {
	return JSON.stringify(a) === JSON.stringify(b);
}
