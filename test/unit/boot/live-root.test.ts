import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { InitramfsArguments, lookupOf, lookupsIn } from "../../../src/boot/live-root/argument-lookup.ts";
import { followRoot } from "../../../src/boot/live-root/follow-root.ts";
import { grubCommandLine, kernelArguments } from "../../../src/boot/live-root/kernel-command-line.ts";
import { type LiveMedium, udevLabel, volumeUuid } from "../../../src/boot/live-root/live-medium.ts";
import { type InitramfsFiles, type LiveSupport, liveSupportOf } from "../../../src/boot/live-root/live-support.ts";
import { formOf, matchesGlob, rootFormsIn } from "../../../src/boot/live-root/root-forms.ts";

const MEDIUM: LiveMedium = {
	label: "Live",
	uuid: "2024-01-31-12-00-00-00",
	partitions: [{ name: "ISO9660" }],
	names: (directory) => (directory === "LiveOS" ? ["squashfs.img"] : undefined),
};

const BOTH_NAMES: LiveMedium = {
	...MEDIUM,
	names: (directory) => (directory === "live" ? ["filesystem.squashfs"] : MEDIUM.names(directory)),
};

/** An initramfs of these files, all of them executable. */
function files(texts: Readonly<Record<string, string>>): InitramfsFiles {
	const all = Object.entries(texts);
	return {
		isFile: (path) => texts[path] !== undefined,
		isExecutable: (path) => texts[path] !== undefined,
		exists: (path) => all.some(([name]) => name === path || name.startsWith(`${path}/`)),
		names: (path) =>
			all.flatMap(([name]) => (name.startsWith(`${path}/`) ? [name.slice(path.length + 1).split("/")[0] ?? ""] : [])),
		text: (path) => texts[path],
	};
}

/** A dmsquash-live of one release, in the style of its scripts. */
function support(release: string, lines: readonly string[], more: Readonly<Record<string, string>> = {}): LiveSupport {
	return liveSupportOf(
		files({
			[`/usr/lib/dracut/dracut-${release}`]: "",
			"/usr/sbin/dmsquash-live-root": lines.join("\n"),
			"/usr/lib/systemd/systemd": "",
			"/usr/bin/checkisomd5": "",
			...more,
		}),
	);
}

const OLD = support("059-4", [
	"dir=x",
	"live_dir=$(getarg rd.live.dir -d live_dir)",
	"overlay=$(getarg rd.live.overlay -d overlay)",
	'getargbool 0 rd.live.overlay.overlayfs && overlayfs="yes"',
	'getarg rd.live.check -d check || check=""',
]);
const MIDDLE = support("106-6", [
	'getargbool 0 rd.live.overlay.overlayfs && overlayfs="yes"',
	'    echo "rd.live.overlay.overlayfs=1" > /etc/cmdline.d/need.conf',
]);
const NEW = support("112-7", [
	"overlay=$(get_rd_overlay)",
	'getargbool 0 rd.overlay -d rd.live.overlay.overlayfs && overlayfs="yes"',
	'    echo "rd.overlay" > /etc/cmdline.d/20-need.conf',
]);
const LIVE_BOOT = liveSupportOf(files({ "/usr/lib/live/boot/9990-main.sh": "" }));
const RELEASES = { OLD, MIDDLE, NEW };
const ON = "rd.live.image rd.live.overlay.overlayfs=1";

function problems(args: string, of: LiveSupport | undefined = OLD, medium = MEDIUM): string[] {
	return followRoot(["/images/pxeboot/vmlinuz", ...args.split(" ")], of, medium).problems.map(
		({ code, stops }) => `${code}${stops ? "" : "?"}`,
	);
}

