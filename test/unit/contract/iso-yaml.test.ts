import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { parseInteger, parseIsoYaml } from "../../../src/contract/iso-yaml.ts";
import { Findings } from "../../../src/findings/findings.ts";
import { codesOf, contractOf, failureOf, fedoraImage, ISO_YAML, NEW_ISO_YAML, problemsOf } from "./contract-images.ts";

const ENTRY = "{name: n, linux: l, initrd: i}";

function yamlContract(yaml: string | Uint8Array) {
	return contractOf(fedoraImage().file(ISO_YAML, yaml));
}

async function yamlProblems(yaml: string | Uint8Array): Promise<string[]> {
	return (await problemsOf(fedoraImage().file(ISO_YAML, yaml))).map((text) => text.replace(ISO_YAML, ""));
}

describe("the place of iso.yaml", () => {
	test("is the newer one first, and a second file is noted", async () => {
		const image = fedoraImage().file(ISO_YAML, "label: Old\n").file(NEW_ISO_YAML, "label: New\n");
		const contract = await contractOf(image);
		expect(contract.label).toBe("New");
		expect(contract.choices.find(({ code }) => code === "ISO_YAML_PLACES")?.where).toBe(NEW_ISO_YAML);
	});

	test("may be behind a link; a link that leads nowhere counts as absent", async () => {
		const image = fedoraImage()
			.symlink(NEW_ISO_YAML, "/gone")
			.symlink(ISO_YAML, "/etc/iso.yaml")
			.file("/etc/iso.yaml", "label: L-1");
		expect((await contractOf(image)).label).toBe("L-1");
	});

	test("with a directory, too many bytes or bad UTF-8 is a violation", async () => {
		expect(await problemsOf(fedoraImage().directory(ISO_YAML))).toEqual([`ISO_YAML_UNUSABLE ${ISO_YAML}`]);
		expect(await yamlProblems(Buffer.alloc(1024 * 1024 + 1, 10))).toEqual(["ISO_YAML_UNUSABLE "]);
		expect(await yamlProblems(Uint8Array.of(0x6c, 0xff, 0xfe))).toEqual(["ISO_YAML_UNUSABLE "]);
	});
});

