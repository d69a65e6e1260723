import { copyFile, mkdtemp, open, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { memorySource } from "../../src/binary/byte-source.ts";
import { buildIso } from "../../src/index.ts";
import { verifyIso } from "../../src/verify/verify-iso.ts";
import { expectBoot } from "../support/boot-report.ts";
import { debianFixture, FIXTURE_NEEDS, newestProfile } from "../support/fixture.ts";
import { LOOP_DISK_NEEDS, loopDisk } from "../support/loop-disk.ts";
import { type MediumFile, mediumFiles } from "../support/medium-files.ts";
import { BOOT_PATHS, type BootPath, bootIso, bootRequirements } from "../support/qemu.ts";
import { requires } from "../support/requires.ts";
import { run } from "../support/run.ts";
import { isSlowWanted } from "../support/slow.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const isEverything = isSlowWanted("the other suites and ways to boot");
const missing = bootRequirements() ?? requires(...FIXTURE_NEEDS, "xorriso", "mcopy");
const newest = missing === undefined ? await newestProfile() : "sid";
const UEFI_PATHS = BOOT_PATHS.filter((path) => path.startsWith("UEFI"));
/** Between them an old suite and a new one boot every way: their builds of GRUB look for their menu in different places, and their dracuts differ. */
const BOOTS: readonly (readonly [name: string, paths: readonly BootPath[]])[] = isEverything
	? [
			...[...new Set(["debian", "trixie", "forky", newest])].map((profile) => [profile, BOOT_PATHS] as const),
			...[...arm64Profiles(), "trixie systemd-boot"].map((name) => [name, UEFI_PATHS] as const),
			["live-boot", ["BIOS from CD", "BIOS from USB disk"]],
			...erofsOf(newest).map((name) => [name, BOOT_PATHS] as const),
		]
	: [
			["debian", ["UEFI from USB disk with Secure Boot", "BIOS from CD"]],
			[newest, ["UEFI from CD"]],
			[erofsOf(newest)[0] ?? newest, ["BIOS from USB disk"]],
		];

// As many guests at a time as the configuration has for this rung: each of them is one busy processor.
describe.skipIf(missing !== undefined).concurrent("the ISO of the real image boots to its marker", () => {
	const scratch = temporaryDirectory("boot-test");
	const media = new Map<string, Promise<{ readonly iso: string; readonly written: Map<string, MediumFile> }>>();

	/** Made once for all ways to boot it. */
	function mediumOf(name: string) {
		const made = media.get(name) ?? makeMedium(name);
		media.set(name, made);
		return made;
	}

	/** `name`: of the profile, and behind it what is not GRUB or squashfs. */
	async function makeMedium(name: string) {
		const [profile = "", other] = name.split(" ");
		const iso = join(scratch, `${name}.iso`);
		const { addedFiles } = await buildIso({
			image: `oci:${await debianFixture(profile)}:latest`,
			platform: isArm64(profile) ? "linux/arm64" : "linux/amd64",
			output: iso,
			level: 3,
			bootloader: other === "systemd-boot" ? other : "auto",
			rootfs: other === "erofs" ? other : "squashfs",
		});
		const menu = "/boot/grub/grub.cfg";
		const root = profile === "live-boot" ? [["/live/filesystem.squashfs", undefined]] : [];
		const loopback = ["/boot/grub/loopback.cfg", undefined];
		if (other !== "systemd-boot")
			expect(addedFiles.map((added) => [added.iso, added.efiImage])).toEqual([...root, [menu, menu], loopback]);
		const { checks } = await verifyIso(memorySource(await readFile(iso)));
		expect(checks.filter(({ status }) => status === "fail")).toEqual([]);
		return { iso, written: await mediumFiles(iso) };
	}

	describe.each(BOOTS)("Debian %s", (name, paths) => {
		it.each(paths)("%s, and its kernel reads every file of the medium", async (path) => {
			const { iso, written } = await mediumOf(name);
			await expectBoot(path, iso, written, isArm64(name) ? "aarch64" : "x86_64");
		});
	});

	it.skipIf(!isEverything || requires(...LOOP_DISK_NEEDS) !== undefined).each(["debian", "live-boot"])(
		"of Debian %s as a file on a disk, whose GRUB reads its loopback.cfg",
		async (profile) => {
			const { iso, written } = await mediumOf(profile);
			const directory = await mkdtemp(join(scratch, "loop-"));
			await expectBoot("UEFI from USB disk", await loopDisk(iso, directory), written);
		},
	);

	it("is refused by the same firmware when one bit of its boot loader is changed", async () => {
		const changed = join(scratch, "changed.iso");
		const loader = join(scratch, "loader.efi");
		await copyFile((await mediumOf("debian")).iso, changed);
		const partition = `${changed}@@${await efiPartitionOffset(changed)}`;
		await run("mcopy", ["-i", partition, "::/EFI/BOOT/BOOTX64.EFI", loader]);
		await flipBit(loader);
		await run("mcopy", ["-o", "-i", partition, loader, "::/EFI/BOOT/BOOTX64.EFI"]);
		await bootIso(changed, "UEFI from USB disk with Secure Boot", {
			until: /failed to load Boot\d+ "UEFI QEMU QEMU USB HARDDRIVE[^\n]*Access Denied/,
			timeoutMs: 120_000,
		});
	});
});

/** The image whose initramfs has Linux's EROFS too. */
function erofsOf(profile: "sid" | "trixie"): string[] {
	return profile === "sid" ? ["sid erofs"] : [];
}

/** Their initramfs is made by their own dracut, emulated. */
function arm64Profiles(): string[] {
	const missing = bootRequirements("aarch64") ?? requires("/proc/sys/fs/binfmt_misc/qemu-aarch64");
	return missing === undefined ? ["trixie-arm64", "sid-arm64"] : [];
}

function isArm64(profile: string): boolean {
	return profile.endsWith("-arm64");
}

/** Byte offset of GPT partition 2 (UEFI 5.3.2 and 5.3.3). */
async function efiPartitionOffset(file: string): Promise<number> {
	const SECTOR_BYTES = 512;
	const handle = await open(file);
	try {
		const header = (await handle.read(Buffer.alloc(92), 0, 92, SECTOR_BYTES)).buffer;
		const entries = Number(header.readBigUInt64LE(72)) * SECTOR_BYTES;
		const entryBytes = header.readUInt32LE(84);
		const entry = (await handle.read(Buffer.alloc(128), 0, 128, entries + entryBytes)).buffer;
		return Number(entry.readBigUInt64LE(32)) * SECTOR_BYTES;
	} finally {
		await handle.close();
	}
}

async function flipBit(file: string): Promise<void> {
	const bytes = await readFile(file);
	const middle = bytes.length >> 1;
	bytes.writeUInt8(bytes.readUInt8(middle) ^ 1, middle);
	await writeFile(file, bytes);
}
