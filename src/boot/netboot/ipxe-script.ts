import { basename } from "node:path";
import type { Contract } from "../../contract/contract.ts";
import { Oci2isoError } from "../../errors.ts";
import { grubCommandLine } from "../live-root/kernel-command-line.ts";
import { NETBOOT_ROOT, type NetbootEntry, ROOT_ARGUMENT } from "./entries.ts";

/**
 * An iPXE script with the menu (ipxe.org/scripting), UTF-8. `baseUrl` as for `renderNetbootGrubConfig`; undefined: the root directory of an HTTP server
 * where the script came from. Device trees are not for iPXE. Throws `Oci2isoError` NETBOOT_ARGUMENT (exit 3) for an argument that no iPXE script can have.
 */
export function renderIpxeScript(
	{ grub2, label }: Pick<Contract, "grub2" | "label">,
	entries: readonly NetbootEntry[],
	baseUrl: string | undefined,
): string {
	const startable = entries.filter(({ devicetree }) => devicetree === undefined);
	const first = `entry${grub2.defaultEntry ?? 0}`;
	const wait = grub2.timeoutSeconds * 1000;
	const menu = [
		`menu ${shown(label)}`,
		...startable.map(({ name }, i) => `item entry${i} ${shown(name)}`),
		`choose --default ${first}${wait > 0 ? ` --timeout ${wait}` : ""} entry`,
		"goto $" + "{entry}",
	];
	return [
		"#!ipxe",
		`set base ${baseUrl === undefined ? `http://${NEXT_SERVER}` : said(baseUrl)}`,
		"",
		...(wait === 0 ? [`goto ${first}`] : menu),
		...startable.flatMap(({ kernel, words, initrds }, i) => [
			"",
			`:entry${i}`,
			`kernel ${BASE}/${said(kernel)} ${initrds.map((path) => `initrd=${basename(path)} `).join("")}${ROOT_ARGUMENT}${BASE}/${NETBOOT_ROOT}${said(lineOf(words))}`,
			...initrds.map((path) => `initrd --name ${basename(path)} ${BASE}/${said(path)}`),
			"boot",
		]),
		"",
	].join("\n");
}

const BASE = "$" + "{base}";
/** Of DHCP. */
const NEXT_SERVER = "$" + "{next-server}";

/** As the kernel of the ISO sees them. */
function lineOf(words: readonly string[]): string {
	return grubCommandLine(["", ...words]).text.replace(/^BOOT_IMAGE=/, "");
}

/** Settings are put in everywhere, and no character takes that away. */
function shown(text: string): string {
	return text.replaceAll("${", "$ {");
}

function said(text: string): string {
	if (!/\$\{|[\n\r]|(^|\s)(&&|\|\||#\S*)(\s|$)/.test(text)) return text;
	throw new Oci2isoError({
		code: "NETBOOT_ARGUMENT",
		kind: "contract",
		what: "an iPXE script cannot say it, as it means something else there",
		where: text,
		expected: "kernel arguments without ${, &&, || and #",
	});
}
