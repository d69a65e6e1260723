import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { byteStringFromText } from "../../../../src/binary/byte-string.ts";
import { grubWords } from "../../../../src/boot/grub/menu-words.ts";
import { renderLoaderFiles } from "../../../../src/boot/systemd-boot/entries.ts";
import { entryNamesIn, optionWords, readLoaderEntry } from "../../../../src/boot/systemd-boot/read-entries.ts";

const entry = (name: string, linux = "/images/pxeboot/vmlinuz root=live:CDLABEL=L rd.live.image") => ({
	name,
	linux,
	initrd: "/images/pxeboot/initrd.img",
});
const menuOf = (entries: readonly ReturnType<typeof entry>[], defaultEntry?: number) => ({
	timeoutSeconds: 7,
	defaultEntry,
	entries,
	isBuiltIn: false,
});

describe("systemd-boot's menu", () => {
	it("is that of iso.yaml, in its order, with the same entry started by itself", () => {
		const files = renderLoaderFiles(menuOf([entry("Live"), entry("Live, safe", "/k a='b c' -- d")], 1));
		expect(files).toEqual([
			{ path: "loader/loader.conf", text: "timeout 7\ndefault 2.conf\n" },
			{
				path: "loader/entries/1.conf",
				text: "title Live\nsort-key 1\nlinux /images/pxeboot/vmlinuz\ninitrd /images/pxeboot/initrd.img\noptions root=live:CDLABEL=L rd.live.image\n",
			},
			{
				path: "loader/entries/2.conf",
				text: 'title Live, safe\nsort-key 2\nlinux /k\ninitrd /images/pxeboot/initrd.img\noptions "a=b c" -- d\n',
			},
		]);
		const many = renderLoaderFiles(
			menuOf(
				Array.from({ length: 10 }, (_, index) => entry(`${index}`)),
				12,
			),
		);
		expect(many[0]?.text).toBe("timeout 7\ndefault 01.conf\n");
		expect(many.at(-1)?.path).toBe("loader/entries/10.conf");
	});

	it("gives a kernel the words that GRUB would give it", () => {
		const word = fc.stringMatching(/^[a-z0-9=.:,/_ -]{1,12}$/).filter((text) => text.trim() === text);
		const quoted = word.map((text) => `x=${text} y`);
		fc.assert(
			fc.property(fc.array(fc.oneof(word, quoted), { maxLength: 6 }), (words) => {
				const linux = `/vmlinuz ${words.map((each) => `'${each}'`).join(" ")}`;
				const [, file] = renderLoaderFiles(menuOf([entry("x", linux)]));
				const { linux: kernel, options } = readLoaderEntry("1.conf", byteStringFromText(file?.text ?? ""));
				expect([kernel, ...optionWords(options)]).toEqual(grubWords(linux));
			}),
			{ seed: 16, numRuns: 300 },
		);
	});

	it("is read as the Boot Loader Specification has it, whatever is in it", () => {
		const text = "# comment\n  title\tLive \ninitrd /a\ninitrd /b\n\noptions x\noptions y z\nlinux\nversion";
		expect(readLoaderEntry("a.conf", text)).toEqual({
			id: "a.conf",
			title: "Live",
			linux: undefined,
			initrds: ["/a", "/b"],
			options: "x y z",
		});
		expect(entryNamesIn(["b.conf", "a.CONF", "c.conf~", "d"])).toEqual(["a.CONF", "b.conf"]);
		expect(optionWords('  a  "b  c"d "" e="f g')).toEqual(["a", "b  cd", "e=f g"]);
	});
});
