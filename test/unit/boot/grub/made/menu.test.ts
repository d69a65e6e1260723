import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { byteStringFromText } from "../../../../../src/binary/byte-string.ts";
import { type Firmware, renderGrubConfig, renderLoopbackConfig } from "../../../../../src/boot/grub/made/menu.ts";
import { commandArguments, singleQuoted } from "../../../../../src/boot/grub/made/quoting.ts";
import { type GrubWord, readGrubScript, writtenWord } from "../../../../../src/boot/grub/model/script.ts";
import type { Contract } from "../../../../../src/contract/contract.ts";
import { referenceGrubCfg } from "../../../../support/reference-grub-cfg.ts";

type Menu = Pick<Contract, "label" | "grub2">;

function menuOf(label: string, ...entries: Menu["grub2"]["entries"]): Menu {
	return { label, grub2: { timeoutSeconds: 60, defaultEntry: undefined, isBuiltIn: false, entries } };
}

describe("grub.cfg as the reference renders it", () => {
	test("for the built-in entry, on BIOS", () => {
		const linux =
			"/images/pxeboot/vmlinuz root=live:CDLABEL=Container-Installer-x86_64 rd.live.image quiet rhgb enforcing=0 quiet";
		const entry = { name: "Install Debian GNU/Linux 42", linux, initrd: "/images/pxeboot/initrd.img" };
		const menu = menuOf("Container-Installer-x86_64", entry);
		expect(renderGrubConfig({ ...menu, grub2: { ...menu.grub2, isBuiltIn: true } }, "bios")).toBe(`
function load_video {
  insmod all_video
}

load_video
set gfxpayload=keep
insmod gzio
insmod part_gpt
insmod ext2
insmod chain

set timeout=60
### END /etc/grub.d/00_header ###

search --no-floppy --set=root -l 'Container-Installer-x86_64'



menuentry 'Install Debian GNU/Linux 42' --class fedora --class gnu-linux --class gnu --class os {
	linux ${linux}
	initrd /images/pxeboot/initrd.img
}



`);
	});

	test.each<Firmware>(["uefi", "bios"])("with several entries and a default, on %s", (firmware) => {
		const entries = [
			{ name: "One", linux: "/v a", initrd: "/i" },
			{ name: "Two & more", linux: "/v b=c,d", initrd: "/i /j" },
		];
		const menu: Menu = { label: "L", grub2: { timeoutSeconds: 5, defaultEntry: 1, isBuiltIn: false, entries } };
		const reference = referenceGrubCfg({ label: "L", grub2: { timeout: 5, default: 1, entries } }, firmware);
		expect(renderGrubConfig(menu, firmware)).toBe(reference);
		expect(renderGrubConfig(menu, firmware)).toMatch(/^set default="1"\n\nfunction/);
	});
});

describe("loopback.cfg", () => {
	// biome-ignore-start lint/suspicious/noTemplateCurlyInString: they are GRUB's variables
	test("has the menu's entries, which say where the ISO lies to what finds their root", () => {
		const entry = (name: string, linux: string) => ({ name, linux, initrd: "/i" });
		const entries = [
			entry("A", "/v root=live:CDLABEL=L rd.live.image"),
			entry("B's", "/v boot=casper"),
			entry("C", "/v boot=live components"),
			entry("D", "/v boot=live boot=local $x; reboot"),
		];
		const menu = menuOf("L", ...entries);
		const text = renderLoopbackConfig({ grub2: { ...menu.grub2, defaultEntry: 2 } });
		expect(text).toMatch(/^set default="2"\nset timeout=60\n/);
		expect(text.match(/^\tlinux .*$/gm)).toEqual([
			'\tlinux /v root=live:CDLABEL=L rd.live.image iso-scan/filename="${iso_path}"',
			'\tlinux /v boot=casper iso-scan/filename="${iso_path}"',
			'\tlinux /v boot=live components findiso="${iso_path}"',
			'\tlinux /v boot=live boot=local \\$x\\; reboot iso-scan/filename="${iso_path}"',
		]);
	});

	test("lets no text reach into the variable, and expands it as one word", () => {
		fc.assert(
			fc.property(fc.record({ name: oneLine, linux: oneLine, initrd: oneLine }), (entry) => {
				const { statements, problems } = readGrubScript(byteStringFromText(renderLoopbackConfig(menuOf("L", entry))));
				expect(problems).toEqual([]);
				const block = statements.flatMap((each) => (each.type === "command" ? (each.block ?? []) : []));
				const [linux, initrd, ...more] = block.map((inner) => (inner.type === "command" ? inner.words : []));
				expect(more).toEqual([]);
				const [path, ...rest] = linux?.toReversed() ?? [];
				expect(path?.parts).toEqual([
					{ text: expect.stringMatching(/^(findiso|iso-scan\/filename)=$/) },
					{ variable: "iso_path", isQuoted: true },
				]);
				const texts = [...rest, ...(initrd ?? [])].flatMap(({ parts }) => parts);
				expect(texts.filter((part) => "variable" in part)).toEqual([]);
			}),
			{ seed: 20_261_121 },
		);
	});
	// biome-ignore-end lint/suspicious/noTemplateCurlyInString: they are GRUB's variables
});

