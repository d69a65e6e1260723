import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { BuildReport } from "../../src/index.ts";
import type { VerifyReport } from "../../src/verify/report.ts";
import { oci2iso } from "../support/cli.ts";
import { HOST_GRUB } from "../support/contract-image.ts";
import { streamContractLayout } from "../support/contract-layout.ts";
import { writeCrowd, writeFlatDirectory, writeLinkFarm } from "../support/crowded-layers.ts";
import { withLoopMount } from "../support/loop.ts";
import { requires } from "../support/requires.ts";
import { isSlowWanted, roundsOf } from "../support/slow.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const SQUASHFS_OFFSET = 64 * 2048;
const MIN_RATIO_SECONDS = 0.5;
/** What an image of few files takes, and of each inode on top. */
const BASE_BYTES = 400 * 2 ** 20;
const MAX_BYTES_PER_INODE = 1200;

const OBJECTS = roundsOf(50_000);
const ENTRIES = roundsOf(500_000);

interface Built {
	readonly image: string;
	readonly iso: string;
	readonly report: BuildReport;
	/** Of reading layers and writing the squashfs, wall time. */
	readonly seconds: number;
}

describe.skipIf(requires("root", "mount", "find") !== undefined || !existsSync(HOST_GRUB))("an image of", () => {
	const work = temporaryDirectory("scale");

	async function build(
		name: string,
		write: (append: (bytes: Uint8Array) => Promise<void>) => Promise<void>,
		use: (built: Built) => Promise<void>,
	): Promise<void> {
		const directory = join(work, name);
		mkdirSync(directory);
		try {
			const image = await streamContractLayout(join(directory, "image"), write);
			const [iso, reportPath] = [join(directory, "x.iso"), join(directory, "report.json")];
			const options = ["--tools", "builtin", "--force", "--level", "1", "--progress", "none", "--report", reportPath];
			const { status, stderr } = await oci2iso(["build", image, "-o", iso, ...options]);
			expect([status, stderr]).toEqual([0, ""]);
			const report = JSON.parse(readFileSync(reportPath, "utf8")) as BuildReport;
			const counted = report.phases.filter(({ phase }) => phase === "layers" || phase === "squashfs");
			const seconds = counted.reduce((sum, { milliseconds }) => sum + milliseconds, 0) / 1000;
			const { inodes } = report.squashfs;
			process.stderr.write(
				`${name}: ${inodes} inodes, ${seconds.toFixed(1)} s, ${Math.round(report.peakResidentBytes / 2 ** 20)} MiB\n`,
			);
			expect(report.peakResidentBytes).toBeLessThan(BASE_BYTES + inodes * MAX_BYTES_PER_INODE);
			await use({ image, iso, report, seconds });
		} finally {
			rmSync(directory, { recursive: true, force: true });
		}
	}

	/** What `find` prints about everything below a directory of the root file system, as the kernel shows it. */
	function listed({ iso, report }: Built, directory: string, format: string): Promise<string[]> {
		const place = { offsetBytes: SQUASHFS_OFFSET, sizeBytes: report.squashfs.byteLength };
		return withLoopMount(iso, "squashfs", place, async (mountPoint) =>
			execFileSync("find", [join(mountPoint, directory), "-printf", `${format}\\n`], { maxBuffer: 2 ** 30 })
				.toString()
				.trimEnd()
				.split("\n"),
		);
	}

	async function expectFaithful({ iso, image }: Built): Promise<void> {
		const { stdout } = await oci2iso(["verify", iso, "--image", image, "--no-secure-boot", "--json"]);
		const { checks } = JSON.parse(stdout.toString()) as VerifyReport;
		expect(checks.find(({ name }) => name === "fidelity")).toMatchObject({ status: "pass" });
	}

	it(`${4 * OBJECTS} hard links into an ostree repository keeps every group, in little more memory than its inodes`, async () => {
		const [objects, linksPerObject] = [OBJECTS, 4];
		await build(
			"link farm",
			(append) => writeLinkFarm(append, objects, linksPerObject),
			async (built) => {
				const lines = await listed(built, "farm", "%y %n %i %f");
				const links = lines.filter((line) => line.startsWith("f "));
				expect(links.length).toBe(objects * linksPerObject);
				const inodeOfObject = new Map<number, string>();
				for (const line of links) {
					const [, count, inode = "", name = ""] = line.split(" ");
					const object = Math.floor(Number(name.slice("name-".length)) / linksPerObject);
					const known = inodeOfObject.get(object) ?? inode;
					if (count !== String(linksPerObject + 1) || known !== inode) expect.fail(`${line} of object ${object}`);
					inodeOfObject.set(object, inode);
				}
				expect(new Set(inodeOfObject.values()).size).toBe(objects);
				expect(built.report.squashfs.inodes).toBeLessThan(objects + 2000);
				await expectFaithful(built);
			},
		);
	});

	it(`one directory with ${ENTRIES} entries lists and finds them all`, async () => {
		const entries = ENTRIES;
		await build(
			"flat directory",
			(append) => writeFlatDirectory(append, entries),
			async (built) => {
				const place = { offsetBytes: SQUASHFS_OFFSET, sizeBytes: built.report.squashfs.byteLength };
				await withLoopMount(built.iso, "squashfs", place, async (mountPoint) => {
					const script = 'ls -f -1 "$1" | grep -c "^entry-"; ls -f -1 "$1" | sort -u | grep -c "^entry-"';
					const counts = execFileSync("sh", ["-c", script, "sh", join(mountPoint, "flat")]).toString();
					expect(counts.trim().split("\n")).toEqual([String(entries), String(entries)]);
					for (let i = 0; i < 200; i++) {
						const entry = (i * 7919 * 61) % entries;
						const status = statSync(join(mountPoint, "flat", `entry-${entry - (entry % 10) + 5}`));
						expect(status.size).toBe(0);
					}
					expect(statSync(join(mountPoint, "flat", "entry-1")).nlink).toBe(1 + entries / 2 - 5);
				});
			},
		);
	});

	it.runIf(isSlowWanted("an image of 1 000 000 inodes"))(
		"1 000 000 inodes takes ten times what 100 000 take, no more, and is what the layers say",
		async () => {
			let tenthSeconds = 0;
			let tenthBytes = 0;
			await build(
				"100 000 inodes",
				(append) => writeCrowd(append, 100_000),
				async ({ seconds, report }) => {
					tenthSeconds = Math.max(seconds, MIN_RATIO_SECONDS);
					tenthBytes = report.peakResidentBytes;
				},
			);
			await build(
				"1 000 000 inodes",
				(append) => writeCrowd(append, 1_000_000),
				async (built) => {
					const { seconds, report } = built;
					expect(seconds / tenthSeconds).toBeLessThan(25);
					expect((report.peakResidentBytes - tenthBytes) / 900_000).toBeLessThan(MAX_BYTES_PER_INODE);
					expect(report.squashfs.inodes).toBeGreaterThan(1_000_000);
					const types = await listed(built, "crowd", "%y");
					const countOf = (type: string): number => types.filter((line) => line === type).length;
					expect(countOf("f") + countOf("l") + countOf("d")).toBe(types.length);
					expect(types.length).toBeGreaterThan(1_000_000);
					await expectFaithful(built);
				},
			);
		},
		3_600_000,
	);
});
