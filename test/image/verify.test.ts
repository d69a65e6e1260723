import { open, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { memorySource } from "../../src/binary/byte-source.ts";
import { readVolume } from "../../src/formats/iso9660/read-volume.ts";
import { buildIso } from "../../src/index.ts";
import { compileExcludes, DEFAULT_EXCLUDES } from "../../src/layers/excludes.ts";
import { openImage } from "../../src/oci/open-image.ts";
import { SUPERBLOCK } from "../../src/rootfs/squashfs/superblock.ts";
import { CHECKS } from "../../src/verify/checks.ts";
import { fileAt } from "../../src/verify/medium-files.ts";
import { type ExpectedTree, readImageTree } from "../../src/verify/read-image.ts";
import { formatReport, type VerifyReport } from "../../src/verify/report.ts";
import { verifyAgainstImage } from "../../src/verify/verify.ts";
import { verifyIso } from "../../src/verify/verify-iso.ts";
import { oci2iso } from "../support/cli.ts";
import { debianFixture, FIXTURE_NEEDS } from "../support/fixture.ts";
import { buildReferenceIso, REFERENCE_PIPELINE_NEEDS } from "../support/reference-pipeline.ts";
import { requires } from "../support/requires.ts";
import { isSlowWanted, roundsOf } from "../support/slow.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { thinImage } from "../support/thin-image.ts";
import { type Area, mutateBytes, randomNumbers } from "../support/verify-mutations.ts";

const MUTATIONS_PER_AREA = roundsOf(4);

const statusOf = (report: VerifyReport, name: keyof typeof CHECKS) =>
	report.checks.find((check) => check.name === name)?.status;

describe.skipIf(requires(...FIXTURE_NEEDS))("the Debian image's ISO", () => {
	const work = temporaryDirectory("verify");
	let iso = "";
	let image = "";

	beforeAll(async () => {
		image = `oci:${await thinImage()}:latest`;
		iso = join(work, "debian.iso");
		await buildIso({ image, output: iso, level: 1 });
	});

	it("passes every check, with no difference from the image", async () => {
		const report = await verifyAgainstImage(memorySource(await readFile(iso)), { image });
		expect(formatReport(report)).not.toMatch(/FAIL|fault:/);
		expect(report.checks.map(({ name, status }) => [name, status])).toEqual(
			Object.keys(CHECKS).map((name) => [name, "pass"]),
		);
		const secureBoot = report.checks.find(({ name }) => name === "secure-boot");
		expect(secureBoot?.detail).toBe("shim trusts Debian Secure Boot CA");
		expect(report.checks.find(({ name }) => name === "fidelity")?.detail).toMatch(/^\d{4,} paths, 0 differences$/);
	});

	it("is verified on the command line: table, JSON, exit status 0 and 8", async () => {
		const good = await oci2iso(["verify", iso, "--image", image]);
		expect([good.status, good.stderr]).toEqual([0, ""]);
		expect(good.stdout.toString()).toMatch(/ok +fidelity .*0 differences\n(.*\n)*no fault found\n$/);
		const json = await oci2iso(["verify", iso, "--json"]);
		expect(json.status).toBe(0);
		expect(JSON.parse(json.stdout.toString())).toMatchObject({ verdict: "pass", faults: 0 });
		const bad = join(work, "bad.iso");
		await writeFile(bad, await readFile(iso));
		const file = await open(bad, "r+");
		await file.write(Buffer.from("X"), 0, 1, 32_768 + 41);
		await file.close();
		const failed = await oci2iso(["verify", bad, "--json"]);
		expect(failed.status).toBe(8);
		expect(failed.stderr).toMatch(
			/^oci2iso: VERIFICATION_FAILED: \d+ faults in volume, second-volume, media-checksum, /,
		);
		expect(JSON.parse(failed.stdout.toString())).toMatchObject({ verdict: "fail" });
		await rm(bad);
		expect((await oci2iso(["verify", join(work, "none.iso")])).status).toBe(2);
		expect((await oci2iso(["verify", iso, "--image", `oci:${work}`])).status).not.toBe(0);
	});

	it("does not pass against what it was not made of", async () => {
		const source = memorySource(await readFile(iso));
		const report = await verifyAgainstImage(source, { image, defaultExcludes: false });
		expect(statusOf(report, "fidelity")).toBe("fail");
		expect(formatReport(report)).toMatch(/fault: it is missing from the squashfs \(\/boot\/efi\//);
	});

	it("is reported on after single changes that the media checksum is not asked about", async () => {
		const bytes = await readFile(iso);
		const expected = await expectedOf(image);
		const areas = await areasOf(bytes);
		const random = randomNumbers(11);
		const missed: string[] = [];
		for (let i = 0; i < MUTATIONS_PER_AREA * areas.length; i++) {
			const area = areas[i % areas.length] as Area;
			const mutation = mutateBytes(bytes, area, random);
			const report = await verifyIso(memorySource(bytes), { expected, mediaChecksum: false });
			mutation.undo();
			if (report.verdict === "pass") missed.push(`${mutation.area}: ${mutation.what}`);
		}
		process.stdout.write(
			`mutations of the Debian ISO: ${MUTATIONS_PER_AREA * areas.length}, ${missed.length} missed\n`,
		);
		for (const miss of missed) process.stdout.write(`  missed: ${miss}\n`);
		expect(missed).toEqual([]);
	});
});

describe.skipIf(requires(...REFERENCE_PIPELINE_NEEDS, ...FIXTURE_NEEDS))("the reference's ISO", () => {
	const work = temporaryDirectory("verify");

	it.each(isSlowWanted("the reference's ISO with xz") ? (["zstd", "xz"] as const) : (["zstd"] as const))(
		"passes every check with %s",
		async (compression) => {
			const layout = await debianFixture();
			const iso = join(work, `${compression}.iso`);
			await buildReferenceIso(layout, iso, { compression, ...(compression === "zstd" ? { level: 1 } : {}) });
			const report = await verifyAgainstImage(memorySource(await readFile(iso)), { image: `oci:${layout}:latest` });
			expect(formatReport(report)).not.toMatch(/FAIL|fault:/);
			const other = report.checks.filter(({ status }) => status !== "pass");
			expect(other.map(({ name, status }) => [name, status])).toEqual([["loopback", "skipped"]]);
			await rm(iso);
		},
	);
});

async function expectedOf(reference: string): Promise<ExpectedTree> {
	const image = await openImage(reference);
	try {
		return await readImageTree(image, { isExcluded: compileExcludes(DEFAULT_EXCLUDES) });
	} finally {
		await image.close();
	}
}

/** What a check vouches for by itself. */
async function areasOf(bytes: Buffer): Promise<Area[]> {
	const { root } = await readVolume(memorySource(bytes));
	const inFile = (path: string, from = 0): Area => {
		const file = fileAt(root, path);
		const [extent] = file?.extents ?? [];
		if (extent === undefined) throw new Error(`${path} is not on the ISO`);
		return { name: path, start: extent.block * 2048 + from, byteLength: extent.byteLength - from };
	};
	const squashfs = inFile("LiveOS/squashfs.img");
	const { inodeTable, bytesUsed } = SUPERBLOCK.decode(bytes, squashfs.start);
	const part = (name: string, from: number, to: number): Area => ({
		name: `squashfs ${name}`,
		start: squashfs.start + from,
		byteLength: to - from,
	});
	return [
		part("data", 108, Number(inodeTable)),
		part("tables", Number(inodeTable), bytesUsed),
		inFile("images/eltorito.img", 8),
		inFile("images/pxeboot/vmlinuz", 0x300),
		inFile("EFI/BOOT/BOOTX64.EFI"),
		inFile("EFI/BOOT/grubx64.efi"),
		inFile("images/efiboot.img"),
		{ name: "MBR", start: 0, byteLength: 512 },
		{ name: "GPT", start: 512, byteLength: 63 * 512 },
		{ name: "backup GPT", start: bytes.byteLength - 63 * 512, byteLength: 63 * 512 },
	];
}