describe("quoting", () => {
	test.each([
		["plain", "'plain'"],
		['Bob\'s "$x"; {}', "'Bob'\\''s \"$x\"; {}'"],
		["'", "''\\'''"],
	])("%j is one word: %s", (text, quoted) => {
		expect(singleQuoted(text)).toBe(quoted);
	});

	test.each([
		["/v quiet root=live:CDLABEL=X rd.live.image", "/v quiet root=live:CDLABEL=X rd.live.image"],
		['a systemd.run="a b" c', 'a systemd.run="a b" c'],
		["a 'b;c' \\; d", "a 'b;c' \\; d"],
		["tab\tand  spaces ", "tab\tand  spaces "],
		["i#j", "i#j"],
		["*?[]!~=,:@%^`()-", "*?[]!~=,:@%^`()-"],
		["x; reboot", "x\\; reboot"],
		["a & b | c < d > e", "a \\& b \\| c \\< d \\> e"],
		["} menuentry x {", "\\} menuentry x \\{"],
		// biome-ignore lint/suspicious/noTemplateCurlyInString: it is GRUB's variable
		["$root ${x} $", "\\$root \\$\\{x\\} \\$"],
		['"$root \\$ \\\\$"', '"\\$root \\$ \\\\\\$"'],
		["#comment", "\\#comment"],
		["a #comment", "a \\#comment"],
		["it's", "it\\'s"],
		['5" disk', '5\\" disk'],
		['open "\\"', 'open \\"\\"'],
		["ends\\", "ends\\\\"],
	])("the command line %j is written as %j", (text, written) => {
		expect(commandArguments(text)).toBe(written);
	});

	test("of a command line that needs none changes nothing", () => {
		const harmless = fc.stringMatching(/^[A-Za-z0-9 ./=,:@%^_+*?~!()[\]-]*$/);
		fc.assert(
			fc.property(harmless, (text) => {
				expect(commandArguments(text)).toBe(text);
			}),
			{ seed: 20_261_121 },
		);
	});

	test("is stable: what is escaped once stays", () => {
		fc.assert(
			fc.property(oneLine, (text) => {
				expect(commandArguments(commandArguments(text))).toBe(commandArguments(text));
			}),
			{ seed: 20_261_121 },
		);
	});
});

// biome-ignore-start lint/suspicious/noTemplateCurlyInString: they are GRUB's variables
/** Texts of one line, with what GRUB's language is made of in most of them. */
const oneLine = fc.oneof(
	fc
		.array(fc.constantFrom(..."'\"\\$;&|<>{}# \t`()ab=", "${x}", "$(x)", "menuentry", "''"), { maxLength: 24 })
		.map((parts) => parts.join("")),
	fc.string({ maxLength: 24, unit: "binary" }).map((text) => text.replace(/\p{Cc}/gu, "")),
);

// biome-ignore-end lint/suspicious/noTemplateCurlyInString: they are GRUB's variables

/** Commands with their words, of which none is a variable, and the commands of their block. */
function commandsOf(config: string) {
	const { statements, problems } = readGrubScript(byteStringFromText(config));
	expect(problems).toEqual([]);
	return statements.map((statement) => {
		if (statement.type !== "command") return { words: [statement.type], block: [] };
		const { words, block } = statement;
		expect(words.flatMap(({ parts }) => parts).filter((part) => "variable" in part)).toEqual([]);
		const names = block?.map((inner) =>
			inner.type === "command" ? writtenWord(inner.words[0] as GrubWord) : inner.type,
		);
		return { words: words.map(writtenWord), block: names };
	});
}

describe("any name, label and command line", () => {
	test("leaves the menu's structure as it is", () => {
		const entry = fc.record({ name: oneLine, linux: oneLine, initrd: oneLine });
		fc.assert(
			fc.property(oneLine, fc.array(entry, { minLength: 1, maxLength: 3 }), (label, entries) => {
				const commands = commandsOf(renderGrubConfig(menuOf(label, ...entries), "bios"));
				expect(commands.map(({ words }) => words[0])).toEqual([
					...["function", "load_video", "set", "insmod", "insmod", "insmod", "insmod", "set", "search"],
					...entries.map(() => "menuentry"),
				]);
				expect(commands[8]?.words.slice(1)).toEqual(["--no-floppy", "--set=root", "-l", byteStringFromText(label)]);
				for (const [index, { name }] of entries.entries())
					expect(commands[9 + index]).toMatchObject({
						words: ["menuentry", byteStringFromText(name), "--class", ...Array(7).fill(expect.anything())],
						block: ["linux", "initrd"],
					});
			}),
			{ seed: 20_261_121, numRuns: 2000 },
		);
	});

	test("of more than one line is a bug of the caller", () => {
		const bad = menuOf("L", { name: "a\nb", linux: "/v", initrd: "/i" });
		expect(() => renderGrubConfig(bad, "uefi")).toThrow("internal invariant");
	});
});
