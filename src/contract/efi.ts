import { type ByteString, byteStringFromText, displayName } from "../binary/byte-string.ts";
import { MAX_EFI_BYTES } from "../boot/boot-file-limits.ts";
import type { BootLoader } from "../boot/boot-loader.ts";
import { MACHINES, type Machine, machineOfImage } from "../boot/machines.ts";
import { type ShimNames, shimNamesIn } from "../boot/shim-names.ts";
import { Findings } from "../findings/findings.ts";
import { decodePeHead, type PeLayout } from "../formats/pe/pe-layout.ts";
import type { ImageTree } from "../tree/image-tree.ts";
import type { FileInode } from "../tree/inode.ts";
import type { Contract, ContractOptions, EfiFiles, FoundFile, OsRelease } from "./contract.ts";
import { bootLoaderPackage } from "./efi-packages.ts";
import { type EfiDirectory, EfiPlaces, isOf } from "./efi-places.ts";
import { whyNoFile } from "./image-files.ts";

type Role = keyof EfiFiles;

interface WantedFile {
	readonly role: Role;
	/** In the contract. */
	readonly name: string;
	readonly what: string;
	readonly code: string;
}

/** What is looked for, by the names that the contract has for it on a machine. */
const rolesOf = ({ efi }: Machine, bootLoader: BootLoader): readonly WantedFile[] => [
	{ role: "shim", name: efi.shim, what: "shim", code: "SHIM_MISSING" },
	{ role: "mokManager", name: efi.mokManager, what: "MOK manager", code: "MOK_MANAGER_MISSING" },
	bootLoader === "grub2"
		? { role: "secondStage", name: efi.mediaGrub, what: "CD variant of GRUB", code: "GRUB_EFI_MISSING" }
		: { role: "secondStage", name: efi.systemdBoot, what: "systemd-boot program", code: "SYSTEMD_BOOT_MISSING" },
];
type Roles = readonly WantedFile[];

/** Headers of programs end before. */
const HEAD_BYTES = 4096;
const MAX_NAMED = 10;

type EfiOptions = Pick<ContractOptions, "vendor" | "architecture"> & { readonly bootLoader: BootLoader };
type ChosenEfi = Pick<Contract, "vendor" | "efi" | "shimNames">;

/** The files of one vendor, wherever they are. */
interface Choice {
	readonly vendor: ByteString;
	readonly files: Readonly<Record<Role, FoundFile | undefined>>;
}

const NO_FILES: Choice["files"] = { shim: undefined, mokManager: undefined, secondStage: undefined };

/**
 * The EFI boot loaders and the vendor they are from. The vendor is the first name, other than BOOT, in
 * usr/lib/bootupd/updates/EFI, then in usr/lib/efi/shim/VERSION/EFI, as the reference takes it, then in /boot/efi/EFI, that has all three of them in
 * /boot/efi/EFI/VENDOR. Where none has, each file is taken from the first place of `EfiPlaces` that has it: of one vendor if one has all, else of
 * several. Whatever is not the contract's place is a choice.
 */
export async function chooseEfi(
	tree: ImageTree,
	{ vendor: wanted, architecture, bootLoader }: EfiOptions,
	osRelease: OsRelease,
	findings: Findings,
): Promise<ChosenEfi | undefined> {
	const machine = machineOfImage(architecture) ?? MACHINES[0];
	const roles = rolesOf(machine, bootLoader);
	const places = new EfiPlaces(tree, wanted === undefined ? undefined : byteStringFromText(wanted));
	const contract = places.contract();
	const named = [...places.named(), ...contract];
	let choices = choicesIn(places, contract, roles);
	let chosen = firstComplete(choices, places.vendors(named));
	const isContract = chosen !== undefined;
	if (!isContract) {
		places.addOthers(osRelease, machine);
		choices = choicesIn(places, places.all, roles);
		const order = places.vendors([...named, ...places.all]);
		chosen = firstComplete(choices, order) ?? (wanted === undefined ? mixed([...choices.values()]) : undefined);
	}
	if (places.isCut)
		findings.choice({
			code: "EFI_DIRECTORIES_LIMIT",
			what: `the image has too many EFI directories: ${places.all.length} of them were looked at`,
		});
	const efi = chosen && complete(chosen.files);
	if (chosen === undefined || efi === undefined)
		return reportMissing(
			{ tree, places, choices: [...choices.values()], wanted, osRelease, architecture, machine, bootLoader },
			findings,
		);
	const vendors = places.vendors(named).map(displayName);
	if (wanted === undefined && vendors.length > 1) {
		const more = vendors.length > MAX_NAMED ? " and more" : "";
		const count = `${places.isCut ? "at least " : ""}${vendors.length} EFI vendors`;
		const what = `${count} found (${vendors.slice(0, MAX_NAMED).join(", ")}${more}), took ${displayName(chosen.vendor)}`;
		findings.choice({ code: "VENDOR_CHOICE", what, remedy: "pass --vendor NAME for another one" });
	}
	if (!isContract) {
		const isOneVendors = complete(choices.get(chosen.vendor.toLowerCase())?.files ?? NO_FILES) !== undefined;
		noteFallback(isOneVendors ? chosen.vendor : undefined, places.vendors(named)[0], efi, findings);
	}
	for (const { role, name, what } of roles) {
		noteName(efi[role], name, findings);
		await noteSignature(tree, efi[role], what, machine, findings);
	}
	return { vendor: displayName(chosen.vendor), efi, shimNames: await namesIn(tree, efi, findings) };
}

