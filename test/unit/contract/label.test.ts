import { describe, expect, test } from "vitest";
import { defaultLabel } from "../../../src/contract/label.ts";
import { codesOf, contractOf, fedoraImage, ISO_YAML, problemsOf } from "./contract-images.ts";

describe("the default label", () => {
	test.each([
		["fedora", "43", "Fedora-S-dvd-x86_64-43", false],
		["fedora", undefined, "Fedora-S-dvd-x86_64", true],
		["centos", "10", "CentOS-Stream-10-BaseOS-x86_64", false],
		["centos", "8", "CentOS-Stream-8-x86_64-dvd", false],
		["centos", undefined, "CentOS-Stream-BaseOS-x86_64", true],
		["rhel", "9.4", "RHEL-9-4-BaseOS-x86_64", false],
		["rhel", undefined, "RHEL-BaseOS-x86_64", true],
		["debian", "12", "Container-Installer-x86_64", false],
		[undefined, undefined, "Container-Installer-x86_64", false],
	])("of %s %s is %s", (id, versionId, label, missesVersion) => {
		expect(defaultLabel({ id, versionId, idLike: [], name: undefined }, "x86_64")).toEqual({ label, missesVersion });
	});

	test("that is too long is a violation that says how to set one", async () => {
		const image = fedoraImage().file("/usr/lib/os-release", `ID=fedora\nVERSION_ID=${"9".repeat(20)}\n`);
		expect(await problemsOf(image)).toEqual(["LABEL_LENGTH /etc/os-release"]);
	});
});

describe("a label", () => {
	test.each([
		["Kinoite-Live", []],
		["X".repeat(32), []],
		["My Live ISO", ["LABEL_SPACE"]],
		[" A ", ["LABEL_SPACE"]],
		["bluefin", ["LABEL_REFERENCE"]],
		["it's", ["LABEL_SPECIAL", "LABEL_REFERENCE"]],
		['Say"Hi"', ["LABEL_SPECIAL"]],
		["A/B", ["LABEL_SPECIAL"]],
		["Ünï-1", ["LABEL_NOT_ASCII"]],
		["Ü".repeat(16), ["LABEL_NOT_ASCII", "LABEL_REFERENCE"]],
	])("%j is accepted, with notes %j", async (label, codes) => {
		const contract = await contractOf(fedoraImage(), { label });
		expect(contract.label).toBe(label);
		expect(codesOf(contract).filter((code) => code.startsWith("LABEL_"))).toEqual(codes);
	});

	test.each([
		["X".repeat(33), "LABEL_LENGTH"],
		[`${"Ü".repeat(16)}A`, "LABEL_LENGTH"],
		["", "LABEL_LENGTH"],
		["A\nB", "LABEL_CONTROL_CHARACTER"],
		["A\u0085B", "LABEL_CONTROL_CHARACTER"],
		["A\u0000", "LABEL_CONTROL_CHARACTER"],
		["A\ud800", "LABEL_CONTROL_CHARACTER"],
	])("%j is refused", async (label, code) => {
		expect(await problemsOf(fedoraImage(), { label })).toEqual([`${code} --label`]);
	});

	test("of iso.yaml that is too long is reported with its length and place", async () => {
		const image = fedoraImage().file(ISO_YAML, `grub2: {}\nlabel: ${"L".repeat(40)}\n`);
		expect(await problemsOf(image)).toEqual([`LABEL_LENGTH ${ISO_YAML}:2:8`]);
	});

	test("that is empty in iso.yaml counts as absent", async () => {
		const contract = await contractOf(fedoraImage().file(ISO_YAML, 'label: ""\n'));
		expect(contract.label).toBe("Fedora-S-dvd-x86_64-43");
	});

	test("from the option wins, and entries that name another one are noted", async () => {
		const yaml = "label: Old\ngrub2: {entries: [{name: a, linux: /v root=live:CDLABEL=Old, initrd: /i}]}\n";
		const contract = await contractOf(fedoraImage().file(ISO_YAML, yaml), { label: "New" });
		expect(contract.label).toBe("New");
		expect(contract.kernelArgs[0]).toBe("root=live:CDLABEL=New");
		expect(codesOf(contract)).toContain("ENTRY_LABEL_DIFFERS");
	});
});