describe("the kernel's command line", () => {
	it("is what GRUB makes of its words", () => {
		const { text, lost } = grubCommandLine(["/k", "a", "b c", "d'e", "f\\x20g", "h\\i", '"']);
		expect(text).toBe('BOOT_IMAGE=/k a "b c" d\\\'e f\\x20g h\\\\i \\"');
		expect(lost).toEqual([]);
	});

	it("loses the words that a kernel has no room for", () => {
		const { text, lost } = grubCommandLine(["/k", "x".repeat(2000), "y".repeat(100), "z"]);
		expect(text.length).toBeLessThan(2048);
		expect(lost.map((word) => word[0])).toEqual(["y", "z"]);
		expect(problems(`pad=${"x".repeat(1990)} root=live:CDLABEL=Live ${ON}`)).toEqual([
			"COMMAND_LINE_TOO_LONG",
			"MENU_NO_ROOT",
		]);
	});

	it.each([
		["a b=c", { a: undefined, b: "c" }],
		['"b c=d e"', { "b c": "d e" }],
		['f="x y" g=', { f: "x y", g: "" }],
		['root="q', { root: "q" }],
		["h h=2", { h: "2" }],
		["h=2 h", { h: undefined }],
		["-- x", { "--": undefined, x: undefined }],
	])("%s is taken apart as dracut-getarg does", (line, wanted) => {
		expect(Object.fromEntries(kernelArguments(line).map(({ name, value }) => [name, value]))).toEqual(wanted);
	});
});

describe("what dracut's scripts ask for", () => {
	it("is read out of their calls", () => {
		const found = lookupsIn(
			[
				"# getarg not.this",
				"dir=$(getarg rd.dir -d dir)",
				'getargbool 0 rd.new -d rd.old -d -y older && flag="yes"',
				"if getargbool 0 rd.image -d -y img; then",
				'getarg rd.check || check=""',
			].join("\n"),
		);
		const names = [...found].map(([key, lookup]) => [key, lookup.map(({ name }) => name)]);
		expect(names).toEqual([
			["dir", ["rd.dir", "dir"]],
			["flag", ["rd.new", "rd.old", "older"]],
			["rd.image", ["rd.image", "img"]],
			["check", ["rd.check"]],
		]);
		expect(found.get("flag")?.map(({ as, isDeprecated }) => [as, isDeprecated])).toEqual([
			["value", false],
			["value", true],
			["yes", true],
		]);
	});

	it("takes the first name that is there and its last value", () => {
		const args = new InitramfsArguments(["a=1 b=2", "b=3 flag=no"]);
		expect(args.find(lookupOf("b", "a"))?.value).toBe("3");
		expect(args.isSet(lookupOf("flag"))).toBe(false);
		expect(args.isSet(lookupOf("none"))).toBe(false);
	});

	it("are the same whether the initramfs's own are read once for many lines or with each", () => {
		const words = fc.array(fc.constantFrom("a=1", "a=2", 'b="x y"', '"c', 'd="', "e", '"', " "), { maxLength: 6 });
		fc.assert(
			fc.property(
				fc.array(
					words.map((all) => all.join(" ")),
					{ maxLength: 3 },
				),
				words,
				(own, line) => {
					const once = InitramfsArguments.after(own, line.join(" "));
					const each = new InitramfsArguments([...own, line.join(" ")]);
					expect(once.list).toEqual(each.list);
					for (const { name } of each.list) expect(once.value(name)).toBe(each.value(name));
				},
			),
		);
	});

	it("knows the forms of a root by the clauses of its script", () => {
		const forms = rootFormsIn(
			'x\ncase "$liveroot" in\n  live:NAME=* | NAME=*)\n root="live:$(label_uuid_to_dev x)"\n ;;\n  live:/*.[Ii][Mm][Gg])\n [ -f x ] && rootok=1\n ;;\nesac\n',
		);
		expect(formOf(forms, "live:NAME=x")).toBe("tag");
		expect(formOf(forms, "live:/a/b.iMg")).toBe("image-file");
		expect(formOf(forms, "live:LABEL=x")).toBeUndefined();
		const other = support("200", [], {
			"/var/lib/dracut/hooks/cmdline/30-parse-dmsquash-live.sh": 'case "$liveroot" in\nlive:NAME=*)\n rootok=1;;\nesac',
		});
		expect(problems("root=live:CDLABEL=Live", other)).toEqual(["MENU_ROOT_UNKNOWN"]);
	});

	it("matches patterns in time that no pattern makes long", () => {
		expect(matchesGlob(`${"*a".repeat(100)}b`, "a".repeat(2000))).toBe(false);
		expect(matchesGlob("live:nfs*", "live:nfs:x")).toBe(true);
		expect(matchesGlob("a?[bc]*", "axc")).toBe(true);
	});
});