describe("values as the reference reads them", () => {
	test("a scalar keeps its text where text is asked for", async () => {
		const contract = await yamlContract('label: 42\nkernel_args: [1.50, yes, 0x10, ~, ""]\n');
		expect(contract.label).toBe("42");
		expect(contract.kernelArgs).toEqual(["1.50", "yes", "0x10", ""]);
	});

	test("null is absent everywhere", async () => {
		const contract = await yamlContract("label:\nkernel_args: ~\ngrub2:\n");
		expect(contract.label).toBe("Fedora-S-dvd-x86_64-43");
		expect(contract.grub2.isBuiltIn).toBe(true);
		const inGrub = await yamlContract("grub2: {default: null, timeout: NULL, entries: }\n");
		expect(inGrub.grub2).toMatchObject({ timeoutSeconds: 60, defaultEntry: undefined, isBuiltIn: true });
		expect((await yamlContract("---\n")).grub2.isBuiltIn).toBe(true);
	});

	test("kernel_args that no entry uses are noted", async () => {
		const unused = await yamlContract(`kernel_args: [a]\ngrub2: {entries: [${ENTRY}]}\n`);
		expect(codesOf(unused)).toContain("KERNEL_ARGS_UNUSED");
		const used = await yamlContract("kernel_args: [a]\ngrub2: {entries: [{name: n, linux: /v $root, initrd: i}]}\n");
		expect(codesOf(used)).not.toContain("KERNEL_ARGS_UNUSED");
		expect(used.grub2.entries[0]?.linux).toBe("/v a");
		const byDefault = await yamlContract("grub2: {entries: [{name: n, linux: /v $root, initrd: i}]}\n");
		expect(codesOf(byDefault)).toContain("KERNEL_ARGS_DEFAULT");
	});

	test("timeout and default may be integers or numbers as text, which is noted", async () => {
		const plain = await yamlContract(`grub2: {timeout: 15, default: 1, entries: [${ENTRY}, ${ENTRY}]}`);
		expect(plain.grub2).toMatchObject({ timeoutSeconds: 15, defaultEntry: 1 });
		expect(codesOf(plain)).not.toContain("ISO_YAML_NUMBER_AS_TEXT");
		const quoted = await yamlContract(`grub2: {timeout: "15", default: !!str 1, entries: [${ENTRY}, ${ENTRY}]}`);
		expect(quoted.grub2).toMatchObject({ timeoutSeconds: 15, defaultEntry: 1 });
		expect(codesOf(quoted).filter((code) => code === "ISO_YAML_NUMBER_AS_TEXT")).toHaveLength(2);
	});

	test("timeout 0 is kept and reported; default 0 and below mean none", async () => {
		const contract = await yamlContract(`grub2: {timeout: 0, default: 0, entries: [${ENTRY}]}`);
		expect(contract.grub2).toMatchObject({ timeoutSeconds: 0, defaultEntry: undefined });
		expect(codesOf(contract)).toContain("TIMEOUT_ZERO");
		const negative = await yamlContract(`grub2: {default: -1, entries: [${ENTRY}]}`);
		expect(negative.grub2.defaultEntry).toBeUndefined();
		expect(codesOf(negative)).toContain("DEFAULT_ENTRY_NEGATIVE");
		expect(codesOf(await yamlContract(`grub2: {default: 1, entries: [${ENTRY}]}`))).toContain("DEFAULT_ENTRY_BEYOND");
	});

	test.each([
		["10", 10],
		["-3", -3],
		["+3", 3],
		["-0", 0],
		["1_000", 1000],
		["0x1F", 31],
		["0o17", 15],
		["0b11", 3],
		["10.0", 10],
		["010", undefined],
		["10.5", undefined],
		["ten", undefined],
		["", undefined],
		["9".repeat(20), undefined],
	])("the integer %j is %j", (text, value) => {
		expect(parseInteger(text)).toBe(value);
	});

	test("merge keys apply, own keys and earlier mappings win", async () => {
		const yaml = `
base: &base {name: base, linux: /l, initrd: /i}
other: &other {name: other, linux: /other}
grub2:
  entries:
    - {<<: *base, name: own}
    - {<<: [*other, *base]}
    - {"<<": ignored, name: n, linux: l, initrd: i}
`;
		const { grub2 } = await yamlContract(yaml);
		expect(grub2.entries.map(({ name, linux, initrd }) => [name, linux, initrd])).toEqual([
			["own", "/l", "/i"],
			["other", "/other", "/i"],
			["n", "l", "i"],
		]);
	});

	test("only the first document counts, even where the next is broken", async () => {
		expect((await yamlContract("# c\n---\nlabel: One\n---\n\t{[broken\n")).label).toBe("One");
		expect((await yamlContract("%YAML 1.2\n---\nlabel: One\n...\n}}")).label).toBe("One");
		expect((await yamlContract("\ufefflabel: One\n---\nlabel: Two\n")).label).toBe("One");
	});

	test("unknown keys are ignored and noted with their place", async () => {
		const contract = await yamlContract(
			`lable: x\ngrub2:\n  colour: red\n  entries:\n  - ${ENTRY.replace("}", ", args: a}")}\n`,
		);
		const notes = contract.choices.filter(({ code }) => code === "ISO_YAML_UNKNOWN_KEY");
		expect(notes.map(({ where }) => where)).toEqual([`${ISO_YAML}:1:8`, `${ISO_YAML}:3:11`, `${ISO_YAML}:5:42`]);
	});

	test("a block text may end with newlines, which the entry does not keep", async () => {
		const yaml =
			"grub2:\n  entries:\n  - name: |\n      Live\n    linux: >\n      /v quiet\n      rhgb\n    initrd: /i\n";
		const { grub2 } = await yamlContract(yaml);
		expect(grub2.entries[0]).toEqual({ name: "Live", linux: "/v quiet rhgb", initrd: "/i" });
	});
});

