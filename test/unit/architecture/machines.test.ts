import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, it } from "vitest";

const source = resolve(import.meta.dirname, "../../../src");
/** Names that Node and people have for the computer that builds, or for any: of no medium. */
const OF_HOSTS = ["buildroot/closure.ts", "oci/platform.ts"];
/** What differs by machine, and where the ISO has what: only the rows of `boot/machines.ts` and `boot/iso-paths.ts` have them. */
const WORDS = /x64|i386-pc|x86_64-efi|pxeboot|efiboot|eltorito\.img|LiveOS\/squashfs|\.EFI\b|\w\.efi["'`]/;

it("leaves machines, file names of boot loaders and paths of the ISO to boot/", () => {
	const files = readdirSync(source, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".ts"));
	const wrong = files
		.filter((name) => !name.startsWith("boot/") && !OF_HOSTS.includes(name))
		.filter((name) => WORDS.test(readFileSync(join(source, name), "utf8")));
	expect(wrong).toEqual([]);
});
