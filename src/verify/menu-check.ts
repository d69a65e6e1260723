import type { ByteSource } from "../binary/byte-source.ts";
import { type ByteString, displayName } from "../binary/byte-string.ts";
import { entryNames } from "../boot/entry-names.ts";
import { MACHINES } from "../boot/machines.ts";
import type { Finding } from "../findings/finding.ts";
import { Findings } from "../findings/findings.ts";
import type { VolumeDirectory } from "../formats/iso9660/volume.ts";
import { rootFileSystemAt } from "../rootfs/root-file-systems.ts";
import { type BootEntry, type BootMenu, readBootMenu } from "./boot-menu.ts";
import { checkInitramfsHead, checkKernelHead, KERNEL_HEAD_BYTES } from "./linux-check.ts";
import { followEntry } from "./live-root-check.ts";
import { fileAt, machineOn, readFileHead } from "./medium-files.ts";
import { checkProgram } from "./unified-kernel-check.ts";

/** One volume that GRUB and the live system can find by its label. */
export interface BootVolume {
	/** What its blocks count from. */
	readonly source: ByteSource;
	readonly medium: ByteSource;
	/** Where `source` begins on the medium. */
	readonly firstBlock: number;
	readonly root: VolumeDirectory;
	readonly label: ByteString;
	/** As blkid makes it of the volume's dates. */
	readonly uuid: string;
	readonly name: string;
}

export interface CheckedMenu {
	readonly menu: BootMenu;
	/** Paths without leading slash of the kernels that were found. */
	readonly kernels: readonly ByteString[];
	/** The same of unified kernel images. */
	readonly unifiedKernels: readonly ByteString[];
}

/** From a grub.cfg on: every menu entry's kernel and initramfs, and the label and the squashfs that its arguments lead to. */
export async function checkMenu(
	script: ByteString,
	where: string,
	volumes: readonly BootVolume[],
	findings: Findings,
): Promise<CheckedMenu> {
	return checkEntries(readBootMenu(script, where, findings), where, volumes, findings);
}

/** The same of a menu that was read. */
export async function checkEntries(
	menu: BootMenu,
	where: string,
	volumes: readonly BootVolume[],
	findings: Findings,
): Promise<CheckedMenu> {
	const kernels: ByteString[] = [];
	const unifiedKernels: ByteString[] = [];
	if (menu.entries.length === 0) findings.fault("the menu has no entry", where, "one or more");
	for (const { label, name } of volumes) {
		for (const searched of menu.searchLabels)
			if (searched !== label)
				findings.fault(
					`GRUB searches the label "${displayName(searched)}"`,
					where,
					`"${displayName(label)}" of ${name}`,
				);
	}
	for (const path of menu.searchFiles) await findFile(path, where, volumes, findings);
	const images = new Set<ByteString>();
	const found = new EntryFindings();
	for (const [index, entry] of menu.entries.entries()) {
		const own = new Findings("ENTRY", MAX_ENTRY_FINDINGS);
		const path = await checkEntry(entry, volumes, images, own);
		if (path !== undefined) (entry.kernel === undefined ? unifiedKernels : kernels).push(path);
		found.add(index, displayName(entry.title), own);
	}
	found.report(where, findings);
	if (menu.entries.length > 0 && images.size === 0 && !found.hasFaults)
		findings.fault("no entry leads to the medium's root file system", where, "one that does");
	return { menu, kernels, unifiedKernels };
}

/** Ends the argument by which a menu for loopback passes on where the ISO lies. */
export const ISO_FILE = "=$iso_path";

/** Of one entry. */
const MAX_ENTRY_FINDINGS = 100;
/** Stands for the place of the entry that is being checked. */
const ENTRY = "the entry";

/** What is found of entries, each once however many entries have it. */
class EntryFindings {
	readonly #all = new Map<string, { readonly finding: Finding; readonly entries: Map<number, string> }>();

	get hasFaults(): boolean {
		return [...this.#all.values()].some(({ finding }) => finding.severity === "fault");
	}

	add(entry: number, title: string, { list }: Findings): void {
		for (const finding of list) {
			const key = JSON.stringify(finding);
			const same = this.#all.get(key) ?? { finding, entries: new Map<number, string>() };
			same.entries.set(entry, title);
			this.#all.set(key, same);
		}
	}

	report(config: string, findings: Findings): void {
		for (const { finding, entries } of this.#all.values()) {
			const { severity, what, where, expected } = finding;
			const place = where === ENTRY ? `${config}, ${entryNames([...entries.values()])}` : where;
			if (severity === "fault") findings.fault(what, place, expected);
			else findings.note(what, place);
		}
	}
}

async function checkEntry(
	entry: BootEntry,
	volumes: readonly BootVolume[],
	images: Set<ByteString>,
	findings: Findings,
): Promise<ByteString | undefined> {
	const where = ENTRY;
	const machine = volumes[0] === undefined ? MACHINES[0] : machineOn(volumes[0].root);
	const { kernel, initrds } = entry;
	// What finds the file that the medium is, in a menu for loopback, finds nothing else.
	const args = entry.kernelArguments.filter((word) => !word.endsWith(ISO_FILE));
	if (kernel === undefined) {
		if (entry.program !== undefined) {
			const { kernel: path, images: found } = await checkProgram(entry.program, volumes, where, findings);
			for (const { image, volume } of found) await takeImage(image, volume, images, findings);
			return path;
		}
		findings.fault("it boots no kernel", where, "linux and initrd");
		return undefined;
	}
	const path = await findFile(kernel, where, volumes, findings, (head, at) =>
		checkKernelHead(head, machine, at, findings),
	);
	if (entry.devicetree !== undefined) await findFile(entry.devicetree, where, volumes, findings);
	if (initrds.length === 0) findings.fault("it has no initramfs", where, "initrd");
	const found: ByteString[] = [];
	for (const initrd of initrds) {
		const at = await findFile(initrd, where, volumes, findings, (head, at) => checkInitramfsHead(head, at, findings));
		if (at !== undefined) found.push(at);
	}
	for (const volume of volumes)
		await takeImage(await followEntry([kernel, ...args], found, volume, where, findings), volume, images, findings);
	return path;
}

async function takeImage(
	image: ByteString | undefined,
	volume: BootVolume,
	images: Set<ByteString>,
	findings: Findings,
): Promise<void> {
	if (image === undefined) return;
	images.add(image);
	await findFile(image, ENTRY, [volume], findings, (head, at) => {
		if (rootFileSystemAt(head) === undefined) findings.fault("it is no root file system", at, "squashfs or EROFS");
	});
}

/** Looks a path up in every volume that may be the one; returns it without device and leading slash where all have it. */
async function findFile(
	given: ByteString,
	where: string,
	volumes: readonly BootVolume[],
	findings: Findings,
	check?: (head: Buffer, where: string) => void,
): Promise<ByteString | undefined> {
	const path = given.replace(/^(\(\$\{?root\}?\)|\$\{?root\}?(?=\/))/, "").replace(/^\/+/, "");
	if (/^\(|\$/.test(path)) {
		findings.note(`"${displayName(given)}" depends on a device or variable: not followed`, where);
		return undefined;
	}
	let found: ByteString | undefined = path;
	for (const { source, root, name } of volumes) {
		const file = fileAt(root, path);
		if (file === undefined) {
			findings.fault(`/${displayName(path)} is not in ${name}`, where, "it there");
			found = undefined;
		} else check?.(await readFileHead(source, file, KERNEL_HEAD_BYTES), `/${displayName(path)}`);
	}
	return found;
}
