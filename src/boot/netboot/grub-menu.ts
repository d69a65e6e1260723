import type { Contract } from "../../contract/contract.ts";
import { commandArguments, singleQuoted } from "../grub/made/quoting.ts";
import { grubWord } from "../grub/menu-words.ts";
import { NETBOOT_ROOT, type NetbootEntry, ROOT_ARGUMENT } from "./entries.ts";

/**
 * grub.cfg of a set for network boot, UTF-8. Kernel and initramfs come from where GRUB came from: the set's directory is two above GRUB's own
 * (`EFI/BOOT`, `boot/grub`), or one where it is `grub` itself. `baseUrl`: of the set, without a slash at its end; undefined: the root directory of an HTTP
 * server where GRUB came from.
 */
export function renderNetbootGrubConfig(
	{ grub2 }: Pick<Contract, "grub2">,
	entries: readonly NetbootEntry[],
	baseUrl: string | undefined,
): string {
	const url = baseUrl === undefined ? "http://$net_default_server" : commandArguments(grubWord(baseUrl));
	return [
		"insmod regexp",
		"insmod gzio",
		'if regexp --set=1:set "^(.*)/(EFI/BOOT|boot/grub|grub)/*$" "$prefix"; then true; else set set="$prefix"; fi',
		`set default="${grub2.defaultEntry ?? 0}"`,
		`set timeout=${grub2.timeoutSeconds}`,
		"",
		...entries.flatMap(({ name, kernel, words, initrds, devicetree }) => [
			`menuentry ${singleQuoted(name)} {`,
			`\tlinux "$set"/${plain(kernel)} ${ROOT_ARGUMENT}${url}/${NETBOOT_ROOT} ${words.map(plain).join(" ")}`,
			...(devicetree === undefined ? [] : [`\tdevicetree "$set"/${plain(devicetree)}`]),
			`\tinitrd ${initrds.map((path) => `"$set"/${plain(path)}`).join(" ")}`,
			"}",
		]),
		"",
	].join("\n");
}

function plain(word: string): string {
	return commandArguments(grubWord(word));
}
