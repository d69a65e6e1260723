import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { dracutFacts } from "../../../../src/boot/linux/facts.ts";
import { kernelImageOf } from "../../../../src/boot/linux/kernel-image.ts";
import { KernelModules } from "../../../../src/boot/linux/kernel-modules.ts";
import { decodePe } from "../../../../src/formats/pe/pe-image.ts";

function bzImage(release: string, xloadflags = 1): Buffer {
	const bytes = Buffer.alloc(4096);
	bytes.writeUInt16LE(0xaa55, 0x1fe);
	bytes.write("HdrS", 0x202, "latin1");
	bytes.writeUInt16LE(0x20f, 0x206);
	bytes.writeUInt16LE(0x400, 0x20e);
	bytes.writeUInt16LE(xloadflags, 0x236);
	bytes.write(`${release} (builder@host) #1 SMP`, 0x600, "latin1");
	return bytes;
}

const headerOf = (bytes: Uint8Array) => kernelImageOf(bytes, decodePe(bytes));

describe("kernel images", () => {
	it("says release and architecture", () => {
		expect(headerOf(bzImage("6.1.0-56-amd64"))).toEqual({
			format: "bzImage",
			architecture: "x86_64",
			release: "6.1.0-56-amd64",
			isEfiProgram: false,
		});
		expect(headerOf(bzImage("6.1.0", 0)).architecture).toBe("i386");
	});

	it("never throws", () => {
		expect(headerOf(Buffer.from("text")).format).toBe("other");
		fc.assert(
			fc.property(fc.nat(4095), fc.nat(255), fc.nat(4096), (at, value, length) => {
				const bytes = bzImage("6.1.0");
				bytes[at] = value;
				expect(["bzImage", "PE", "other"]).toContain(headerOf(bytes.subarray(0, length)).format);
			}),
			{ seed: 6, numRuns: 1000 },
		);
	});
});

describe("kernel modules", () => {
	const modules = new KernelModules({
		builtIn: "kernel/fs/overlayfs/overlay.ko\n",
		dependencies:
			"kernel/fs/isofs/isofs.ko: kernel/drivers/cdrom/cdrom.ko\nkernel/drivers/usb/storage/usb-storage.ko.xz:\nkernel/fs/squashfs/squashfs.ko.zst: kernel/fs/overlayfs/overlay.ko\n",
		files: [
			"kernel/fs/isofs/isofs.ko",
			"kernel/drivers/usb/storage/usb-storage.ko.xz",
			"kernel/fs/squashfs/squashfs.ko.zst",
		],
	});

	it.each([
		["overlay", "built-in"],
		["usb_storage", "module"],
		["usb-storage", "module"],
		["isofs", "missing-dependency"],
		["squashfs", "module"],
		["loop", "missing"],
	])("%s is %s", (name, state) => {
		expect(modules.state(name)).toBe(state);
		expect(modules.has(name)).toBe(state === "built-in" || state === "module");
	});

	it("names what is missing", () => expect(modules.missingDependencies("isofs")).toEqual(["cdrom"]));
});

it("knows what each dracut needs", () => {
	const ids = (version: number) => dracutFacts(version).map(({ id }) => id);
	expect(ids(57)).toEqual(["proc-directory"]);
	expect(ids(59)).toEqual(["proc-directory"]);
	expect(ids(105)).toEqual(["proc-directory"]);
	expect(ids(107)).toEqual(["usr-directory"]);
	expect(ids(110)).toEqual(["ostree-root"]);
	expect(dracutFacts(undefined)).toEqual([]);
});