/** `chooseEfi` with the boot loader that is asked for: for `auto` GRUB, but where the image has systemd-boot and no GRUB for media. */
export async function chooseBootLoader(
	tree: ImageTree,
	{ bootloader: wanted = "auto", ...options }: Omit<ContractOptions, "label" | "kernel">,
	osRelease: OsRelease,
	findings: Findings,
): Promise<{ readonly bootLoader: BootLoader; readonly boot: ChosenEfi | undefined }> {
	const attempt = async (bootLoader: BootLoader) => {
		const own = new Findings();
		return { bootLoader, boot: await chooseEfi(tree, { ...options, bootLoader }, osRelease, own), own };
	};
	const first = await attempt(wanted === "auto" ? "grub2" : wanted);
	const second = wanted === "auto" && first.boot === undefined ? await attempt("systemd-boot") : first;
	const { bootLoader, boot, own } = second.boot === undefined ? first : second;
	for (const finding of own.list) findings.add(finding);
	if (wanted === "auto" && bootLoader === "systemd-boot")
		findings.choice({
			code: "BOOT_LOADER_CHOICE",
			what: "the image has no GRUB for media: systemd-boot starts the kernel, with UEFI only",
			remedy: "pass --bootloader grub2 to have what GRUB lacks said",
		});
	return { bootLoader, boot };
}

/** What each vendor has in some directories, the first of them first, by its name in lower case. */
function choicesIn(places: EfiPlaces, directories: readonly EfiDirectory[], roles: Roles): ReadonlyMap<string, Choice> {
	const choices = new Map<string, Choice>();
	for (const directory of directories) {
		const key = directory.vendor.toLowerCase();
		const { vendor, files } = choices.get(key) ?? { vendor: directory.vendor, files: NO_FILES };
		const own = roles.map(({ role, name }) => [role, files[role] ?? places.file(directory, name)] as const);
		choices.set(key, { vendor, files: Object.fromEntries(own) as unknown as Choice["files"] });
	}
	return choices;
}

function complete({ shim, mokManager, secondStage }: Choice["files"]): EfiFiles | undefined {
	return shim && mokManager && secondStage && { shim, mokManager, secondStage };
}

function firstComplete(choices: ReadonlyMap<string, Choice>, order: readonly ByteString[]): Choice | undefined {
	for (const name of order) {
		const choice = choices.get(name.toLowerCase());
		if (choice !== undefined && complete(choice.files) !== undefined) return choice;
	}
	return undefined;
}

/** The first of every role, whichever vendor has it: shim's vendor gives the name. */
function mixed(choices: readonly Choice[]): Choice | undefined {
	const of = (role: Role): Choice | undefined => choices.find(({ files }) => files[role] !== undefined);
	const shim = of("shim");
	const files = {
		shim: shim?.files.shim,
		mokManager: of("mokManager")?.files.mokManager,
		secondStage: of("secondStage")?.files.secondStage,
	};
	return shim === undefined || complete(files) === undefined ? undefined : { vendor: shim.vendor, files };
}

/** Without a vendor where the files are of several. */
function noteFallback(
	vendor: ByteString | undefined,
	first: ByteString | undefined,
	efi: EfiFiles,
	findings: Findings,
): void {
	const place =
		first === undefined
			? "the image names no EFI vendor"
			: `/boot/efi/EFI/${displayName(first)} does not have all boot loaders`;
	const paths = [efi.shim, efi.mokManager, efi.secondStage].map(({ path }) => displayName(path)).join(", ");
	const whose = vendor === undefined ? "no vendor has all three, these" : `those of ${displayName(vendor)}`;
	findings.choice({ code: "EFI_FALLBACK", what: `${place}, ${whose} are used: ${paths}` });
}

function noteName({ path }: FoundFile, name: string, findings: Findings): void {
	const own = path.slice(path.lastIndexOf("/") + 1);
	if (own === name || own.toLowerCase() !== name) return;
	findings.choice({
		code: "EFI_NAME_CASE",
		what: `the name is not written ${name}, as FAT does not mind but the reference converter does`,
		where: displayName(path),
	});
}

/** Firmware starts shim, and shim what it has the names of: they are on the ISO beside the contract's. */
async function namesIn(tree: ImageTree, { shim }: EfiFiles, findings: Findings): Promise<ShimNames> {
	if (shim.inode.byteLength > MAX_EFI_BYTES) return {};
	const names = await shimNamesIn(tree.stream(shim.inode));
	const told = Object.values(names);
	if (told.length > 0)
		findings.choice({
			code: "SHIM_NAMES",
			what: `this shim starts ${told.join(" and ")}: the ISO has them under these names too`,
			where: displayName(shim.path),
		});
	return names;
}

