import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import { kernelMemory } from "../../../src/boot/grub/made/core-image/kernel-image.ts";
import { resolveModules } from "../../../src/boot/grub/made/core-image/module-dependencies.ts";
import { decompressGrubCore, findGrubModules } from "../../../src/boot/grub/model/modules.ts";
import { readInitramfs } from "../../../src/boot/initramfs/initramfs.ts";
import { memoryFile } from "../../../src/boot/initramfs/streamed-file.ts";
import { kernelImageOf } from "../../../src/boot/linux/kernel-image.ts";
import { KernelModules } from "../../../src/boot/linux/kernel-modules.ts";
import { MACHINES } from "../../../src/boot/machines.ts";
import { toolClosure } from "../../../src/buildroot/closure.ts";
import { parseElf } from "../../../src/buildroot/elf.ts";
import { Findings } from "../../../src/findings/findings.ts";
import { decodeSignature } from "../../../src/formats/pe/authenticode.ts";
import { decodeCertificate, vendorLists } from "../../../src/formats/pe/certificates.ts";
import { derElement, derElements, objectIdentifierText } from "../../../src/formats/pe/der.ts";
import { decodePe, sectionBytes } from "../../../src/formats/pe/pe-image.ts";
import {
	automaticSbatLevels,
	latestSbatLevels,
	parseSbat,
	parseSbatLevels,
	revokedBy,
} from "../../../src/formats/pe/sbat.ts";
import { checkInitramfsHead, checkKernelHead } from "../../../src/verify/linux-check.ts";
import { newcArchive } from "../../support/inspect-cpio.ts";
import { GRUB_KERNEL_LZMA, grubKernel } from "../../support/raw-lzma.ts";
import { SmallRoot } from "../../support/small-root.ts";
import { grubProgram, kernelProgram, shimProgram } from "../../support/verify-programs.ts";
import { makeSigner, signProgram } from "../../support/verify-signing.ts";
import { zstdStored } from "../../support/zstd-stored.ts";
import { makeElf } from "../../unit/buildroot/make-elf.ts";
import { type FuzzTarget, once, utf8 } from "../engine/target.ts";

const signerOnce = once(() => makeSigner("Signer", 1));

const SBAT = "sbat,1,SBAT Version,sbat,1,https://example.org\nshim,4,shim,shim,1,https://example.org\n";

function pkcs7(): Uint8Array {
	const image = decodePe(signProgram(grubProgram(), signerOnce()));
	return typeof image === "string" ? new Uint8Array() : (image.signatures[0] ?? new Uint8Array());
}

