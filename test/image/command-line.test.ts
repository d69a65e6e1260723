import { createHash } from "node:crypto";
import { appendFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, it } from "vitest";
import { oci2iso } from "../support/cli.ts";
import { debianFixture, FIXTURE_NEEDS } from "../support/fixture.ts";
import { sha256Of } from "../support/host-tree.ts";
import { blobPath, writeOciLayout } from "../support/oci-layout.ts";
import { requires } from "../support/requires.ts";
import { run } from "../support/run.ts";
import { tarArchive } from "../support/tar-fixtures.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { thinImage } from "../support/thin-image.ts";

let work = "";
beforeEach(() => {
	work = temporaryDirectory("cli");
});

/** An image that is no live system at all. */
function plainImage(): string {
	const tar = tarArchive([
		{ type: "directory", path: "etc/" },
		{ type: "file", path: "etc/os-release", content: Buffer.from("ID=test\n") },
	]);
	return writeOciLayout(join(work, "image"), { layers: [{ tar, compression: "gzip" }] }).reference;
}

function outputs(): string[] {
	const directory = join(work, "out");
	return readdirSync(directory);
}

async function build(image: string, ...args: string[]) {
	mkdirSync(join(work, "out"), { recursive: true });
	const result = await oci2iso(["build", image, "-o", join(work, "out", "x.iso"), "--comp", "none", ...args]);
	expect(result.stderr).not.toMatch(/^ {4}at /m);
	return result;
}

describe("oci2iso build, when it cannot", () => {
	it("reports everything that the contract misses at once, and exits with 3", async () => {
		const { status, stderr } = await build(plainImage());
		expect(status).toBe(3);
		expect(stderr).toContain("oci2iso: CONTRACT_NOT_MET");
		for (const path of ["/usr/lib/modules", "EFI", "unicode.pf2", "/usr/lib/grub/i386-pc"])
			expect(stderr).toContain(path);
		expect(outputs()).toEqual([]);
	});

	it("reports them as JSON with --progress json", async () => {
		const { status, stderr } = await build(plainImage(), "--progress", "json");
		const events = stderr
			.trimEnd()
			.split("\n")
			.map((line) => JSON.parse(line) as Record<string, unknown>);
		expect(status).toBe(3);
		expect(events[0]).toEqual({ type: "phase", phase: "open" });
		const error = events.at(-1);
		expect(error).toMatchObject({ type: "error", code: "CONTRACT_NOT_MET", exitStatus: 3 });
		const problems = error?.["problems"];
		expect(Array.isArray(problems) && problems.length > 3).toBe(true);
	});

	it("exits with 2 for what was asked wrongly", async () => {
		expect((await build(plainImage(), "--block-size", "100K")).status).toBe(2);
		expect((await build(plainImage(), "--level", "99", "--comp", "gzip")).status).toBe(2);
		expect((await build(plainImage(), "--no-such-option")).status).toBe(2);
		expect((await build("oci:/nowhere:tag:tag")).status).toBe(2);
		expect((await oci2iso(["build"])).status).toBe(2);
		expect((await oci2iso(["frobnicate"])).status).toBe(2);
	});

	it("exits with 5 for a damaged layer, and names it", async () => {
		const tar = tarArchive([{ type: "file", path: "a", content: Buffer.alloc(3000, "a") }]);
		const { reference, layers } = writeOciLayout(join(work, "image"), { layers: [{ tar, compression: "none" }] });
		const digest = layers[0]?.digest ?? "sha256:";
		const blob = readFileSync(blobPath(join(work, "image"), digest));
		blob[1000] = 0x62;
		writeFileSync(blobPath(join(work, "image"), digest), blob);
		const { status, stderr } = await build(reference);
		expect(status).toBe(5);
		expect(stderr).toContain("BLOB_DIGEST_MISMATCH");
		expect(stderr).toContain(digest);
		expect(outputs()).toEqual([]);
		appendFileSync(blobPath(join(work, "image"), digest), "more");
		expect((await build(reference)).stderr).toContain("BLOB_SIZE_MISMATCH");
	});

	it("exits with 6 where the output cannot be", async () => {
		const image = plainImage();
		const missing = await oci2iso(["build", image, "-o", join(work, "missing", "x.iso")]);
		expect([missing.status, missing.stderr]).toEqual([6, expect.stringContaining("OUTPUT_UNWRITABLE")]);
		mkdirSync(join(work, "out"));
		writeFileSync(join(work, "out", "x.iso"), "precious");
		const existing = await build(image);
		expect([existing.status, existing.stderr]).toEqual([6, expect.stringContaining("OUTPUT_EXISTS")]);
		expect(readFileSync(join(work, "out", "x.iso"), "utf8")).toBe("precious");
	});

	it.skipIf(requires("root", "mount"))("exits with 6 on a full disk and leaves nothing there", async () => {
		const small = join(work, "small");
		mkdirSync(small);
		await run("mount", ["-t", "tmpfs", "-o", "size=2m", "tmpfs", small]);
		try {
			const tar = tarArchive([
				{ type: "file", path: "noise", content: createHash("shake256", { outputLength: 4_000_000 }).digest() },
			]);
			const { reference } = writeOciLayout(join(work, "image"), { layers: [{ tar, compression: "none" }] });
			const { status, stderr } = await oci2iso(["build", reference, "-o", join(small, "x.iso"), "--comp", "none"]);
			expect([status, stderr]).toEqual([6, expect.stringContaining("DISK_FULL")]);
			expect(readdirSync(small)).toEqual([]);
		} finally {
			await run("umount", [small]);
		}
	});

	it("prints its version and help, with status 0", async () => {
		const version = await oci2iso(["--version"]);
		expect([version.status, version.stdout.toString()]).toEqual([
			0,
			expect.stringMatching(/^\d+\.\d+\.\d+\n(.*zstd.*\n)(.+\n){3}Node\.js \d+/),
		]);
		const help = await oci2iso(["build", "--help"]);
		expect(help.status).toBe(0);
		for (const option of [
			"--platform",
			"--label",
			"--comp",
			"--exclude",
			"--tools",
			"--report",
			"--plan",
			"--print-plan",
			"--print-layout",
			"--overwrite",
			"--require-secure-boot",
			"--force",
		])
			expect(help.stdout.toString()).toContain(option);
	});
});