/** What the program's headers say, mostly by its first chunk; or in words why it is none. */
async function layoutOf(tree: ImageTree, inode: FileInode): Promise<PeLayout | string> {
	let head = Buffer.alloc(0);
	for await (const chunk of tree.stream(inode)) {
		head = Buffer.concat([head, chunk]);
		if (head.byteLength >= HEAD_BYTES) break;
	}
	const layout = decodePeHead(head, inode.byteLength);
	return (
		layout ?? decodePeHead(await tree.read(inode, MAX_EFI_BYTES), inode.byteLength) ?? "its headers go beyond its end"
	);
}

async function noteSignature(
	tree: ImageTree,
	file: FoundFile,
	what: string,
	machine: Machine,
	findings: Findings,
): Promise<void> {
	const where = displayName(file.path);
	if (file.inode.byteLength > MAX_EFI_BYTES) {
		findings.problem({
			code: "EFI_BINARY_TOO_LARGE",
			what: `the ${what} has ${file.inode.byteLength} bytes`,
			where,
			expected: `at most ${MAX_EFI_BYTES} bytes`,
		});
		return;
	}
	const layout = await layoutOf(tree, file.inode);
	if (typeof layout === "string" || layout.machine !== machine.peMachine)
		findings.choice({
			code: "EFI_BINARY_NOT_PE",
			what: `the ${what} is no EFI program for ${machine.name}: UEFI will not start it`,
			where,
		});
	else if (layout.certificates.start === layout.certificates.end)
		findings.choice({
			code: "EFI_BINARY_NOT_SIGNED",
			what: `the ${what} is not signed: UEFI Secure Boot will refuse it`,
			where,
		});
}

interface Missing {
	readonly tree: ImageTree;
	readonly places: EfiPlaces;
	readonly choices: readonly Choice[];
	readonly wanted: string | undefined;
	readonly osRelease: OsRelease;
	readonly architecture: string;
	readonly machine: Machine;
	readonly bootLoader: BootLoader;
}

/** Of the vendor that lacks least, file by file: what is missing, what there is and where, and which package has it. */
function reportMissing(
	{ tree, places, choices, wanted, osRelease, architecture, machine, bootLoader }: Missing,
	findings: Findings,
): undefined {
	const roles = rolesOf(machine, bootLoader);
	const lacking = ({ files }: Choice): number => roles.filter(({ role }) => files[role] === undefined).length;
	const best = choices.reduce<Choice | undefined>(
		(least, choice) => (least === undefined || lacking(choice) < lacking(least) ? choice : least),
		undefined,
	);
	const packages = (wantedRoles: readonly Role[]): string =>
		[
			...new Set(
				wantedRoles.map((role) =>
					bootLoaderPackage(role === "secondStage" ? bootLoader : role, osRelease, architecture),
				),
			),
		].join(" and ");
	if (best === undefined && wanted === undefined)
		return findings.problem({
			code: "VENDOR_MISSING",
			what: "the image has no EFI vendor directory and no boot loaders where packages are known to have them",
			where: "/usr/lib/bootupd/updates/EFI/*, /usr/lib/efi/shim/*/EFI/*",
			expected: `the contract: ${roles.map(({ name }) => name).join(", ")} in /boot/efi/EFI/VENDOR`,
			remedy: `install ${packages(["shim", "secondStage"])}`,
		});
	const { vendor, files } = best ?? { vendor: byteStringFromText(wanted ?? ""), files: NO_FILES };
	const own = places.all.filter((directory) => isOf(directory, vendor));
	const present = roles.flatMap(({ role, name }) => {
		const file = files[role];
		return file === undefined ? [] : [`${name} is ${displayName(file.path)}`];
	});
	for (const { role, what, name, code } of roles) {
		if (files[role] !== undefined) continue;
		const path = `/boot/efi/EFI/${vendor}/${name}`;
		const other =
			code === "GRUB_EFI_MISSING" ? own.find((directory) => places.file(directory, machine.efi.grub)) : undefined;
		const installed =
			other === undefined ? [] : [`${machine.efi.grub} in ${displayName(other.path)} is for installed systems`];
		const elsewhere = choices.find((choice) => choice.vendor !== vendor && choice.files[role] !== undefined);
		const foreign = elsewhere?.files[role];
		const ofOther = foreign === undefined ? [] : [`another vendor's is ${displayName(foreign.path)}`];
		const seen = [...present, ...installed, ...ofOther];
		findings.problem({
			code,
			what: `the ${what} ${whyNoFile(tree, path)}${seen.length === 0 ? "" : `; ${seen.join(", ")}`}`,
			where: displayName(path),
			expected: `the contract: the ${what} in /boot/efi/EFI/VENDOR/${name}`,
			remedy: `install ${packages([role])}${wanted === undefined ? "" : ", or pass a --vendor that the image has"}`,
		});
	}
}
