import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { memorySource } from "../../../../../src/binary/byte-source.ts";
import { bootFiles } from "../../../../../src/boot/boot-files.ts";
import { findMenuPlaces } from "../../../../../src/boot/grub/menu-places.ts";
import { walkGrubEfi } from "../../../../../src/boot/grub/model/efi-walk.ts";
import { fileSystemOf, type GrubStart, grubBiosMedium, grubMedium } from "../../../../../src/boot/grub/model/medium.ts";
import { describeWalk, type GrubWalk, walkGrub } from "../../../../../src/boot/grub/model/walk.ts";
import { PC_BIOS } from "../../../../../src/boot/machines.ts";
import { decodePe, type PeImage } from "../../../../../src/formats/pe/pe-image.ts";
import { verifyIso } from "../../../../../src/verify/verify-iso.ts";
import {
	DEBIAN_LIKE_SCRIPT,
	type GrubParts,
	makeGrub,
	moduleFile,
	USUAL_MODULES,
} from "../../../../support/grub-programs.ts";
import { requires } from "../../../../support/requires.ts";
import { run } from "../../../../support/run.ts";
import { tarArchive } from "../../../../support/tar-fixtures.ts";
import { temporaryDirectory } from "../../../../support/temporary-directory.ts";
import { smallIso } from "../../../../support/verify-iso-fixture.ts";
import { makeProgram } from "../../../../support/verify-programs.ts";
import { contractOf, fedoraImage } from "../../../contract/contract-images.ts";

const MENU = "menuentry x {\n\tlinux /x\n}\n";

function programOf(bytes: Uint8Array): PeImage {
	const program = decodePe(bytes);
	if (typeof program === "string") throw new Error(program);
	return program;
}

type Files = Readonly<Record<string, string>>;

/** What GRUB comes to: the device and path of its menu, or how it stops. */
async function walk(program: PeImage, start: GrubStart, iso: Files, esp: Files): Promise<string> {
	const files = (side: Files) =>
		Object.entries(side).map(
			([path, text]) =>
				[path, { byteLength: text.length, read: () => Promise.resolve(Buffer.from(text, "latin1")) }] as const,
		);
	const medium = grubMedium(
		start,
		fileSystemOf("iso9660", "L", files(iso)),
		fileSystemOf("fat", undefined, files(esp)),
		"/EFI/BOOT",
	);
	const end = await walkGrubEfi(program, medium);
	return end.kind === "menu" ? `(${end.config.device})${end.config.path}` : `${howOf(end)}: ${describeWalk(end)}`;
}

const howOf = (end: GrubWalk): string => (end.kind === "no menu" ? end.does : end.kind);

const grub = (parts: GrubParts): PeImage => programOf(makeGrub(parts));
const inMemory = (script: string): Pick<GrubParts, "configuration" | "memoryDisk"> => ({
	configuration: "normal (memdisk)/grub.cfg\n",
	memoryDisk: tarArchive([{ path: "grub.cfg", content: Buffer.from(script) }]),
});

