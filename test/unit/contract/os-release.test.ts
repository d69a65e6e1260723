import { describe, expect, test } from "vitest";
import { parseOsRelease } from "../../../src/contract/os-release.ts";
import { substitute, variablesIn } from "../../../src/contract/template.ts";
import type { SmallRoot } from "../../support/small-root.ts";
import { codesOf, contractOf, fedoraImage, ISO_YAML } from "./contract-images.ts";

describe("os-release", () => {
	test.each([
		["ID=fedora", "fedora"],
		['ID="Fedora Linux"', "Fedora Linux"],
		["ID='single $quoted \\n'", "single $quoted \\n"],
		['ID="a \\"b\\" \\$c \\\\ \\` \\n"', 'a "b" $c \\ ` \\n'],
		["ID=esc\\ aped", "esc aped"],
		["  ID = spaced  ", "spaced"],
		["ID=windows\r", "windows"],
		["ID=first\nID=last", "last"],
		["# ID=comment\nID=real", "real"],
		["ID=", ""],
		['ID="never closed', "never closed"],
		["ID=value # comment", "value"],
		["ID=a'b'\"c\"", "abc"],
		["no assignment\n=x\n1ID=x\nID=ok", "ok"],
	])("%j gives ID %j", (text, id) => {
		expect(parseOsRelease(text).get("ID")).toBe(id);
	});

	test("takes time in proportion to its length", () => {
		// Each of these would take hours if characters were looked at again for each character.
		const long = 1_000_000;
		for (const value of ["#", "\\", " #", "' '", '"', "a'b"].map((part) => part.repeat(long / part.length)))
			expect(parseOsRelease(`NAME=x${value}\nID=y\n`).get("ID")).toBe("y");
		for (const text of [" ", "=", "\n", "A", " =", "A "].map((part) => part.repeat(long / part.length)))
			expect(parseOsRelease(`${text}\nID=y\n`).get("ID")).toBe("y");
	});

	test("in /etc comes before the one in /usr/lib", async () => {
		const image = fedoraImage().file("/etc/os-release", "ID=etc\n");
		expect((await contractOf(image)).osRelease.id).toBe("etc");
	});

	test.each([
		["a link that leads nowhere", (image: SmallRoot) => image.symlink("/etc/os-release", "/run/os-release")],
		["a link to itself", (image: SmallRoot) => image.symlink("/etc/os-release", "os-release")],
		["a directory", (image: SmallRoot) => image.directory("/etc/os-release")],
		["an empty file", (image: SmallRoot) => image.file("/etc/os-release", "")],
	])("in /etc that is %s is passed over, and reported", async (_, spoil) => {
		const image = fedoraImage();
		image.root.entries.delete("etc");
		const contract = await contractOf(spoil(image));
		expect(contract.osRelease.id).toBe("fedora");
		expect(contract.choices).toContainEqual(
			expect.objectContaining({ code: "OS_RELEASE_UNUSABLE", where: "/etc/os-release" }),
		);
	});

	test("may be in /usr/lib alone, or behind an absolute link", async () => {
		const image = fedoraImage();
		image.root.entries.delete("etc");
		expect((await contractOf(image)).osRelease.versionId).toBe("43");
		image.symlink("/etc/os-release", "/usr/lib/os-release");
		const contract = await contractOf(image);
		expect(contract.osRelease.versionId).toBe("43");
		expect(codesOf(contract).filter((code) => code.startsWith("OS_RELEASE"))).toEqual([]);
	});

	test("may be missing: every value is then a choice, the system is called Linux", async () => {
		const image = fedoraImage();
		image.file("/usr/lib/os-release", "");
		const contract = await contractOf(image);
		expect(codesOf(contract)).toContain("OS_RELEASE_MISSING");
		expect(contract.grub2.entries[0]?.name).toBe("Install Linux");
	});
});

// biome-ignore-start lint/suspicious/noTemplateCurlyInString: they are the templates under test
describe("variables in entries", () => {
	test.each([
		["$a-${a}-$ab-${ab}", "A-A-$ab-${ab}"],
		["$$a $$$a", "$a $A"],
		["$ ${} ${a $1 ${a-b} end$", "$ ${} ${a $1 ${a-b} end$"],
		["$b", "$a"],
		["$A", "$A"],
		["$é", "$é"],
	])("%j becomes %j", (text, result) => {
		const values = new Map([
			["a", "A"],
			["b", "$a"],
		]);
		expect(substitute(text, values, 1000)).toBe(result);
	});

	test("that make a text too long give none", () => {
		const values = new Map([["v", "x".repeat(1000)]]);
		expect(substitute("$v".repeat(10), values, 10_000)).toHaveLength(10_000);
		expect(substitute("$v".repeat(10), values, 9_999)).toBeUndefined();
		expect(substitute("$v".repeat(500_000), values, 1_000_000)).toBeUndefined();
	});

	test("are found where they would be replaced", () => {
		expect(variablesIn("$a ${b} $$c ${d")).toEqual(["a", "b"]);
	});

	test("have the reference's names and values", async () => {
		const yaml = `label: Live-1
kernel_args: [root=live:CDLABEL=Live-1, quiet]
grub2:
  timeout: 7
  entries:
  - name: \${product} $version $isolabel $timeout $unknown
    linux: $kernelpath \${root} x=\${isolabel} cost=$$5
    initrd: $initrdpath
`;
		const contract = await contractOf(fedoraImage().file(ISO_YAML, yaml));
		expect(contract.grub2.entries[0]).toEqual({
			name: "Fedora Linux 43 Live-1 7 $unknown",
			linux: "/images/pxeboot/vmlinuz root=live:CDLABEL=Live-1 quiet x=Live-1 cost=$5",
			initrd: "/images/pxeboot/initrd.img",
		});
		expect(codesOf(contract)).toEqual(["ENTRY_DOLLAR"]);
	});

	test("escape what they put into a command line, and only there", async () => {
		const yaml = "grub2: {entries: [{name: $product, linux: $kernelpath $product $root, initrd: $initrdpath}]}\n";
		const image = fedoraImage().file("/usr/lib/os-release", 'NAME="Bob\'s \\"L\\""\n').file(ISO_YAML, yaml);
		const { grub2 } = await contractOf(image, { label: "It's" });
		expect(grub2.entries[0]?.name).toBe('Bob\'s "L"');
		expect(grub2.entries[0]?.linux).toContain("vmlinuz Bob\\'s \\\"L\\\" root=live:CDLABEL=It\\'s rd.live.image");
	});
});
// biome-ignore-end lint/suspicious/noTemplateCurlyInString: they are the templates under test