describe("violations have line and column", () => {
	test.each([
		["an empty file", "", ["ISO_YAML_EMPTY "]],
		["comments only", "# nothing\n", ["ISO_YAML_EMPTY "]],
		["a text", "hello\n", ["ISO_YAML_INVALID :1:1"]],
		["bad syntax", "label: [a\nb: }\n", ["ISO_YAML_SYNTAX :2:1"]],
		["a tab as indentation", "grub2:\n\ttimeout: 1\n", ["ISO_YAML_SYNTAX :2:1"]],
		["a duplicate key", "label: A\ngrub2: {}\nlabel: B\n", ["ISO_YAML_SYNTAX :3:1"]],
		["a duplicate key inside", "grub2:\n  timeout: 1\n  timeout: 2\n", ["ISO_YAML_SYNTAX :3:3"]],
		["a key that is a list", "? [a]\n: b\n", ["ISO_YAML_SYNTAX :1:3"]],
		["an unknown alias", "label: *nobody\n", ["ISO_YAML_SYNTAX :1:9"]],
		["an alias in itself", "grub2: &g {entries: *g}\n", ["ISO_YAML_SYNTAX :1:22"]],
		["a merge of a text", "grub2: {<<: text}\n", ["ISO_YAML_SYNTAX :1:9"]],
		["a binary value", "label: !!binary aGk=\n", ["ISO_YAML_SYNTAX :1:17"]],
		["a control character", "label: a\u0001b\n", ["ISO_YAML_SYNTAX :1:9"]],
		["a list for the label", "label:\n  - x\n", ["ISO_YAML_INVALID :2:3"]],
		["a text for kernel_args", "kernel_args: quiet\n", ["ISO_YAML_INVALID :1:14"]],
		["a text for the timeout", "grub2:\n  timeout: soon\n", ["ISO_YAML_INVALID :2:12"]],
		["a negative timeout", "grub2:\n  timeout: -1\n", ["ISO_YAML_INVALID :2:12"]],
		["a huge default", "grub2: {default: 4294967296}\n", ["ISO_YAML_INVALID :1:18"]],
		["a mapping for entries", "grub2: {entries: {a: b}}\n", ["ISO_YAML_INVALID :1:18"]],
		[
			"entries without keys",
			"grub2:\n  entries:\n  - name: a\n    linux:\n    initrd: ''\n  -\n",
			["ISO_YAML_INVALID :4:5", "ISO_YAML_INVALID :5:5", "ISO_YAML_INVALID :6:3"],
		],
		["a missing key", "grub2:\n  entries:\n  - name: a\n    linux: b\n", ["ISO_YAML_INVALID :3:5"]],
		["a newline inside", 'grub2: {entries: [{name: "a\\nb", linux: l, initrd: i}]}\n', ["ISO_YAML_INVALID :1:27"]],
		["a lone surrogate", 'grub2: {entries: [{name: "\\ud800", linux: l, initrd: i}]}\n', ["ISO_YAML_INVALID :1:27"]],
		[
			"a variable of the whole menu",
			"grub2: {entries: [{name: a, linux: $customentries, initrd: i}]}\n",
			["ENTRY_VARIABLE :1:36"],
		],
		["too many entries", `grub2: {entries: [${`${ENTRY},`.repeat(1001)}]}\n`, ["ISO_YAML_INVALID :1:18"]],
	])("of %s", async (_, yaml, problems) => {
		expect(await yamlProblems(yaml)).toEqual(problems);
	});

	test("are none in README's example, whose root dracut of every release mounts", () => {
		const readme = readFileSync(new URL("../../../README.md", import.meta.url), "utf8");
		const example = /```yaml\n([^`]*)```/.exec(readme)?.[1] ?? "";
		const findings = new Findings();
		expect(parseIsoYaml(example, ISO_YAML, findings)?.kernelArgs).toContain("rd.live.overlay.overlayfs=1");
		expect([findings.problems, findings.choices]).toEqual([[], []]);
	});

	test("and say what is there and what is expected", async () => {
		const failure = await failureOf(fedoraImage().file(ISO_YAML, "grub2:\n  timeout: soon\n  entries: [{name: a}]\n"));
		expect(failure.problems).toMatchObject([
			{ what: 'grub2.timeout is "soon"', expected: "a number of seconds: an integer, 0 or more" },
			{ what: "grub2.entries[0].linux is missing" },
			{ what: "grub2.entries[0].initrd is missing" },
		]);
	});
});

describe("hostile YAML", () => {
	const many = (count: number, text: (i: number) => string): string =>
		Array.from({ length: count }, (_, i) => text(i)).join("");
	test.each([
		[
			"a long chain of aliases",
			`a0: &a0 [x]\n${many(19_999, (i) => `a${i + 1}: &a${i + 1} [*a${i}]\n`)}grub2: *a19999\n`,
		],
		["endless merges", `m: &m {${many(1000, (i) => `k${i}: v, `)}}\nl: {<<: [${many(100, () => "*m, ")}]}\n`],
		["deep nesting", "[".repeat(100_000)],
	])("of %s is refused", async (_, yaml) => {
		expect(await yamlProblems(yaml)).toEqual([expect.stringMatching(/^ISO_YAML_(SYNTAX|INVALID)/)]);
	});

	test("of aliases that double is read at once", async () => {
		let yaml = "a0: &a0 [x, x]\n";
		for (let i = 1; i < 60; i++) yaml += `a${i}: &a${i} [*a${i - 1}, *a${i - 1}]\n`;
		expect(codesOf(await yamlContract(`${yaml}label: Safe-1\n`))).toContain("ISO_YAML_UNKNOWN_KEY");
		expect(await yamlProblems(`${yaml}grub2: {entries: *a59}\n`)).not.toEqual([]);
	});

	test("of aliases that multiply is refused before they are replaced", async () => {
		const list = (name: string): string => `[${Array.from({ length: 50_000 }, () => name).join(", ")}]`;
		const wide = `a: &a ${list("x")}\nb: &b ${list("*a")}\nkernel_args: ${list("*b")}\n`;
		const long = `a: &a ${"x".repeat(16_000)}\nkernel_args: ${list("*a")}\n`;
		for (const yaml of [wide, long])
			expect((await yamlProblems(yaml)).map((text) => text.split(" ")[0])).toEqual(["ISO_YAML_INVALID"]);
	});

	test("of entries that repeat a long text is refused as a whole", async () => {
		const entries = Array.from({ length: 200 }, () => "*e").join(", ");
		const yaml = `e: &e {name: n, linux: "${"x".repeat(16_000)}", initrd: i}\ngrub2: {entries: [${entries}]}\n`;
		expect((await yamlProblems(yaml)).map((text) => text.split(" ")[0])).toEqual(["MENU_TOO_LARGE"]);
	});

	test("of very many unknown keys or bad entries is reported in part, and soon", async () => {
		const keys = Array.from({ length: 90_000 }, (_, i) => `k${i}: v\n`).join("");
		const contract = await yamlContract(`${keys}grub2: {timeout: "5"}\n`);
		expect(codesOf(contract).filter((code) => code === "ISO_YAML_UNKNOWN_KEY")).toHaveLength(100);
		expect(codesOf(contract)).toContain("ISO_YAML_NUMBER_AS_TEXT");
		expect(await yamlProblems(`grub2:\n  entries:\n${"  - {}\n".repeat(140_000)}`)).toHaveLength(1);
		expect(await yamlProblems(`grub2:\n  entries:\n${"  - {}\n".repeat(900)}`)).toHaveLength(100);
	});

	test("of keys that JavaScript knows changes nothing", async () => {
		const contract = await yamlContract("__proto__: {label: Evil}\nconstructor: x\ngrub2: {__proto__: {timeout: 1}}\n");
		expect(contract.label).toBe("Fedora-S-dvd-x86_64-43");
		expect(contract.grub2.timeoutSeconds).toBe(60);
	});
});
