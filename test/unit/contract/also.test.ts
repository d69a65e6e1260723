import { describe, expect, it } from "vitest";
import { liveSupportOf } from "../../../src/boot/live-root/live-support.ts";
import { readAlso } from "../../../src/contract/also.ts";
import { contractOf, efiProgram, fedoraImage } from "./contract-images.ts";

/** Of an initramfs with these files. */
const supportOf = (...paths: string[]) => {
	const isFile = (path: string): boolean => paths.includes(path);
	return liveSupportOf({ exists: isFile, isFile, isExecutable: isFile, names: () => [], text: () => undefined });
};
const SYSTEMD_BOOT = "/usr/lib/systemd/boot/efi/systemd-bootx64.efi";

describe("another system's image", () => {
	it.each([
		["live-boot", ["/scripts/live"], ["ALSO_LIVE_BOOT"]],
		["dracut and live-boot", ["/scripts/live", "/usr/sbin/dmsquash-live-root"], undefined],
	])("whose initramfs has %s names its root, or is refused", async (_, files, codes) => {
		const liveSupport = supportOf(...files);
		const options = { architecture: "amd64", liveSupportOf: async () => liveSupport } as const;
		const reading = readAlso("kde", fedoraImage(), await contractOf(fedoraImage()), options);
		if (codes === undefined) {
			const { submenu } = await reading;
			for (const { linux } of submenu.entries) expect(linux).toMatch(/ rd\.live\.squashimg=kde\.img$/);
		} else await expect(reading).rejects.toMatchObject({ exitStatus: 3, problems: codes.map((code) => ({ code })) });
	});

	it("finds no place in the menu of systemd-boot", async () => {
		const first = fedoraImage().file(SYSTEMD_BOOT, efiProgram(false));
		const contract = await contractOf(first, { bootloader: "systemd-boot" });
		await expect(readAlso("kde", fedoraImage(), contract, { architecture: "amd64" })).rejects.toMatchObject({
			exitStatus: 3,
			problems: expect.arrayContaining([expect.objectContaining({ code: "ALSO_BOOT_LOADER" })]),
		});
	});
});