export const programTargets: readonly FuzzTarget[] = [
	{
		name: "elf",
		dictionary: "$ORIGIN~$\u007bLIB}~/lib64~libc.so.6~\x7fELF",
		seeds: () => [
			makeElf(64, {
				needed: ["libc.so.6", "liba.so"],
				runpath: "$ORIGIN/../lib:/x",
				interpreter: "/lib64/ld-linux-x86-64.so.2",
			}),
			makeElf(32, { needed: ["libc.so.6"], rpath: "$\u007bORIGIN}/$LIB" }),
		],
		async run(input) {
			parseElf(input, "fuzz");
			// What it asks for is there, and asks for the first again.
			const tree = new SmallRoot()
				.file("/usr/bin/tool", input)
				.file("/lib64/ld-linux-x86-64.so.2", makeElf(64))
				.file("/lib64/libc.so.6", input)
				.file("/x/liba.so", makeElf(64, { needed: ["libc.so.6", "liba.so"] }))
				.file("/etc/ld.so.conf", input.subarray(-200));
			const found = tree.lookup("/usr/bin/tool");
			if (found?.inode.type === "file") await toolClosure(tree, { path: found.path, inode: found.inode });
		},
	},
	{
		name: "pe",
		maxBytes: 8192,
		dictionary: "MZ~PE\0\0~.sbat~/4~.vendor_cert",
		seeds: () => [
			signProgram(shimProgram(signerOnce().certificate), signerOnce()),
			signProgram(grubProgram(), signerOnce()),
			kernelProgram(),
		],
		run(input) {
			const image = decodePe(input);
			if (typeof image === "string") return;
			for (const signature of image.signatures) decodeSignature(image, signature);
			for (const name of [".sbat", ".vendor_cert", ".sbatlevel", "mods"]) {
				const section = sectionBytes(image, name);
				if (section === undefined) continue;
				vendorLists(section);
				parseSbat(section);
				automaticSbatLevels(section);
				findGrubModules(section);
			}
		},
	},
	{
		name: "der",
		seeds: () => [signerOnce().certificate, pkcs7()],
		dictionary: "\x30\x82~\x06\x09~\xa0\x82~\x04\x20",
		run(input) {
			const visit = (bytes: Uint8Array, depth: number): void => {
				for (const { content } of derElements(bytes).slice(0, 20)) if (depth > 0) visit(content, depth - 1);
			};
			visit(input, 4);
			derElement(input);
			objectIdentifierText(input.subarray(0, 40));
			decodeCertificate(input);
			const image = decodePe(grubProgram());
			if (typeof image !== "string") decodeSignature(image, input);
		},
	},
	{
		name: "sbat",
		dictionary: "sbat,1,~shim,~,~\n~\0~99999999999999999999",
		seeds: () => [
			...utf8(SBAT),
			Buffer.from(
				"\0\0\0\0\x08\0\0\0\x29\0\0\0sbat,1,2024010900\nshim,4\ngrub,3\n\0sbat,1,2025051000\nshim,4\ngrub,5\n\0",
			),
		],
		run(input) {
			const levels = [automaticSbatLevels(input), latestSbatLevels(input), parseSbatLevels(input)];
			return levels.map((level) => revokedBy(parseSbat(input), level));
		},
	},
	{
		name: "initramfs",
		maxBytes: 16_384,
		dictionary: "070701~070702~TRAILER!!!\0~\x1f\x8b\x08~\x28\xb5\x2f\xfd~\xfd7zXZ\0~\x02\x21\x4c\x18",
		seeds() {
			const archive = newcArchive([
				{ path: "usr/lib/dracut/modules.txt", content: Buffer.from("dmsquash-live\n") },
				{ path: "usr/lib/modules/1/x.ko", content: Buffer.alloc(100, "m") },
				{ path: "bin", mode: 0o120777, content: Buffer.from("usr/bin") },
				{ path: "etc", mode: 0o040755 },
			]);
			const lz4 = Buffer.concat([
				Buffer.from("02214c18", "hex"),
				Buffer.from([12, 0, 0, 0]),
				Buffer.from("1f610100ff205061616161 61".replace(" ", ""), "hex"),
			]);
			return [
				archive,
				gzipSync(archive),
				Buffer.concat([archive, gzipSync(archive), Buffer.alloc(8)]),
				zstdStored(archive),
				lz4,
			];
		},
		async run(input) {
			checkInitramfsHead(input, "fuzz", new Findings());
			const { segments, fault } = await readInitramfs(memoryFile(input, 333));
			const whole = await readInitramfs(memoryFile(input));
			assert.deepEqual({ segments, fault }, { segments: whole.segments, fault: whole.fault });
			return whole;
		},
	},
	{
		name: "kernel-image",
		dictionary: "HdrS~MZ~PE\0\0~5.10.0-amd64 (x)\0",
		seeds: () => [kernelProgram()],
		run(input) {
			kernelImageOf(input, decodePe(input));
			checkKernelHead(input, MACHINES[0], "fuzz", new Findings());
		},
	},
	{
		name: "module-lists",
		dictionary: "kernel/a.ko~: ~\n~.xz~ ~iso9660",
		seeds: () =>
			utf8(
				"kernel/fs/a.ko.xz: kernel/b.ko kernel/c.ko\nkernel/b.ko: kernel/a.ko\n",
				"iso9660: fshelp\nfshelp: iso9660\nnormal: x y\n",
			),
		run(input) {
			const text = input.toString("latin1");
			const modules = new KernelModules({ builtIn: text, dependencies: text, files: text.split("\n") });
			modules.isBuiltIn("squashfs");
			return resolveModules(input, ["iso9660", "normal"]);
		},
	},
	{
		name: "grub-core",
		maxBytes: 8192,
		dictionary: "mimg~/boot/grub2\0",
		seeds: () => [grubKernel(), Buffer.concat([Buffer.alloc(700, 0x90), GRUB_KERNEL_LZMA]), makeElf(32)],
		run(input) {
			findGrubModules(input);
			decompressGrubCore(input, 700);
			decompressGrubCore(input, undefined);
			kernelMemory(input);
		},
	},
];
