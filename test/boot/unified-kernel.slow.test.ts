import { mkdtemp, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { buildIso } from "../../src/index.ts";
import { parseBootReport } from "../support/boot-report.ts";
import { withDefaultEntry, withTrusted } from "../support/firmware-variables.ts";
import { debianFixture, FIXTURE_NEEDS } from "../support/fixture.ts";
import { type RealParts, realParts } from "../support/inspect-matrix.ts";
import { withExtraLayer } from "../support/large-layout.ts";
import { bootIso, bootRequirements, MICROSOFT_VARIABLES } from "../support/qemu.ts";
import { requires } from "../support/requires.ts";
import { run } from "../support/run.ts";
import { isSlowWanted } from "../support/slow.ts";
import { tarArchive } from "../support/tar-fixtures.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const STUB = "/usr/lib/systemd/boot/efi/linuxx64.efi.stub";
const NEEDS = ["objcopy", "sbsign", "openssl", STUB, ...FIXTURE_NEEDS];
/** Names of sections with where ukify's and dracut's makers have them in memory. */
const SECTIONS = {
	".osrel": 0x20000,
	".cmdline": 0x30000,
	".uname": 0x40000,
	".linux": 0x2000000,
	".initrd": 0x6000000,
};
const OWN_WORD = "oci2iso.unified";
const SECURE_BOOT = "UEFI from USB disk with Secure Boot";
/** Behind the two of the real image's menu. */
const CHOOSES_THIRD = "set default=2\n";

describe.skipIf(
	!isSlowWanted("unified kernel images that their owner signed boot") || (bootRequirements() ?? requires(...NEEDS)),
)("a unified kernel image with Secure Boot on", () => {
	const work = temporaryDirectory("unified-boot");
	const path = (name: string): string => join(work, name);
	let enrolled: Buffer;

	beforeAll(async () => {
		const subject = ["-subj", "/CN=Owner of this machine", "-days", "3650"];
		await run("openssl", [
			"req",
			"-x509",
			"-newkey",
			"rsa:2048",
			"-nodes",
			...subject,
			"-keyout",
			path("key"),
			"-out",
			path("pem"),
		]);
		await run("openssl", ["x509", "-in", path("pem"), "-outform", "DER", "-out", path("der")]);
		enrolled = await withTrusted(MICROSOFT_VARIABLES, await readFile(path("der")));
	});

	/** As ukify makes one, signed with the owner's key. */
	async function makeUnifiedKernel({ release, kernel, initramfs, isoYaml }: RealParts): Promise<Buffer> {
		const line = /linux: \S+ (.*console=ttyS0.*)/.exec(isoYaml)?.[1];
		if (line === undefined) throw new Error(`no entry is for a serial console:\n${isoYaml}`);
		const contents = {
			".osrel": 'PRETTY_NAME="Debian"\n',
			".cmdline": `${line.replace(/["']\s*$/, "").replace("$root", "")} ${OWN_WORD}`,
			".uname": release,
			".linux": kernel,
			".initrd": initramfs,
		} as const;
		const args: string[] = [];
		for (const [section, address] of Object.entries(SECTIONS)) {
			const file = path(section);
			await writeFile(file, contents[section as keyof typeof contents]);
			args.push("--add-section", `${section}=${file}`, "--change-section-vma", `${section}=${address}`);
		}
		await run("objcopy", [...args, STUB, path("unsigned.efi")]);
		await run("sbsign", [
			"--key",
			path("key"),
			"--cert",
			path("pem"),
			"--output",
			path("signed.efi"),
			path("unsigned.efi"),
		]);
		return readFile(path("signed.efi"));
	}

	it.each([
		["debian", "grub2"],
		["sid", "grub2"],
		["trixie", "systemd-boot"],
	] as const)("boots by Debian %s's %s where that key is enrolled, and nowhere else", async (profile, bootloader) => {
		const layout = await debianFixture(profile);
		const parts = await realParts(layout, "whole");
		const image = await withExtraLayer(layout, await mkdtemp(path(`${profile}-`)), async (append) =>
			append(
				tarArchive([
					{ path: "boot/EFI/Linux/owned.efi", content: await makeUnifiedKernel(parts) },
					{ path: "usr/lib/image-builder/bootc/grub/grub.cfg", content: Buffer.from(CHOOSES_THIRD) },
				]),
			),
		);
		const iso = path(`${profile}.iso`);
		const { checks } = await buildIso({ image, platform: "linux/amd64", output: iso, level: 3, bootloader });
		expect(checks.findings.map(({ code }) => code)).toContain("UNIFIED_KERNEL_NOT_TRUSTED");
		expect(checks.bootPaths["secure-boot"]).toBe("expected to boot");

		const variables = withDefaultEntry(enrolled, "owned.efi");
		const console = await bootIso(iso, SECURE_BOOT, { variables });
		expect(parseBootReport(console)).toMatchObject({ secureBoot: "enabled", root: "overlayfs oci2iso" });
		expect(console).toMatch(new RegExp(`Command line: .*${OWN_WORD}`));

		const refused = { variables: withDefaultEntry(await readFile(MICROSOFT_VARIABLES), "owned.efi") };
		await bootIso(iso, SECURE_BOOT, {
			...refused,
			until: /bad shim (loader )?signature|Access denied|Security violation/i,
		});
	});
});