describe("which menu a GRUB for UEFI reads", () => {
	const debian12 = grub({ prefix: "/boot/grub", variable: "cmdpath", ...inMemory(DEBIAN_LIKE_SCRIPT) });
	const debian13 = grub({ prefix: "/boot/grub", variable: "fw_path", ...inMemory(DEBIAN_LIKE_SCRIPT) });
	const fedora = grub({ prefix: "/EFI/BOOT", variable: "fw_path" });
	const [beside, below, info] = ["EFI/BOOT/grub.cfg", "boot/grub/grub.cfg", ".disk/info"];

	it.each([
		["Debian 12's", debian12, "cd", [beside], [beside], "(cd0)/EFI/BOOT/grub.cfg"],
		["Debian 12's", debian12, "usb", [beside], [beside], "(hd0,gpt2)/EFI/BOOT/grub.cfg"],
		["Debian 12's", debian12, "cd", [], [beside], "stops at its prompt"],
		["Debian 13's", debian13, "cd", [beside], [beside], "stops at its prompt"],
		["Debian 13's", debian13, "usb", [beside], [beside], "stops at its prompt"],
		["Debian 13's", debian13, "cd", [], [below], "stops at its prompt"],
		["Debian 13's", debian13, "usb", [], [below], "(hd0,gpt2)/boot/grub/grub.cfg"],
		["Debian 13's", debian13, "cd", [below], [], "(cd0)/boot/grub/grub.cfg"],
		["Debian 13's", debian13, "usb", [below], [], "stops at its prompt"],
		["Debian 13's", debian13, "usb", [below, info], [beside], "(hd0)/boot/grub/grub.cfg"],
		["Debian 13's", debian13, "cd", [below], [below], "(cd0)/boot/grub/grub.cfg"],
		["Fedora's", fedora, "cd", [beside], [beside], "(cd0)/EFI/BOOT/grub.cfg"],
		["Fedora's", fedora, "usb", [beside], [beside], "(hd0,gpt2)/EFI/BOOT/grub.cfg"],
		["Fedora's", fedora, "usb", [beside], [], "stops at its prompt"],
		[
			"one with the partition in its prefix",
			grub({ prefix: "(,gpt2)/p" }),
			"cd",
			[],
			["p/grub.cfg"],
			"(cd0,gpt2)/p/grub.cfg",
		],
		["one with a device in its prefix", grub({ prefix: "(hd0)/p" }), "usb", ["p/grub.cfg"], [], "(hd0)/p/grub.cfg"],
		["one without a prefix", grub({}), "usb", [], [beside], "(hd0,gpt2)/EFI/BOOT/grub.cfg"],
		[
			"one that lacks its menu's module",
			grub({ prefix: "/p", modules: ["fat", "part_gpt"] }),
			"usb",
			[],
			["p/grub.cfg"],
			"stops at its prompt: it lacks the module normal",
		],
		[
			"the same with that on the medium",
			grub({ prefix: "/p", modules: ["fat", "part_gpt"] }),
			"usb",
			[],
			["p/grub.cfg", "p/x86_64-efi/normal.mod"],
			"(hd0,gpt2)/p/grub.cfg",
		],
		[
			"one that reads no FAT",
			grub({ prefix: "/p", modules: USUAL_MODULES.filter((name) => name !== "fat") }),
			"usb",
			[],
			["p/grub.cfg"],
			"stops at its prompt",
		],
	] as const)("%s: %#", async (_, program, start, iso, esp, end) => {
		const normal = moduleFile("normal", "x86_64-efi").toString("latin1");
		const files = (paths: readonly string[]) =>
			Object.fromEntries(paths.map((path) => [path, path.endsWith(".mod") ? normal : MENU]));
		expect(await walk(program, start, files(iso), files(esp))).toSatisfy((seen: string) =>
			end.startsWith("stops") ? seen.startsWith(end) : seen === end,
		);
	});

	it("is not read by a program that is no GRUB, but maybe not needed by one with a kernel in it", async () => {
		const ends = (name: string) => walk(programOf(makeProgram({ [name]: Buffer.from("text") })), "usb", {}, {});
		expect(await ends(".text")).toMatch(/^is another program: it has no modules/);
		expect(await ends(".linux")).toMatch(/^unknown/);
	});

	it("says where it looked", async () => {
		expect(await walk(debian13, "usb", {}, { [beside]: MENU })).toBe(
			"stops at its prompt: it finds no grub.cfg; prefix /boot/grub; it looked for (hd0,gpt2)/boot/grub/x86_64-efi/grub.cfg, " +
				"(hd0,gpt2)/boot/grub/grub.cfg, (hd0,gpt2)/grub.cfg",
		);
	});

	it.each([
		["a script without an entry", "set timeout=5\n", "stops at its prompt: no menu entry is defined"],
		[
			"one that ends the machine",
			`halt\n${MENU}`,
			"turns the machine off: (hd0,gpt2)/p/grub.cfg has halt outside of its entries",
		],
		["one that leads to another", `search -l --set=root L\nconfigfile /other.cfg\n${MENU}`, "(hd0)/other.cfg"],
		["one that leads nowhere", "configfile /nothing.cfg\n", "stops at its prompt: it finds no grub.cfg"],
		["a function", `function f { if test "$1" = a; then source "$2"; fi; }\nf a (hd0)/other.cfg\n`, "(hd0)/other.cfg"],
		[
			"a loop",
			`for d in hd1 hd0; do\n if [ -f ($d)/other.cfg ]; then set found=$d; break; fi\ndone\nsource ($found)/other.cfg\n`,
			"(hd0)/other.cfg",
		],
		[
			"what it does not know, where it does not matter",
			`if loadfont unicode; then set gfxmode=auto; terminal_output gfxterm; fi\n${MENU}`,
			"(hd0,gpt2)/p/grub.cfg",
		],
		[
			"what it does not know, where it matters",
			`if cpuid -l; then\n${MENU}fi\n`,
			'unknown: whether it runs menuentry depends on "cpuid -l"',
		],
		[
			"a value that it does not know",
			"regexp --set=1:d '(.*)' $root\nsource ($d)/grub.cfg\n",
			"unknown: the arguments of source are not known",
		],
		[
			"a root that it does not know",
			"search --fs-uuid --set=root 1234-5678\nconfigfile /menu.cfg\n",
			"unknown: the value of $root is not known",
		],
		["entries made elsewhere", "insmod blscfg\nblscfg\n", "unknown: what blscfg does is not modelled"],
		["a script that reads itself", "source /p/grub.cfg\n", "unknown: scripts read each other without an end"],
		["a loop without an end", "while true; do true; done\n", "unknown: its scripts run too many commands"],
		[
			"a value without an end",
			'set a=xxxxxxxxxx\nwhile true; do set a="$a$a$a$a"; done\n',
			"unknown: a value becomes too long",
		],
		[
			"much that it reads again and again",
			`while true; do source (hd0)/long.cfg; done\n`,
			"unknown: its scripts are too long",
		],
		["a test without an end", `if [ ${"! ".repeat(50_000)}x ]; then true; fi\n`, "unknown: a test is too long"],
		["what is no script", "if true; then\n", "unknown: (hd0,gpt2)/p/grub.cfg is no GRUB script"],
	])("with %s", async (_, script, end) => {
		const program = grub({ prefix: "/p" });
		expect(
			await walk(
				program,
				"usb",
				{ "other.cfg": MENU, "long.cfg": `#${" ".repeat(900_000)}` },
				{ "p/grub.cfg": script },
			),
		).toContain(end);
	});

	it.each([
		["search --file --set FOUND /a.cfg", "FOUND"],
		["search -fs FOUND /a.cfg", "FOUND"],
		["search --file /a.cfg /nowhere --set=FOUND", "FOUND"],
		["search --label --file --set=FOUND L", "FOUND"],
		["search -n -f --hint hd0 --set /a.cfg", "root"],
		["search --file /nowhere /a.cfg --set=FOUND", undefined],
		["search -sf FOUND /a.cfg", undefined],
		["search -hf hd0 --set=FOUND /a.cfg", undefined],
		["search --file --set=FOUND a.cfg", undefined],
		["search --file --set= /a.cfg", undefined],
		["search --file=/a.cfg --set=FOUND", undefined],
	])("takes the options of %s apart as GRUB does", async (command, variable) => {
		const script = `set root=nothing\n${command}\nconfigfile ($${variable ?? "FOUND"})/a.cfg\n`;
		expect(await walk(grub({ prefix: "/p" }), "usb", { "a.cfg": MENU }, { "p/grub.cfg": script })).toMatch(
			variable === undefined ? /^stops at its prompt/ : /^\(hd0\)\/a\.cfg$/,
		);
	});

	it.each([
		["function f { return 1; }\nif f; then source /a.cfg; else source /b.cfg; fi", "b"],
		['function f { for i in "$@"; do source /$i.cfg; done; }\nf b a', "b"],
		["for x in 1 2; do for y in 1 2; do break 2; done; z=1; done\nif [ x$z = x ]; then source /b.cfg; fi", "b"],
		["for x in 1 2; do for y in 1; do continue 2; done; z=1; done\nif [ x$z = x ]; then source /b.cfg; fi", "b"],
		["if [ ]; then source /b.cfg; fi", "b"],
		["if [ -e (hd0) ]; then source /b.cfg; fi", "b"],
		["source /dir/../b.cfg", "dir/../b"],
		["source /nowhere/../b.cfg", "stops at its prompt"],
		["setparams b\nsource /$1.cfg", "stops at its prompt"],
		["true && source /b.cfg", "unknown"],
		["false || source /b.cfg", "unknown"],
		["source /a.cfg &\nsource /b.cfg", "unknown"],
		["if [ 010 -eq 8 ]; then source /a.cfg; else source /b.cfg; fi", "unknown"],
		["if [ ab10 -pgt ab9 ]; then source /a.cfg; else source /b.cfg; fi", "unknown"],
		["search --other --file --set=d /a.cfg\nsource ($d)/a.cfg", "unknown"],
	])("runs %s as GRUB does, or says that it does not know", async (script, end) => {
		const files = { "a.cfg": MENU, "b.cfg": MENU, "dir/c": "" };
		const seen = await walk(grub({ prefix: "/p" }), "usb", files, { "p/grub.cfg": `set root=hd0\n${script}\n` });
		expect(seen.startsWith("(") ? seen.slice(6, -4) : seen.slice(0, seen.indexOf(":"))).toBe(end);
	});

	it("runs an early configuration without a shell's words", async () => {
		const early = "if [ -e /x ]; then\nsearch --file --set=root /marker\nfi\nset prefix=($root)/q\n";
		const program = grub({ prefix: "/p", configuration: early });
		expect(await walk(program, "usb", { marker: "", "q/grub.cfg": MENU }, { "p/grub.cfg": MENU })).toBe(
			"(hd0)/q/grub.cfg",
		);
	});

	it("does not guess at a memory disk that it cannot read", async () => {
		const memoryDisk = Buffer.alloc(4096, "?");
		const program = grub({ prefix: "/boot/grub", configuration: "normal (memdisk)/grub.cfg", memoryDisk });
		expect(await walk(program, "usb", { [below]: MENU }, { [below]: MENU })).toMatch(/^unknown: GRUB's memory disk/);
	});
});

describe("what GRUB for BIOS comes to, with the modules on the medium", () => {
	const built = { prefix: "/boot/grub2", configuration: undefined, memoryDisk: undefined, startVariables: [] };
	const modules = new Map(["biosdisk", "part_gpt", "iso9660"].map((name) => [name, new Uint8Array()]));
	const zeros = Buffer.alloc(2000);
	const module = (name: string, dependencies: readonly string[] = []): Record<string, Buffer> => ({
		[`i386-pc/${name}.mod`]: moduleFile(name, "i386-pc", dependencies),
	});
	const good: Readonly<Record<string, Buffer>> = {
		"grub.cfg": Buffer.from(`insmod gzio\nsearch --set=root -l L\n${MENU}`),
		"i386-pc/command.lst": Buffer.from(
			"initrd: linux\nlinux: linux\n*halt: halt\n*search: search\nreboot: reboot\ntrue: true\n",
		),
		...module("normal", ["terminal", "gettext"]),
		...module("terminal"),
		...module("gettext"),
		...module("gzio"),
		...module("linux", ["relocator"]),
		...module("relocator"),
		...module("search", ["search_label"]),
		...module("search_label"),
		...module("halt"),
		...module("reboot"),
		...module("true"),
	};
	const menu = (script: string) => ({ "grub.cfg": Buffer.from(script) });
	const lacking = Array.from({ length: 40 }, (_, index) => `m${index}`);

	it.each<[string, Readonly<Record<string, Buffer>>, string]>([
		["all as it should be", {}, "menu []"],
		[
			"no ELF file",
			{ "i386-pc/normal.mod": zeros },
			"stops at its prompt normal.mod: it is no module of GRUB: it is no ELF file",
		],
		[
			"half a module",
			{ "i386-pc/normal.mod": half(good["i386-pc/normal.mod"]) },
			"stops at its prompt normal.mod: it is no module",
		],
		[
			"one for another machine",
			{ "i386-pc/normal.mod": moduleFile("normal", "x86_64-efi") },
			"stops at its prompt normal.mod: it is no module of GRUB: it is no ELF object for i386-pc",
		],
		[
			"one that normal needs",
			{ "i386-pc/gettext.mod": zeros },
			"stops at its prompt normal.mod: it needs the module gettext, which cannot be loaded",
		],
		["one that the menu asks for", { "i386-pc/gzio.mod": zeros }, "menu [gzio.mod: it is no module"],
		["one of a command", { "i386-pc/search_label.mod": zeros }, "menu [search_label.mod: it is no module"],
		["one of an entry", { "i386-pc/relocator.mod": zeros }, "menu [relocator.mod: it is no module"],
		[
			"forty that lack another, which is not forty deep",
			Object.assign(
				menu(`${lacking.map((name) => `insmod ${name}\n`).join("")}${MENU}`),
				...lacking.map((name) => module(name, ["none"])),
			),
			"m39.mod: it needs the module none, which cannot be loaded]",
		],
		["halt", menu(`halt\n${MENU}`), "turns the machine off grub.cfg has halt outside of its entries"],
		[
			"reboot in a branch",
			menu(`if true; then reboot; fi\n${MENU}`),
			"restarts the machine grub.cfg has reboot outside",
		],
		[
			"exit in a function",
			menu(`function f {\nexit\n}\nf\n${MENU}`),
			"gives up, and the firmware goes on to something else grub.cfg has exit outside",
		],
		["halt behind the entries", menu(`${MENU}halt\n`), "turns the machine off grub.cfg has halt outside"],
		["halt that has no module", { ...menu(`halt\n${MENU}`), "i386-pc/halt.mod": zeros }, "menu [halt.mod: it is no"],
	])("%s", async (_, changed, expected) => {
		const files = Object.entries({ ...good, ...changed }).map(
			([path, bytes]) =>
				[`boot/grub2/${path}`, { byteLength: bytes.byteLength, read: () => Promise.resolve(bytes) }] as const,
		);
		const iso = fileSystemOf("iso9660", "L", files);
		for (const [start, device] of [
			["cd", "hd96"],
			["usb", "hd0"],
		] as const) {
			const end = await walkGrub({ ...built, modules, platform: PC_BIOS }, grubBiosMedium(start, iso, iso));
			const said = end.kind === "menu" ? `menu [${end.brokenModules.join("; ")}]` : `${howOf(end)} ${end.why}`;
			expect(said.replaceAll(`(${device})/boot/grub2/`, "").replaceAll("i386-pc/", "")).toContain(
				expected.replaceAll("i386-pc/", ""),
			);
		}
	});

	function half(bytes: Buffer = zeros): Buffer {
		return Buffer.concat([bytes.subarray(0, bytes.byteLength >> 1)], bytes.byteLength);
	}
});

describe("where the menu is put", () => {
	it.each([
		["/EFI/BOOT", []],
		["/boot/grub", []],
		["/EFI/fedora", [{ iso: "EFI/fedora/grub.cfg", esp: "EFI/fedora/grub.cfg" }]],
		["/efi/grub", [{ iso: "efi/grub/grub.cfg", esp: "EFI/grub/grub.cfg" }]],
		// On the ISO that is the menu for BIOS, which starts the same system.
		["/boot/grub2", [{ iso: undefined, esp: "boot/grub2/grub.cfg" }]],
	])("with the prefix %s", async (prefix, extra) => {
		const contract = await contractOf(fedoraImage());
		const planned = {
			label: contract.label,
			files: bootFiles(contract, 0),
			grubDirectory: "/EFI/BOOT",
			read: () => Promise.resolve(new Uint8Array()),
		};
		const found = await findMenuPlaces(grub({ prefix }), planned);
		expect(found.extra).toEqual(extra);
		expect([found.walks.cd.kind, found.walks.usb.kind]).toEqual(["menu", "menu"]);
		// What no reader of FAT takes is not written for it.
		expect((await findMenuPlaces(grub({ prefix: '/a"b/../c' }), planned)).walks.usb.kind).toBe("no menu");
	});
});

describe("verify follows GRUB, CD and USB apart", () => {
	const program = makeGrub({ prefix: "/boot/grub", variable: "fw_path", ...inMemory(DEBIAN_LIKE_SCRIPT) });
	const [beside, below] = ["EFI/BOOT/grub.cfg", "boot/grub/grub.cfg"];

	it.each([
		["in both", [beside, below], [beside, below], ["pass", "pass"]],
		["on the EFI partition only", [beside], [beside, below], ["fail", "pass"]],
		["in the ISO's tree only", [beside, below], [beside], ["pass", "fail"]],
		["beside GRUB only", [beside], [beside], ["fail", "fail"]],
	])("with the menu %s", async (_, iso, esp, statuses) => {
		const { bytes } = await smallIso({ grub: program, menuPlaces: { iso, esp } });
		const report = await verifyIso(memorySource(bytes), { mediaChecksum: false, secureBoot: false });
		const status = (name: string) => report.checks.find((check) => check.name === name)?.status;
		expect([status("uefi-cd"), status("uefi-usb")]).toEqual(statuses);
	});
});

const missing = requires(
	"grub-mkimage",
	"mksquashfs",
	"mkfs.fat",
	"mcopy",
	"tar",
	"/usr/lib/grub/x86_64-efi/normal.mod",
);

describe.skipIf(missing !== undefined)("GRUB's own programs, as grub-mkimage makes them", () => {
	const scratch = temporaryDirectory("grub-walk");

	const modules = [
		"normal",
		"configfile",
		"test",
		"true",
		"search",
		"fat",
		"iso9660",
		"part_gpt",
		"memdisk",
		"linux",
		"echo",
	];
	async function make(prefix: string, extra: string[], options: string[] = []): Promise<PeImage> {
		const output = join(scratch, "grub.efi");
		await run("grub-mkimage", [...options, "-O", "x86_64-efi", "-p", prefix, "-o", output, ...modules, ...extra]);
		return programOf(await readFile(output));
	}
	async function memoryDisk(kind: string): Promise<string> {
		const [script, disk] = [join(scratch, "grub.cfg"), join(scratch, `disk.${kind}`)];
		await rm(disk, { force: true });
		await writeFile(script, DEBIAN_LIKE_SCRIPT);
		if (kind === "squash4") await run("mksquashfs", [script, disk, "-comp", "xz", "-quiet"]);
		else if (kind === "tar") await run("tar", ["-C", scratch, "-cf", disk, "grub.cfg"]);
		else {
			await run("mkfs.fat", ["-C", disk, "64"]);
			await run("mcopy", ["-i", disk, script, "::grub.cfg"]);
		}
		return disk;
	}

	it.each(["squash4", "fat", "tar"])("with a memory disk of kind %s", async (kind) => {
		const config = join(scratch, "early.cfg");
		await writeFile(config, "normal (memdisk)/grub.cfg\n");
		const program = await make("/boot/grub", [kind, "squash4", "tar"], ["-c", config, "-m", await memoryDisk(kind)]);
		const at = (...paths: string[]) => Object.fromEntries(paths.map((path) => [path, MENU]));
		expect(await walk(program, "usb", {}, at("EFI/BOOT/grub.cfg"))).toBe("(hd0,gpt2)/EFI/BOOT/grub.cfg");
		expect(await walk(program, "cd", {}, at("EFI/BOOT/grub.cfg"))).toMatch(/^stops at its prompt/);
		expect(await walk(program, "cd", at("boot/grub/grub.cfg"), {})).toBe("(cd0)/boot/grub/grub.cfg");
	});
});
