import { describe, expect, it } from "vitest";
import { netbootEntries } from "../../../../src/boot/netboot/entries.ts";
import { renderNetbootGrubConfig } from "../../../../src/boot/netboot/grub-menu.ts";
import { renderIpxeScript } from "../../../../src/boot/netboot/ipxe-script.ts";
import type { Grub2Menu, MenuEntry } from "../../../../src/contract/contract.ts";

const KERNEL = "/images/pxeboot/vmlinuz";
const INITRD = "/images/pxeboot/initrd.img";

function menusOf(entries: readonly Partial<MenuEntry>[], baseUrl?: string, more: Partial<Grub2Menu> = {}) {
	const grub2: Grub2Menu = {
		timeoutSeconds: 5,
		defaultEntry: undefined,
		isBuiltIn: false,
		entries: entries.map((entry) => ({ name: "Live", linux: KERNEL, initrd: INITRD, ...entry })),
		...more,
	};
	const menu = netbootEntries({ grub2 });
	const contract = { grub2, label: "L" };
	return {
		grub: renderNetbootGrubConfig(contract, menu, baseUrl).split("\n"),
		ipxe: renderIpxeScript(contract, menu, baseUrl).split("\n"),
	};
}

const commands = (lines: readonly string[], name: string) =>
	lines.map((line) => line.trim()).filter((line) => line.startsWith(`${name} `));

describe("menus for network boot", () => {
	it("name the root file system's URL in place of the medium, ask for an address and check no medium", () => {
		const linux = `${KERNEL} root=live:CDLABEL=L\\x20x rd.live.image rd.live.check quiet root=LABEL=y`;
		const { grub, ipxe } = menusOf([{ linux }], "http://h.example:8/a");
		const args = "rd.live.image quiet ip=dhcp";
		expect(commands(grub, "linux")).toEqual([`linux "$set"/vmlinuz root=live:http://h.example:8/a/rootfs.img ${args}`]);
		expect(commands(ipxe, "kernel")).toEqual([
			`kernel $\{base}/vmlinuz initrd=initrd.img root=live:$\{base}/rootfs.img ${args}`,
		]);
		expect(commands(ipxe, "set")).toEqual(["set base http://h.example:8/a"]);
	});

	it("keep an address that is given, and what the kernel sees of quotes", () => {
		const linux = `${KERNEL} ip=10.0.0.9::10.0.0.1 systemd.run="echo \\$x; true" a='b c'`;
		const { grub, ipxe } = menusOf([{ linux }]);
		expect(commands(ipxe, "kernel")[0]).toMatch(
			/rootfs\.img ip=10\.0\.0\.9::10\.0\.0\.1 "systemd\.run=echo \$x; true" "a=b c"$/,
		);
		expect(commands(grub, "linux")[0]).toContain('"systemd.run=echo \\$x; true" "a=b c"');
	});

	it("start where the boot loader came from, where no URL is given", () => {
		const { grub, ipxe } = menusOf([{}]);
		expect(commands(grub, "linux")[0]).toContain("root=live:http://$net_default_server/rootfs.img");
		expect(commands(ipxe, "set")).toEqual([`set base http://$\{next-server}`]);
	});

	it("have further kernels, and device trees for GRUB only", () => {
		const deeper = KERNEL.replace("vmlinuz", "6.1/vmlinuz");
		const { grub, ipxe } = menusOf([{}], undefined, {
			defaultEntry: 1,
			submenus: [
				{ title: "Linux 6.1", entries: [{ name: "Live", linux: deeper, initrd: INITRD }] },
				{
					title: "Tree",
					entries: [{ name: "Live", linux: KERNEL, initrd: INITRD, devicetree: "/images/pxeboot/dtb/a.dtb" }],
				},
			],
		});
		expect(commands(ipxe, "item")).toEqual(["item entry0 Live", "item entry1 Live (Linux 6.1)"]);
		expect(commands(ipxe, "choose")).toEqual(["choose --default entry1 --timeout 5000 entry"]);
		expect(commands(grub, "devicetree")).toEqual(['devicetree "$set"/dtb/a.dtb']);
		expect(commands(grub, "linux")[1]).toMatch(/^linux "\$set"\/6\.1\/vmlinuz /);
	});

	it("start at once where the menu does", () => {
		expect(commands(menusOf([{}, {}], undefined, { timeoutSeconds: 0, defaultEntry: 1 }).ipxe, "goto")).toEqual([
			"goto entry1",
		]);
	});

	it.each([
		["NETBOOT_ENTRY", { linux: "/boot/memtest" }],
		["NETBOOT_ENTRY", { initrd: `${INITRD} /ucode.img` }],
		["NETBOOT_ARGUMENT", { linux: `${KERNEL} a=\\$\\{b}` }],
		["NETBOOT_ARGUMENT", { linux: `${KERNEL} a && b` }],
	])("refuse what they cannot say: %s %j", (code, entry) => {
		expect(() => menusOf([entry])).toThrow(expect.objectContaining({ code }));
	});
});
