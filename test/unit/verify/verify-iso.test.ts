import { beforeAll, describe, expect, it } from "vitest";
import { memorySource } from "../../../src/binary/byte-source.ts";
import { formatReport, type VerifyReport } from "../../../src/verify/report.ts";
import { verifyIso } from "../../../src/verify/verify-iso.ts";
import {
	LABEL,
	LOOPBACK,
	MENU,
	type SmallIso,
	type SmallIsoOptions,
	smallIso,
} from "../../support/verify-iso-fixture.ts";

const faultsOf = (report: VerifyReport): string[] =>
	report.checks.flatMap(({ name, findings }) =>
		findings.filter(({ severity }) => severity === "fault").map(({ what }) => `${name}: ${what}`),
	);

async function verified(options: SmallIsoOptions): Promise<VerifyReport> {
	const iso = await smallIso(options);
	return verifyIso(memorySource(iso.bytes), iso);
}

describe("an ISO that is as it should be", () => {
	let iso: SmallIso;
	beforeAll(async () => {
		iso = await smallIso();
	});

	it("has no fault, and every check was made", async () => {
		const report = await verifyIso(memorySource(iso.bytes), iso);
		expect(faultsOf(report)).toEqual([]);
		expect(report.verdict).toBe("pass");
		expect(report.checks.filter(({ status }) => status !== "pass").map(({ name }) => name)).toEqual(["medium"]);
		expect(report.volumeIdentifier).toBe(LABEL);
		expect(JSON.parse(JSON.stringify(report))).toMatchObject({ verdict: "pass", faults: 0 });
		expect(formatReport(report)).toMatch(/^ok {4}volume.*\n(.*\n)*no fault found\n$/);
	});

	it("has of each check at most twenty lines as text, faults first", async () => {
		const report = await verifyIso(memorySource(iso.bytes), { mediaChecksum: false });
		const note = { code: "X", severity: "note", what: "odd", blocks: [] } as const;
		const fault = (i: number) => ({ code: "X", severity: "fault", what: `fault ${i}`, blocks: [] }) as const;
		const findings = [...Array.from({ length: 99 }, (_, i) => fault(i)), note].reverse();
		const checks = report.checks.map((check) => ({ ...check, findings, omittedFindings: 400 }));
		const text = formatReport({ ...report, checks });
		expect(text.match(/fault: fault/g)).toHaveLength(20 * checks.length);
		expect(text.match(/and 480 more, see --json/g)).toHaveLength(checks.length);
		expect(text).not.toContain("odd");
	});

	it("is not verified against what was not asked for", async () => {
		const report = await verifyIso(memorySource(iso.bytes), { mediaChecksum: false, secureBoot: false });
		const skipped = report.checks.filter(({ status }) => status === "skipped").map(({ name }) => name);
		expect(skipped).toEqual(["media-checksum", "secure-boot", "fidelity", "medium"]);
		expect(report.verdict).toBe("pass");
	});

	it("is not started by a firmware that does not know who signed shim", async () => {
		const { bytes } = await smallIso();
		const faults = faultsOf(await verifyIso(memorySource(bytes), { mediaChecksum: false }));
		expect(faults).toEqual(["secure-boot: it is signed by Firmware Vendor CA, which is not trusted by firmware"]);
	});

	it("is interrupted by its signal", async () => {
		const signal = AbortSignal.abort(new Error("stopped"));
		await expect(verifyIso(memorySource(iso.bytes), { signal })).rejects.toMatchObject({
			code: "INTERRUPTED",
			cause: { message: "stopped" },
		});
	});
});

