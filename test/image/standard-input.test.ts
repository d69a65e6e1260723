import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { fileDigest } from "../support/cache-build.ts";
import { oci2iso } from "../support/cli.ts";
import { COMPILED_MAIN } from "../support/compiled.ts";
import { HOST_GRUB } from "../support/contract-image.ts";
import { writeContractLayout } from "../support/contract-layout.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

describe.skipIf(!existsSync(HOST_GRUB))("an archive on standard input", () => {
	const work = temporaryDirectory("stdin");
	const [file, iso, plan] = ["image.tar", "x.iso", "plan.json"].map((name) => join(work, name)) as [
		string,
		string,
		string,
	];
	const env = { TMPDIR: temporaryDirectory("stdin-tmp") };
	const RUN = ["-o", iso, "-q", "--force", "--overwrite"];
	let image = "";
	let archive: Buffer;
	beforeAll(() => {
		image = writeContractLayout(join(work, "image"), []);
		const [, directory = ""] = image.split(":");
		execFileSync("tar", ["-C", directory, "-cf", file, "index.json", "oci-layout", "blobs"]);
		archive = readFileSync(file);
	});

	it("is built from, with a plan too, and compared with", async () => {
		expect(await oci2iso(["build", image, ...RUN])).toMatchObject({ status: 0 });
		const expected = fileDigest(iso);
		const printed = await oci2iso(["build", "oci-archive:-", "--print-plan"], { input: archive, env });
		writeFileSync(plan, printed.stdout);
		const shell = 'cat "$1" | "$2" "$3" build --plan "$4" -o "$5" -q --force --overwrite --no-cache';
		const args = [file, process.execPath, COMPILED_MAIN, plan, iso];
		execFileSync("sh", ["-c", shell, "sh", ...args], { env: { ...process.env, ...env } });
		expect(fileDigest(iso)).toBe(expected);
		const checked = await oci2iso(["verify", iso, "--image", "oci-archive:/dev/stdin"], { input: archive, env });
		// such an image does not boot, but it is this one
		expect(checked.stderr).toMatch(/faults in bios-cd, bios-usb, uefi-cd, uefi-usb, loopback, secure-boot \(/);
		expect(readdirSync(env.TMPDIR)).toEqual([]);
	});

	it("that is cut off, or used twice, leaves nothing behind", async () => {
		const cut = await oci2iso(["inspect", "oci-archive:-"], { input: archive.subarray(0, 20_000), env });
		expect([cut.status, cut.stderr]).toEqual([
			5,
			expect.stringMatching(/^oci2iso: ARCHIVE_TRUNCATED: .*standard input/),
		]);
		const twice = await oci2iso(["inspect", "oci-archive:-", "--buildroot", "oci-archive:-"], { input: archive, env });
		expect([twice.status, twice.stderr]).toEqual([2, expect.stringContaining("standard input was read already")]);
		expect(readdirSync(env.TMPDIR)).toEqual([]);
	});
});