describe("the way to the root file system", () => {
	it.each([
		["root=live:CDLABEL=Live", []],
		["root=live:LABEL=Live", []],
		["root=CDLABEL=Live", []],
		["root=live:/dev/disk/by-label/Live", []],
		["root=live:UUID=2024-01-31-12-00-00-00", []],
		["root=live:CDLABEL=Other root=live:CDLABEL=Live", []],
		["-- root=live:CDLABEL=Live", []],
		["root=live:CDLABEL=Live rd.live.dir=/LiveOS/ rd.live.squashimg=./squashfs.img", []],
		["root=live:CDLABEL=Live rd.live.ram=1 rd.live.overlay.thin", []],
		["root=live:CDLABEL=Live root=live:CDLABEL=Other", ["MENU_LABEL"]],
		["root=live:CDLABEL=live", ["MENU_LABEL"]],
		["root=live:CDLABEL=Live%20", ["MENU_LABEL"]],
		["root=live:CDLABEL=", ["MENU_LABEL"]],
		["root=live:/dev/disk/by-label/Live2", ["MENU_LABEL"]],
		["root=live:CDLABLE=Live", ["MENU_ROOT_UNKNOWN"]],
		["root=live:Live", ["MENU_ROOT_UNKNOWN"]],
		["root=live:label=Live", ["MENU_ROOT_UNKNOWN"]],
		["root=Live", ["MENU_ROOT_UNKNOWN"]],
		["root=live:/LiveOS/squashfs.img", ["MENU_ROOT_UNKNOWN"]],
		["root=live:/a.iso", ["MENU_ROOT_UNKNOWN"]],
		["root=live:http://host/x.img", ["MENU_ROOT_UNKNOWN"]],
		["root=live:nfs:host:/x", ["MENU_ROOT_UNKNOWN"]],
		["root=live:UUID=2020-01-01-00-00-00-00", ["MENU_ROOT_UUID"]],
		["root=UUID=1234-5678", ["MENU_ROOT_UUID"]],
		["root=live:PARTLABEL=ISO9660", ["MENU_ROOT_PARTITION?"]],
		["root=live:PARTLABEL=EFI", ["MENU_ROOT_PARTITION"]],
		["root=live:PARTUUID=1", ["MENU_ROOT_PARTITION"]],
		["root=live:/dev/sr0", ["MENU_ROOT_DEVICE?"]],
		["root=/dev/sda1", ["MENU_ROOT_DEVICE?"]],
		["quiet", ["MENU_NO_ROOT"]],
		["root=live:CDLABEL=Live rd.live.dir=casper", ["MENU_LIVE_PATH"]],
		["root=live:CDLABEL=Live live_dir=x", ["MENU_LIVE_PATH"]],
		["root=live:CDLABEL=Live rd.live.dir=/ rd.live.squashimg=rootfs.squashfs", ["MENU_LIVE_PATH"]],
		["root=live:CDLABEL=Live rd.live.overlay=LABEL=data:/x", ["MENU_OVERLAY_DEVICE?"]],
		["root=live:CDLABEL=Live boot=live", []],
		["boot=live", ["MENU_NO_ROOT"]],
	])("%s", (args, wanted) => expect(problems(`${ON} ${args}`)).toEqual(wanted));

	it.each([
		["", { OLD: true, MIDDLE: false, NEW: false }],
		["rd.live.overlay.overlayfs", { OLD: false, MIDDLE: false, NEW: false }],
		["rd.live.overlay.overlayfs=0", { OLD: true, MIDDLE: true, NEW: false }],
		["rd.live.overlay.overlayfs=off rd.live.overlay.overlayfs=1", { OLD: false, MIDDLE: false, NEW: false }],
		["rd.overlay", { OLD: true, MIDDLE: false, NEW: false }],
		["rd.overlay=0", { OLD: true, MIDDLE: false, NEW: true }],
	])("asks for the overlay as each release does: %s", (args, wanted) => {
		for (const [name, release] of Object.entries(RELEASES))
			expect([name, problems(`root=live:CDLABEL=Live ${args}`, release).includes("OVERLAY_ARGUMENT_MISSING")]).toEqual([
				name,
				wanted[name as keyof typeof wanted],
			]);
	});

	it("takes what an argument of 112 would be for a place to keep changes in", () => {
		expect(problems("root=live:CDLABEL=Live rd.overlay=1", NEW)).toEqual([]);
		expect(problems("root=live:CDLABEL=Live rd.overlay=LABEL=x", NEW)).toEqual(["MENU_OVERLAY_DEVICE?"]);
		expect(problems("root=live:CDLABEL=Live rd.overlay=1 rd.live.overlay=/dev/sda1", NEW)).toEqual([
			"MENU_OVERLAY_DEVICE?",
		]);
		const { notes } = followRoot(["/k", "root=live:CDLABEL=Live", ...ON.split(" ")], NEW, MEDIUM);
		expect(notes).toEqual(["dracut 112-7 calls rd.live.overlay.overlayfs deprecated in favour of rd.overlay"]);
	});

	it.each(["A B", "A/B", "a+b@c", "100%", "Größe", "A\\B", "[x]*"])(
		"finds the label %j by its name in /dev",
		(label) => {
			const word = `root=live:CDLABEL=${udevLabel(label)}`;
			expect(followRoot(["/k", word, ...ON.split(" ")], OLD, { ...MEDIUM, label }).problems).toEqual([]);
		},
	);

	it.each([
		["module_blacklist=nouveau,squashfs", ["DRIVER_BARRED"]],
		["module_blacklist=cdrom", ["DRIVER_BARRED"]],
		["module_blacklist=lz4-compress", []],
		["module_blacklist=lz4_compress", ["DRIVER_BARRED"]],
		["module_blacklist=overlay module_blacklist=nouveau", []],
		["module_blacklist=loop", ["DRIVER_BARRED"]],
		// What a driver needs is asked for by name.
		["modprobe.blacklist=lz4-compress", []],
		["rd.driver.blacklist=isofs", ["DRIVER_BARRED"]],
		["rd.driver.blacklist=isofs rd.driver.blacklist=nouveau", ["DRIVER_BARRED"]],
		["rd.driver.blacklist=iso9660", []],
		["rd.driver.blacklist=isofs rd.driver.pre=isofs", []],
		["modprobe.blacklist=nouveau,loop,overlay,squashfs", []],
		["initcall_blacklist=ovl_init initcall_blacklist=x", ["DRIVER_BARRED"]],
		["initcall_blacklist=ovl_init", ["DRIVER_BARRED"]],
		["initcall_blacklist=simpledrm_platform_driver_init", []],
		["rdinit=/bin/sh", ["MENU_INITRAMFS_PROGRAM"]],
		["rdinit=/sbin/init", ["MENU_INITRAMFS_PROGRAM"]],
		["rdinit=/usr/lib/systemd/systemd", []],
		["rdinit=/init", []],
		["rd.break", ["MENU_BREAK?"]],
		["rd.break=pre-pivot", ["MENU_BREAK?"]],
		["break=mount", []],
		["rd.emergency", ["MENU_BREAK?"]],
		["rd.systemd.unit=rescue.target", ["MENU_BREAK?"]],
		["rd.systemd.unit=rescue.target rd.systemd.unit=initrd.target", []],
		["rd.emergency=poweroff", []],
		// A shell where the boot fails, which there is without it too.
		["rd.shell", []],
		...[
			"systemd.unit=emergency.target",
			"systemd.unit=rescue",
			"systemd.unit=poweroff.target",
			"single",
			"1",
			"-b",
		].map((args) => [args, ["MENU_OTHER_START?"]] as [string, string[]]),
		["single systemd.unit=graphical.target", []],
		["systemd.unit=graphical.target S", ["MENU_OTHER_START?"]],
		["init=/bin/sh", ["MENU_OTHER_START?"]],
		["init=/usr/bin/bash 3", ["MENU_OTHER_START?"]],
		["init=/bin/sh init=/sbin/init", []],
	])("knows what the kernel does before the initramfs is asked: %s", (args, wanted) => {
		const modules = [
			"kernel/fs/isofs/isofs.ko.xz: kernel/drivers/cdrom/cdrom.ko.xz",
			"kernel/fs/squashfs/squashfs.ko: kernel/lib/lz4/lz4-compress.ko",
			"kernel/fs/overlayfs/overlay.ko:",
			"kernel/drivers/block/loop.ko:",
			"kernel/drivers/gpu/drm/nouveau/nouveau.ko: kernel/drivers/gpu/drm/drm.ko",
		];
		const of = (lines: readonly string[]) =>
			support("059-4", lines, {
				"/lib/modules/6.1/modules.dep": modules.join("\n"),
				"/bin/sh": "",
				"/usr/lib/dracut/hooks/cmdline/30-parse-dmsquash-live.sh": "modprobe -q loop",
			});
		const old = of(["load_fstype squashfs", "if ! load_fstype overlay; then"]);
		expect(problems(`root=live:CDLABEL=Live ${ON} ${args}`, old)).toEqual(wanted);
		if (!args.includes(".blacklist=")) return;
		const unknown = problems(`root=live:CDLABEL=Live ${ON} ${args}`, of([]));
		for (const problem of unknown) expect(problem).toBe("DRIVER_BARRED?");
	});

	it.each([
		["100", "load_fstype squashfs", []],
		["106", 'load_fstype "$livedev_fstype"', ["DRIVER_BARRED"]],
		["112", 'fstype=$(det_img_fs "$SQUASHED_LOOPDEV")\n load_fstype "$fstype"', []],
	])("knows who asks for squashfs by name in dracut %s", (release, line, wanted) => {
		const more = { "/lib/modules/6.1/modules.dep": "kernel/fs/squashfs/squashfs.ko.zst:" };
		const initramfs = support(release, [line, 'echo "rd.live.overlay.overlayfs" > /etc/cmdline.d/x'], more);
		expect(problems("root=live:CDLABEL=Live rd.driver.blacklist=squashfs", initramfs)).toEqual(wanted);
	});

	it("finds a label with a space where the entry keeps it together", () => {
		const medium = { ...MEDIUM, label: "My Live" };
		expect(followRoot(["/k", "root=live:CDLABEL=My Live", ...ON.split(" ")], OLD, medium).problems).toEqual([]);
		expect(problems(`root=live:CDLABEL=My Live ${ON}`, OLD, medium)).toEqual(["MENU_LABEL"]);
	});

	it("reads the initramfs's own arguments before the kernel's", () => {
		const own = { "/etc/cmdline.d/10-root.conf": "root=live:CDLABEL=Live\nrd.live.overlay.overlayfs=1\n" };
		const lines = ['getargbool 0 rd.live.overlay.overlayfs && overlayfs="yes"'];
		expect(problems("quiet", support("059", lines, own))).toEqual([]);
		expect(problems("root=live:CDLABEL=X", support("059", lines, own))).toEqual(["MENU_LABEL"]);
		expect(
			problems("quiet", support("059", lines, { "/etc/cmdline.d/10-root.txt": "root=live:CDLABEL=Live" })),
		).toEqual(["MENU_NO_ROOT"]);
	});

	it("knows the network's roots where the initramfs has livenet", () => {
		const livenet = support("059", [], { "/usr/sbin/livenetroot": "" });
		expect(problems("root=live:https://host/x.iso", livenet)).toEqual(["MENU_ROOT_NETWORK?"]);
		expect(problems(`root=live:gopher://host/x ${ON}`, livenet)).toEqual(["MENU_ROOT_UNKNOWN"]);
	});

	it.each([
		["inst.stage2=hd:LABEL=Live", []],
		["inst.stage2=hd:LABEL=Live:/", []],
		["inst.stage2=hd:LABEL=Other", ["MENU_LABEL"]],
		["inst.stage2=hd:LABEL=Live:/stage2", ["MENU_LIVE_PATH"]],
		["inst.stage2=hd:sda1", ["MENU_ROOT_DEVICE?"]],
		["inst.stage2=http://host/x", ["MENU_ROOT_DEVICE?"]],
		["inst.stage2=hd:LABEL=Live root=live:CDLABEL=Other", []],
	])("follows the installer's %s", (args, wanted) => {
		const installer = support("107", [], { "/usr/lib/anaconda-lib.sh": "" });
		expect(problems(args, installer)).toEqual(wanted);
	});

	it("knows what live-boot looks for", () => {
		expect(problems("boot=live", LIVE_BOOT)).toEqual(["MENU_LIVE_PATH"]);
		expect(problems("boot=live live-media-path=LiveOS", LIVE_BOOT)).toEqual(["MENU_LIVE_PATH"]);
		expect(problems("boot=live fetch=http://host/x.squashfs", LIVE_BOOT)).toEqual(["MENU_ROOT_NETWORK?"]);
	});

	it.each([
		["boot=live components", []],
		["boot=live root=live:CDLABEL=Live rd.live.image", []],
		["boot=live live-media-path=/live/", []],
		["boot=live live-media-path=LiveOS", ["MENU_LIVE_PATH"]],
		["boot=live live-media=removable", []],
		["boot=live live-media=removable-usb", ["MENU_ROOT_DEVICE?"]],
		["boot=live live-media=/dev/disk/by-label/Other", []],
		["boot=live findiso=/images/live.iso", ["MENU_ROOT_DEVICE?"]],
		["boot=live fromiso=/dev/sda1/live.iso", ["MENU_ROOT_DEVICE?"]],
		["boot=live isofrom=/dev/sda1/live.iso", ["MENU_ROOT_DEVICE?"]],
		["boot=live findiso=", []],
		["boot=live toram", ["MENU_COPIED_TWICE?"]],
		["boot=live toram=filesystem.squashfs", []],
		["boot=live toram=squashfs.img", ["MENU_LIVE_PATH"]],
		["boot=live plainroot root=/dev/sda2", ["MENU_ROOT_DEVICE?"]],
		["boot=live persistence persistence-label=mine", []],
		["boot=live break=mountroot", ["MENU_BREAK?"]],
		["root=live:CDLABEL=Live rd.live.image", ["MENU_ROOT_UNKNOWN"]],
		["inst.stage2=hd:LABEL=Live", ["MENU_ROOT_UNKNOWN"]],
		["boot=local root=/dev/sda2", ["MENU_NO_ROOT"]],
	])("follows live-boot's %s on a medium that has its directory", (args, wanted) => {
		expect(problems(args, LIVE_BOOT, BOTH_NAMES)).toEqual(wanted);
	});

	it("lets live-boot copy a medium that has its root file system once", () => {
		const names = (directory: string) => (directory === "live" ? ["filesystem.squashfs"] : undefined);
		expect(problems("boot=live toram", LIVE_BOOT, { ...MEDIUM, names })).toEqual([]);
	});

	it("asks for live-boot's UUID where the initramfs has one", () => {
		const live = liveSupportOf(files({ "/scripts/live": "", "/conf/uuid.conf": "" }));
		expect(problems("boot=live", live, BOTH_NAMES)).toEqual(["MENU_LIVE_UUID"]);
		expect(problems("boot=live ignore_uuid", live, BOTH_NAMES)).toEqual([]);
		const names = (directory: string) => (directory === ".disk" ? ["live-uuid-generic"] : BOTH_NAMES.names(directory));
		expect(problems("boot=live", live, { ...BOTH_NAMES, names })).toEqual([]);
	});

	it("ends where systemd has no program to check the medium with", () => {
		const unit = { "/etc/systemd/system/checkisomd5@.service": "" };
		const base = { "/usr/sbin/dmsquash-live-root": "", "/usr/lib/dracut/dracut-106": "" };
		const systemd = { "/usr/lib/systemd/systemd": "" };
		const of = (more: Record<string, string>): string[] =>
			problems("root=live:CDLABEL=Live rd.live.check=0", liveSupportOf(files({ ...base, ...more })));
		expect(of({ ...unit, ...systemd, "/usr/bin/checkisomd5": "" })).toEqual([]);
		expect(of({ ...unit, ...systemd })).toEqual(["MEDIA_CHECK_TOOL_MISSING"]);
		expect(of(systemd)).toEqual(["MEDIA_CHECK_TOOL_MISSING?"]);
		expect(of({})).toEqual(["MEDIA_CHECK_TOOL_MISSING?"]);
	});

	it("assumes what all releases do where the initramfs cannot be read", () => {
		const codes = (root: string): string[] =>
			followRoot(["/k", root], undefined, MEDIUM).problems.map(({ code }) => code);
		expect(codes("root=live:CDLABEL=Live")).toEqual([]);
		expect(codes("root=live:CDLABLE=Live")).toEqual(["MENU_ROOT_UNKNOWN"]);
	});

	it("writes labels and dates as udev does", () => {
		expect(udevLabel("Fedora-43_x")).toBe("Fedora-43_x");
		expect(udevLabel("a/b%")).toBe("a\\x2fb\\x25");
		expect(volumeUuid(Date.UTC(2024, 0, 31, 12) / 1000)).toBe("2024-01-31-12-00-00-00");
	});
});
