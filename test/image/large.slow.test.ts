import { createHash } from "node:crypto";
import { mkdtemp, open, rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readVolume } from "../../src/formats/iso9660/read-volume.ts";
import { findNode } from "../../src/formats/iso9660/volume.ts";
import { type BuildReport, buildIso } from "../../src/index.ts";
import { debianFixture, FIXTURE_NEEDS } from "../support/fixture.ts";
import { sha256Of } from "../support/host-tree.ts";
import { incompressible, withExtraLayer } from "../support/large-layout.ts";
import { withLoopMount } from "../support/loop.ts";
import { requires } from "../support/requires.ts";
import { run } from "../support/run.ts";
import { isSlowWanted } from "../support/slow.ts";
import { padded, paxHeader, paxRecord, tarHeader } from "../support/tar-fixtures.ts";

const GiB = 1024 ** 3;
const SQUASHFS_OFFSET = 64 * 2048;
const WORK_PARENT = join(import.meta.dirname, "..", "..", "build");

describe.skipIf(requires("root", "mount", "xorriso", "checkisomd5", ...FIXTURE_NEEDS))(
	"an image with files beyond 4 GiB",
	() => {
		let work = "";
		let base = "";
		beforeAll(async () => {
			base = await debianFixture();
			work = await mkdtemp(join(WORK_PARENT, "large-"));
		});
		afterAll(() => rm(work, { recursive: true, force: true }));

		it("keeps a sparse file of 5 GiB, and the kernel reads its bytes back", async () => {
			const start = Buffer.from("the first bytes");
			const end = Buffer.from("the last bytes\n");
			const size = 5 * GiB;
			const map = `2\n0\n${start.length}\n${size - end.length}\n${end.length}\n`;
			const mapBlock = padded(Buffer.from(map));
			const image = await withExtraLayer(base, join(work, "sparse"), async (append) => {
				await append(
					paxHeader([
						paxRecord("GNU.sparse.major", "1"),
						paxRecord("GNU.sparse.minor", "0"),
						paxRecord("GNU.sparse.name", "var/sparse.img"),
						paxRecord("GNU.sparse.realsize", `${size}`),
					]),
				);
				const stored = mapBlock.byteLength + start.byteLength + end.byteLength;
				await append(tarHeader({ name: "var/GNUSparseFile.0/sparse.img", size: stored, mode: 0o600, typeflag: "0" }));
				await append(mapBlock);
				await append(padded(Buffer.concat([start, end])));
				await append(Buffer.alloc(1024));
			});
			const output = join(work, "sparse.iso");
			const report = await buildIso({ image, output, comp: "lz4" });
			const expected = createHash("sha256").update(start);
			const zeros = Buffer.alloc(16 * 1024 * 1024);
			for (let rest = size - start.length - end.length; rest > 0; rest -= zeros.byteLength)
				expected.update(zeros.subarray(0, Math.min(rest, zeros.byteLength)));
			expected.update(end);
			await withLoopMount(
				output,
				"squashfs",
				{ offsetBytes: SQUASHFS_OFFSET, sizeBytes: report.squashfs.byteLength },
				async (root) => expect(await sha256Of(join(root, "var/sparse.img"))).toBe(expected.digest("hex")),
			);
			expect(report.squashfs.byteLength).toBeLessThan(GiB);
			await rm(output);
		});

		describe.runIf(isSlowWanted("a squashfs of more than 4 GiB"))("whose squashfs is larger than 4 GiB", () => {
			const size = 4.2 * GiB - ((4.2 * GiB) % 512);
			let output = "";
			let report: BuildReport;
			const content = createHash("sha256");

			beforeAll(async () => {
				const image = await withExtraLayer(base, join(work, "incompressible"), async (append) => {
					await append(paxHeader([paxRecord("size", `${size}`)]));
					await append(tarHeader({ name: "var/noise.img", size: 0, mode: 0o644, typeflag: "0" }));
					for (const chunk of incompressible(size, 7)) {
						content.update(chunk);
						await append(chunk);
					}
					await append(Buffer.alloc(1024));
				});
				output = join(work, "incompressible.iso");
				report = await buildIso({ image, output, comp: "lz4" });
			});

			it("puts it on the ISO as several extents that lie one after the other", async () => {
				expect(report.squashfs.byteLength).toBeGreaterThan(4 * GiB);
				const text = await run("xorriso", ["-indev", output, "-find", "/LiveOS/squashfs.img", "-exec", "report_lba"]);
				const extents = [...text.matchAll(/^File data lba: +\d+ , +(\d+) , +(\d+) , +(\d+) /gm)].map(
					([, lba, blocks, bytes]) => ({
						lba: Number(lba),
						blocks: Number(blocks),
						bytes: Number(bytes),
					}),
				);
				expect(extents.length).toBeGreaterThanOrEqual(2);
				expect(extents[0]?.lba).toBe(64);
				for (const [index, extent] of extents.entries()) {
					const next = extents[index + 1];
					if (next !== undefined) expect(next.lba).toBe(extent.lba + extent.blocks);
				}
			});

			it("says the same through our own reader, for Rock Ridge and Joliet", async () => {
				const file = await open(output);
				try {
					const source = {
						byteLength: report.iso?.byteLength ?? Number.NaN,
						read: async (position: number, length: number): Promise<Uint8Array> => {
							const bytes = Buffer.alloc(length);
							await file.read(bytes, 0, length, position);
							return bytes;
						},
					};
					const { root, jolietRoot, problems } = await readVolume(source);
					expect(problems).toEqual([]);
					for (const tree of [root, jolietRoot]) {
						const node = tree && findNode(tree, "/LiveOS/squashfs.img");
						expect(node).toMatchObject({ type: "file", byteLength: report.squashfs.byteLength });
					}
				} finally {
					await file.close();
				}
			});

			it("has bytes that the kernel reads back", async () => {
				await withLoopMount(
					output,
					"squashfs",
					{ offsetBytes: SQUASHFS_OFFSET, sizeBytes: report.squashfs.byteLength },
					async (root) => expect(await sha256Of(join(root, "var/noise.img"))).toBe(content.copy().digest("hex")),
				);
			});

			it("passes its media check", async () => {
				expect(await run("sh", ["-c", 'checkisomd5 "$1" 2>&1', "sh", output])).toContain("PASS");
			});
		});
	},
);
