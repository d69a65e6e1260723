import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { memoryFile } from "../../../../src/boot/initramfs/streamed-file.ts";
import { dracutFacts } from "../../../../src/boot/linux/facts.ts";
import { readKernel } from "../../../../src/boot/linux/kernel.ts";
import { kernelImageOf } from "../../../../src/boot/linux/kernel-image.ts";
import { KernelModules } from "../../../../src/boot/linux/kernel-modules.ts";
import { decodePe } from "../../../../src/formats/pe/pe-image.ts";
import { makeProgram } from "../../../support/verify-programs.ts";

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

/** Linux, Documentation/arch/arm64/booting.rst. */
function armImage(): Buffer {
	const head = Buffer.alloc(64);
	head.write("ARM\x64", 56, "latin1");
	return makeProgram({ ".text": Buffer.alloc(3000, "linux") }, head, 0xaa64);
}

function zbootImage(): Buffer {
	const head = Buffer.alloc(64);
	head.write("zimg", 4, "latin1");
	head.writeUInt32LE(1024, 8);
	head.writeUInt32LE(2976, 12);
	head.write("zstd22", 24, "latin1");
	return makeProgram({ ".text": Buffer.alloc(3000, "packed") }, head, 0xaa64);
}

const headerOf = (bytes: Uint8Array) => kernelImageOf(bytes, decodePe(bytes));

describe("kernel images", () => {
	it("says release and architecture", () => {
		expect(headerOf(bzImage("6.1.0-56-amd64"))).toEqual({
			format: "bzImage",
			architecture: "x86_64",
			release: "6.1.0-56-amd64",
			leastBytes: 2560,
			isEfiProgram: false,
		});
		expect(headerOf(bzImage("6.1.0", 0)).architecture).toBe("i386");
	});

	it("knows arm64's, plain, in gzip and as a program that unpacks it", () => {
		const isArm = { architecture: "aarch64", release: undefined };
		expect(headerOf(armImage())).toEqual({ ...isArm, format: "Image", isEfiProgram: true });
		expect(headerOf(gzipSync(armImage()))).toEqual({ ...isArm, format: "Image.gz", isEfiProgram: true });
		expect(headerOf(zbootImage())).toEqual({ ...isArm, format: "zboot", isEfiProgram: true, leastBytes: 4000 });
		const bare = armImage();
		bare.fill(0, 0, 2);
		expect(headerOf(bare)).toEqual({ ...isArm, format: "Image", isEfiProgram: false });
		expect(headerOf(gzipSync(bzImage("6.1.0"))).format).toBe("other");
		expect(headerOf(gzipSync(gzipSync(armImage()))).format).toBe("other");
	});

	it.each([
		["whole", (bytes: Buffer) => bytes, undefined],
		["cut off", (bytes: Buffer) => bytes.subarray(0, -300_000), /gzip data/],
		["without its end", (bytes: Buffer) => bytes.subarray(0, -4), /gzip data/],
		["broken", (bytes: Buffer) => Buffer.concat([bytes.subarray(0, 200_000), Buffer.alloc(99, 255)]), /gzip data/],
	])("unpacks one in gzip that is %s", async (_, change, damage) => {
		const noise = createHash("shake256", { outputLength: 500_000 }).update("kernel").digest();
		const packed = change(gzipSync(Buffer.concat([armImage(), noise])));
		const kernel = await readKernel(memoryFile(packed), () => Promise.resolve(packed));
		expect(kernel.image.format).toBe("Image.gz");
		if (damage === undefined) expect(kernel.damage).toBeUndefined();
		else expect(kernel.damage).toMatch(damage);
	});

	it.each([bzImage("6.1.0"), armImage(), gzipSync(armImage()), zbootImage()])("never throws", (image) => {
		expect(headerOf(Buffer.from("text")).format).toBe("other");
		fc.assert(
			fc.property(fc.nat(image.byteLength - 1), fc.nat(255), fc.nat(image.byteLength), (at, value, length) => {
				const bytes = Buffer.from(image);
				bytes[at] = value;
				const formats = ["bzImage", "Image", "Image.gz", "zboot", "PE", "other"];
				expect(formats).toContain(headerOf(bytes.subarray(0, length)).format);
			}),
			{ seed: 6, numRuns: 500 },
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