describe.skipIf(requires(...FIXTURE_NEEDS))("oci2iso build of the Debian image", () => {
	it("writes the same bytes to standard output as to a file, with a layout and a report", async () => {
		const image = `oci:${await thinImage()}:latest`;
		mkdirSync(join(work, "out"));
		const file = join(work, "out", "x.iso");
		const toFile = await oci2iso([
			"build",
			image,
			"-o",
			file,
			"--comp",
			"none",
			"--report",
			join(work, "report.json"),
			"--print-layout",
		]);
		expect(toFile.status).toBe(0);
		expect(toFile.stderr).toMatch(/^ +64 +\d+ {2}\/LiveOS\/squashfs\.img$/m);
		expect(toFile.stderr).toMatch(/EFI system partition/);
		expect(outputs()).toEqual(["x.iso"]);
		const report = JSON.parse(readFileSync(join(work, "report.json"), "utf8")) as { iso: { byteLength: number } };
		expect(readFileSync(file).byteLength).toBe(report.iso.byteLength);
		const piped = await oci2iso(["build", image, "-o", "-", "--comp", "none"]);
		expect(piped.status).toBe(0);
		expect(createHash("sha256").update(piped.stdout).digest("hex")).toBe(await sha256Of(file));
		const again = await oci2iso([
			"build",
			image,
			"-o",
			file,
			"--comp",
			"none",
			"--overwrite",
			"--source-date-epoch",
			"1",
		]);
		expect(again.status).toBe(0);
		expect(createHash("sha256").update(piped.stdout).digest("hex")).not.toBe(await sha256Of(file));
	});

	it("leaves nothing behind when it is interrupted", async () => {
		const image = `oci:${await debianFixture()}:latest`;
		for (const signal of ["SIGINT", "SIGTERM"] as const) {
			mkdirSync(join(work, "out"), { recursive: true });
			let sentAt = 0;
			const { status, stderr } = await oci2iso(
				["build", image, "-o", join(work, "out", "x.iso"), "--level", "19", "--progress", "json"],
				{
					onStderr(text, child) {
						if (sentAt !== 0 || !text.includes('"type":"progress","phase":"layers"')) return;
						expect(outputs()).toHaveLength(1);
						sentAt = performance.now();
						child.kill(signal);
					},
				},
			);
			expect(sentAt).not.toBe(0);
			expect([status, stderr]).toEqual([signal === "SIGINT" ? 130 : 143, expect.stringContaining("INTERRUPTED")]);
			expect(outputs()).toEqual([]);
		}
	});
});

describe.skipIf(requires(...FIXTURE_NEEDS, "xorriso", "checkisomd5", "grub-mkimage"))(
	"an ISO with --tools builtin",
	() => {
		it("has the checksum that checkisomd5 takes, and the core image of grub-mkimage", async () => {
			const image = `oci:${await thinImage()}:latest`;
			const file = join(work, "x.iso");
			const built = await oci2iso(["build", image, "-o", file, "--comp", "none", "--tools", "builtin"]);
			expect([built.status, built.stderr]).toEqual([0, expect.any(String)]);
			await run("checkisomd5", [file]);
			const extract = (path: string, to: string) =>
				run("xorriso", ["-osirrox", "on", "-indev", file, "-extract", path, join(work, to)]);
			await extract("/images/eltorito.img", "ours.img");
			await extract("/boot/grub2/i386-pc", "i386-pc");
			const format = ["--format", "i386-pc-eltorito", "--compression", "auto", "--prefix", "/boot/grub2"];
			const output = ["--directory", join(work, "i386-pc"), "--output", join(work, "reference.img")];
			await run("grub-mkimage", [...format, ...output, "biosdisk", "part_gpt", "iso9660"]);
			const core = (name: string) => {
				const image = readFileSync(join(work, name));
				// The boot information table and the block list are of the place on the medium.
				return image.fill(0, 8, 64).fill(0, 2548, 2560);
			};
			expect(Buffer.compare(core("ours.img"), core("reference.img"))).toBe(0);
		});
	},
);
