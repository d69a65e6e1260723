import { type ByteString, byteStringOf, displayName } from "../binary/byte-string.ts";
import { ISO_PATHS } from "../boot/iso-paths.ts";
import { entryNamesIn, type LoaderEntry, optionWords, readLoaderEntry } from "../boot/systemd-boot/read-entries.ts";
import type { Findings } from "../findings/findings.ts";
import type { FatVolume } from "../formats/fat/read-fat.ts";
import { fatFileAt, fatNodeAt } from "./esp-check.ts";
import { type BootVolume, type CheckedMenu, checkEntries } from "./menu-check.ts";

const MAX_ENTRY_BYTES = 64 * 1024;
const MAX_ENTRIES = 1000;

/** What systemd-boot shows: its entries on the EFI system partition, whose kernel and initramfs it reads there. `volumes` has the medium's own volume first. */
export async function checkLoaderMenu(
	{ root }: FatVolume,
	volumes: readonly BootVolume[],
	findings: Findings,
): Promise<CheckedMenu> {
	const where = `/${ISO_PATHS.loaderEntries}`;
	if (fatFileAt(root, ISO_PATHS.loaderConfig) === undefined)
		findings.note("it is not there: systemd-boot takes its defaults", `/${ISO_PATHS.loaderConfig}`);
	const directory = fatNodeAt(root, ISO_PATHS.loaderEntries);
	const names = directory?.kind === "directory" ? entryNamesIn(directory.entries.keys()) : [];
	const entries: LoaderEntry[] = [];
	for (const name of names.slice(0, MAX_ENTRIES)) {
		const file = fatFileAt(root, `${ISO_PATHS.loaderEntries}/${name}`);
		const place = `${where}/${displayName(name)}`;
		if (file === undefined || file.byteLength > MAX_ENTRY_BYTES) {
			findings.fault("it is no entry of systemd-boot", place, `a file of at most ${MAX_ENTRY_BYTES} bytes`);
			continue;
		}
		const entry = readLoaderEntry(name, byteStringOf(await file.read()));
		entries.push(entry);
		for (const path of [entry.linux, ...entry.initrds, entry.devicetree])
			if (path !== undefined && fatFileAt(root, path) === undefined)
				findings.fault(`${displayName(path)} is not on the EFI system partition`, place, "it there");
	}
	if (names.length > MAX_ENTRIES) findings.fault(`there are ${names.length} entries`, where, `at most ${MAX_ENTRIES}`);
	const menu = {
		entries: [
			...entries.map(({ title, linux, initrds, devicetree, options }) => ({
				title,
				kernel: linux,
				kernelArguments: optionWords(options),
				initrds,
				devicetree,
			})),
			...unifiedKernelsOn(root).map((path) => ({
				title: path,
				kernel: undefined,
				kernelArguments: [],
				initrds: [],
				program: path,
			})),
		],
		searchLabels: [],
		searchFiles: [],
		modules: [],
	};
	return checkEntries(menu, where, volumes, findings);
}

/** Boot Loader Specification, "Type #2 EFI Unified Kernel Images": systemd-boot finds them by itself. */
function unifiedKernelsOn(root: FatVolume["root"]): ByteString[] {
	const directory = fatNodeAt(root, ISO_PATHS.unifiedKernelDirectory);
	if (directory?.kind !== "directory") return [];
	const names = [...directory.entries].filter(([name, { kind }]) => kind === "file" && /\.efi$/i.test(name));
	return names.slice(0, MAX_ENTRIES).map(([name]) => `/${ISO_PATHS.unifiedKernelDirectory}/${name}`);
}
