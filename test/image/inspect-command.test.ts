import { mkdtemp, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ImageInspection } from "../../src/inspect/inspect.ts";
import { oci2iso } from "../support/cli.ts";
import { FIXTURE_NEEDS } from "../support/fixture.ts";
import { BROKEN_IMAGES, type RealParts, realParts, writeBrokenImage } from "../support/inspect-matrix.ts";
import { requires } from "../support/requires.ts";
import { thinImage } from "../support/thin-image.ts";

const missing = requires(...FIXTURE_NEEDS);

async function inspect(...args: string[]): Promise<{ readonly stdout: string; readonly status: number | null }> {
	const { status, stdout } = await oci2iso(["inspect", ...args, "--platform", "linux/amd64"]);
	return { status, stdout: stdout.toString() };
}

describe.skipIf(missing !== undefined)("oci2iso inspect", () => {
	let layout: string;
	let parts: RealParts;
	let scratch: string;

	beforeAll(async () => {
		layout = await thinImage();
		parts = await realParts(layout);
		scratch = await mkdtemp(join(dirname(layout), "inspect-command-"));
	});
	afterAll(() => rm(scratch, { recursive: true, force: true }));

	const broken = (name: string): Promise<{ readonly reference: string }> => {
		const image = BROKEN_IMAGES.find((candidate) => candidate.name === name);
		if (image === undefined) throw new Error(`no image ${name}`);
		return writeBrokenImage(image, layout, parts, scratch);
	};

	it("passes the real image, in words and as JSON, and reads every layer once", async () => {
		const reference = `oci:${layout}:latest`;
		const words = await inspect(reference);
		expect(words.status).toBe(0);
		expect(words.stdout).toContain("UEFI with Secure Boot: expected to boot\n");
		const { status, stdout } = await inspect(reference, "--json");
		const report = JSON.parse(stdout) as ImageInspection;
		expect(status).toBe(0);
		expect(report).toMatchObject({
			isBootable: true,
			label: "Oci2iso-Live",
			contract: { isMet: true, violations: [] },
			kernel: { architecture: "x86_64", release: parts.release },
			efi: { vendor: "debian" },
			read: { layersReadAgain: 0 },
		});
		expect(report.findings.filter(({ severity }) => severity !== "ok")).toEqual([]);
		expect(report.tools.map(({ path }) => path)).toEqual(["/usr/bin/grub-mkimage", "/usr/bin/implantisomd5"]);
	});

	it("asks for what a build would be asked for", async () => {
		const reference = `oci:${layout}:latest`;
		const { status, stdout } = await inspect(reference, "--label", "OTHER", "--json");
		expect(status).toBe(3);
		const codes = (JSON.parse(stdout) as ImageInspection).findings.map(({ code }) => code);
		expect(codes).toContain("MENU_LABEL");
		expect((await inspect(reference, "--kernel", "9.9")).status).toBe(3);
		expect((await inspect(reference, "--comp", "lz4")).status).toBe(0);
	});

	it("exits 3 with a Debian line for a Debian image that does not boot", async () => {
		const { reference } = await broken("an initramfs without the live module");
		const { status, stdout } = await inspect(reference);
		expect(status).toBe(3);
		expect(stdout).toContain("BLOCKER LIVE_MODULE_MISSING");
		expect(stdout).toContain("apt-get install -y --no-install-recommends dracut dracut-live");
	});

	it("exits 3 for what only Secure Boot refuses when asked to", async () => {
		const { reference } = await broken("an unsigned GRUB");
		expect((await inspect(reference)).status).toBe(0);
		expect((await inspect(reference, "--require-secure-boot")).status).toBe(3);
	});
});