describe("an ISO with something wrong in what it boots", () => {
	const menu = (from: string, to: string): SmallIsoOptions => ({ menu: MENU.replace(from, to) });

	it.each([
		["another label in search", menu(`-l '${LABEL}'`, "-l 'Other'"), /GRUB searches the label "Other"/],
		["another label for the kernel", menu(`CDLABEL=${LABEL}`, "CDLABEL=Other"), /labelled \\?"Other/],
		["a kernel that is not there", menu("/vmlinuz", "/bzImage"), /bzImage is not in the volume/],
		["an initramfs that is no archive", menu("initrd.img", "vmlinuz"), /it begins with 4d5a/],
		["a kernel that is none", menu("pxeboot/vmlinuz", "pxeboot/initrd.img"), /no Linux kernel/],
		[
			"a live directory that is not there",
			menu("rd.live.image", "rd.live.dir=Other"),
			/no \/Other\/squashfs.img on the medium/,
		],
		[
			"a module of zeros",
			{ modules: { normal: Buffer.alloc(900) } },
			/stops at its prompt: .*normal\.mod: it is no module/,
		],
		["one that the menu asks for", { modules: { gzio: Buffer.alloc(900) } }, /gzio\.mod: it is no module/],
		["a menu that halts", menu("set timeout=5", "halt"), /turns the machine off: .*has halt outside of its entries/],
		["no menu entry", { menu: "set timeout=1\n" }, /no menu entry is defined/],
		["an unclosed block", menu("}\n", ""), /a block is not closed/],
		[
			"a kernel that loopback.cfg does not find",
			{ loopback: LOOPBACK.replace("vmlinuz", "bzImage") },
			/^loopback: \/images\/pxeboot\/bzImage is not in the volume/m,
		],
		[
			"an entry of loopback.cfg that does not say where the ISO lies",
			{ loopback: LOOPBACK.replace(/ iso-scan\S*/, "") },
			/^loopback: no entry says where the ISO lies/m,
		],
		["a signer that shim does not know", { strangeSigner: true }, /signed by Stranger, which is not trusted by shim/],
		["a revoked GRUB", { grubGeneration: 2 }, /shim refuses it: grub 2 < 3/],
		["an unsigned kernel", { unsignedKernel: true }, /it is not signed/],
		[
			"a shim that starts what is not there",
			{ shimStarts: "grub.efi" },
			/uefi-usb: it is not on the EFI system partition/,
		],
		[
			"a signer of what such a shim starts",
			{ shimStarts: "grub.efi", grubName: "grub.efi", strangeSigner: true },
			/signed by Stranger, which is not trusted by shim/,
		],
	] as const)("reports %s", async (_, options, message) => {
		const faults = faultsOf(await verified(options));
		expect(faults.length).toBeGreaterThan(0);
		expect(faults.join("\n")).toMatch(message);
	});

	it("takes what shim starts for GRUB, whatever its name", async () => {
		const report = await verified({ shimStarts: "grub.efi", grubName: "grub.efi" });
		expect(faultsOf(report)).toEqual([]);
		expect(report.checks.find(({ name }) => name === "uefi-usb")?.detail).toContain("shim, GRUB");
	});

	it("follows no loopback.cfg that only reads other menus", async () => {
		const { verdict, checks } = await verified({ loopback: "source /boot/grub/grub.cfg\n" });
		expect(verdict).toBe("pass");
		expect(checks.find(({ name }) => name === "loopback")?.status).toBe("skipped");
	});

	it("says once what is wrong with all entries", async () => {
		const entry = MENU.slice(MENU.indexOf("menuentry")).replace("initrd.img", "vmlinuz");
		const faults = faultsOf(await verified({ menu: MENU + entry.repeat(20) }));
		const walks = faults.filter((fault) => fault.startsWith("bios-") || fault.startsWith("uefi-"));
		expect(walks.length).toBeGreaterThan(0);
		expect(new Set(walks).size).toBe(walks.length);
		expect(walks.length).toBeLessThan(20);
	});

	it("notes a GRUB that the latest revocations refuse", async () => {
		const report = await verified({ grubGeneration: 4 });
		expect(report.verdict).toBe("pass");
		expect(formatReport(report)).toContain("latest revocations are in force: grub 4 < 5");
	});
});

describe("a squashfs that is not the image's", () => {
	it("is reported path by path", async () => {
		const { bytes, expected } = await smallIso();
		const root = structuredClone(expected.root);
		const bin = root.entries.get("bin");
		const dev = root.entries.get("dev");
		if (bin?.type !== "directory" || dev?.type !== "directory") throw new Error("no such directory");
		const ping = bin.entries.get("ping");
		const disk = dev.entries.get("disk");
		const link = root.entries.get("link");
		if (ping?.type !== "file" || disk?.type !== "block-device" || link?.type !== "symlink") throw new Error("no file");
		Object.assign(ping, { mode: 0o755, uid: 7, xattrs: new Map([["user.other", Buffer.from("x")]]) });
		Object.assign(disk, { minor: 1 });
		Object.assign(link, { target: "elsewhere", mtime: { seconds: -5, nanoseconds: 0 } });
		root.entries.delete("empty");
		root.entries.set("new", link);
		const report = await verifyIso(memorySource(bytes), {
			expected: { ...expected, root, digestOf: () => "0".repeat(64) },
			mediaChecksum: false,
		});
		const text = formatReport(report);
		for (const line of [
			"mode is 4755 (/bin/ping): expected 755",
			"owner is 0:0 (/bin/ping): expected 7:0",
			"xattr user.other is missing (/bin/ping): expected 0x78",
			"xattr security.capability is 0x",
			"the content differs (/bin/tail)",
			"device is 259:70000 (/dev/disk): expected 259:1",
			"link target is ../bin/ping (/link): expected elsewhere",
			"mtime is 1700000000 (/link): expected 0",
			"the image does not have it (/empty): expected no directory",
			"it is missing from the squashfs (/new): expected symlink",
		])
			expect(text).toContain(line);
		expect(report.verdict).toBe("fail");
	});

	it("must have the image's hard links", async () => {
		const { bytes, expected } = await smallIso();
		const root = structuredClone(expected.root);
		const many = root.entries.get("many");
		if (many?.type !== "directory") throw new Error("no such directory");
		const [[name, inode] = []] = [...many.entries].slice(5, 6);
		if (name === undefined || inode === undefined) throw new Error("no such link");
		many.entries.set(name, { ...inode });
		const report = await verifyIso(memorySource(bytes), { expected: { ...expected, root, digestOf: () => "" } });
		expect(formatReport(report)).toContain(`it is a link to another file (/many/${name})`);
	});
});
