import { copyFile, mkdtemp, open, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, it } from "vitest";
import { buildIso } from "../../src/index.ts";
import { expectBoot } from "../support/boot-report.ts";
import { debianFixture, FIXTURE_NEEDS } from "../support/fixture.ts";
import { type MediumFile, mediumFiles } from "../support/medium-files.ts";
import { BOOT_PATHS, type BootPath, bootIso, bootRequirements } from "../support/qemu.ts";
import { requires } from "../support/requires.ts";
import { run } from "../support/run.ts";
import { isSlowWanted } from "../support/slow.ts";

// Between them the suites boot every way.
const PATHS: readonly BootPath[] = isSlowWanted("half of the boots of Debian 12")
	? BOOT_PATHS
	: ["BIOS from CD", "UEFI from USB disk with Secure Boot"];
const missing = bootRequirements() ?? requires(...FIXTURE_NEEDS, "xorriso", "mcopy");

describe.skipIf(missing !== undefined)("the ISO of the real image boots to its marker", () => {
	let scratch: string;
	let iso: string;
	let written: Map<string, MediumFile>;

	beforeAll(async () => {
		scratch = await mkdtemp(join(tmpdir(), "oci2iso-boot-test-"));
		iso = join(scratch, "live.iso");
		await buildIso({ image: `oci:${await debianFixture()}:latest`, output: iso });
		written = await mediumFiles(iso);
	});
	afterAll(() => rm(scratch, { recursive: true, force: true }));

	it.each(PATHS)("%s, and its kernel reads every file of the medium", (path) => expectBoot(path, iso, written));

	it("is refused by the same firmware when one bit of its boot loader is changed", async () => {
		const changed = join(scratch, "changed.iso");
		const loader = join(scratch, "loader.efi");
		await copyFile(iso, changed);
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
