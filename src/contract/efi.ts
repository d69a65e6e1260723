import { type ByteString, byteStringFromText, displayName } from "../binary/byte-string.ts";
import type { ImageTree } from "../tree/image-tree.ts";
import type { FileInode } from "../tree/inode.ts";
import type { EfiFiles, FoundFile, OsRelease } from "./contract.ts";
import type { Findings } from "./findings.ts";
import { findDirectory, findFirstFile, namesIn, whyNoFile } from "./image-files.ts";
import { DOS_HEADER_BYTES, isSignedPe, signatureHeadBytes } from "./signature.ts";

/** Where one image keeps the three boot loaders: the candidates of each, the best first. */
interface EfiSource {
	readonly vendor: ByteString;
	/** The place the contract names. */
	readonly isContract: boolean;
	readonly shim: readonly ByteString[];
	readonly mokManager: readonly ByteString[];
	readonly grub: readonly ByteString[];
}

const ROLES = [
	{ role: "shim", name: "shimx64.efi", what: "shim" },
	{ role: "mokManager", name: "mmx64.efi", what: "MOK manager" },
	{ role: "grub", name: "gcdx64.efi", what: "CD variant of GRUB" },
] as const;

const MAX_EFI_BINARY_BYTES = 64 * 1024 * 1024;

/**
 * The EFI boot loaders and the vendor they are from. The vendor is the first name, other than BOOT, in
 * usr/lib/bootupd/updates/EFI, then in usr/lib/efi/shim/VERSION/EFI, as the reference takes it, and the files are in
 * /boot/efi/EFI/VENDOR. Failing that: a vendor of /boot/efi/EFI, those two packages' own directories, Debian's packages.
 */
export async function chooseEfi(
	tree: ImageTree,
	wanted: string | undefined,
	osRelease: OsRelease,
	findings: Findings,
): Promise<{ readonly vendor: string; readonly efi: EfiFiles } | undefined> {
	const vendors = wanted === undefined ? vendorsOf(tree) : [byteStringFromText(wanted)];
	const first = vendors[0];
	const sources = [
		...vendors.map((vendor) => bootSource(vendor)),
		...vendors.map((vendor) => packageSource(tree, vendor)),
		...(wanted === undefined ? [debianSource(osRelease, ".signed"), debianSource(osRelease, "")] : []),
	];
	const source = sources.find((candidate) => filesOf(tree, candidate) !== undefined);
	const efi = source && filesOf(tree, source);
	if (source === undefined || efi === undefined) return reportMissing(tree, first, wanted, findings);
	if (wanted === undefined && vendors.length > 1) {
		const what = `${vendors.length} EFI vendors found (${vendors.map(displayName).join(", ")}), took ${displayName(source.vendor)}`;
		findings.choice({ code: "VENDOR_CHOICE", what, remedy: "pass --vendor NAME for another one" });
	}
	if (!source.isContract) noteFallback(source.vendor, first, efi, findings);
	for (const { role, what } of ROLES) await noteSignature(tree, efi[role], what, findings);
	return { vendor: displayName(source.vendor), efi };
}

/** In the reference's order, then those that only /boot/efi has. */
function vendorsOf(tree: ImageTree): ByteString[] {
	const shimVersions = namesIn(findDirectory(tree, "/usr/lib/efi/shim"));
	const places = [
		"/usr/lib/bootupd/updates/EFI",
		...shimVersions.map((name) => `/usr/lib/efi/shim/${name}/EFI`),
		"/boot/efi/EFI",
	];
	const vendors = places.flatMap((place) =>
		namesIn(findDirectory(tree, place)).filter((name) => {
			const isFallbackLoader = place === "/boot/efi/EFI" ? name.toUpperCase() === "BOOT" : name === "BOOT";
			return !isFallbackLoader && findDirectory(tree, `${place}/${name}`) !== undefined;
		}),
	);
	return [...new Set(vendors)];
}

function bootSource(vendor: ByteString): EfiSource {
	const paths = (name: string) => [`/boot/efi/EFI/${vendor}/${name}`];
	return {
		vendor,
		isContract: true,
		shim: paths("shimx64.efi"),
		mokManager: paths("mmx64.efi"),
		grub: paths("gcdx64.efi"),
	};
}

/** What bootupd and the packages shim and grub2 install before anything copies it to /boot/efi. */
function packageSource(tree: ImageTree, vendor: ByteString): EfiSource {
	const directories = ["shim", "grub2"].flatMap((name) =>
		namesIn(findDirectory(tree, `/usr/lib/efi/${name}`)).map(
			(version) => `/usr/lib/efi/${name}/${version}/EFI/${vendor}`,
		),
	);
	directories.unshift(`/usr/lib/bootupd/updates/EFI/${vendor}`);
	const paths = (name: string) => directories.map((directory) => `${directory}/${name}`);
	return {
		vendor,
		isContract: false,
		shim: paths("shimx64.efi"),
		mokManager: paths("mmx64.efi"),
		grub: paths("gcdx64.efi"),
	};
}

/** Debian's and Ubuntu's packages: signed by their distribution, or as built. */
function debianSource(osRelease: OsRelease, suffix: ".signed" | ""): EfiSource {
	const signed = suffix !== "";
	return {
		vendor: byteStringFromText(osRelease.id ?? "debian"),
		isContract: false,
		shim: signed
			? ["/usr/lib/shim/shimx64.efi.signed", "/usr/lib/shim/shimx64.efi.signed.latest"]
			: ["/usr/lib/shim/shimx64.efi"],
		mokManager: ["/usr/lib/shim/mmx64.efi.signed", "/usr/lib/shim/mmx64.efi"],
		grub: signed
			? ["/usr/lib/grub/x86_64-efi-signed/gcdx64.efi.signed"]
			: ["/usr/lib/grub/x86_64-efi-signed/gcdx64.efi.signed", "/usr/lib/grub/x86_64-efi/monolithic/gcdx64.efi"],
	};
}

function filesOf(tree: ImageTree, source: EfiSource): EfiFiles | undefined {
	const shim = findFirstFile(tree, source.shim);
	const mokManager = findFirstFile(tree, source.mokManager);
	const grub = findFirstFile(tree, source.grub);
	if (shim === undefined || mokManager === undefined || grub === undefined) return undefined;
	return { shim, mokManager, grub };
}

function noteFallback(vendor: ByteString, first: ByteString | undefined, efi: EfiFiles, findings: Findings): void {
	const place =
		first === undefined
			? "the image names no EFI vendor"
			: `/boot/efi/EFI/${displayName(first)} does not have the boot loaders`;
	const paths = ROLES.map(({ role }) => displayName(efi[role].path)).join(", ");
	findings.choice({ code: "EFI_FALLBACK", what: `${place}, those of ${displayName(vendor)} are used: ${paths}` });
}

/** As much of a program as tells whether it is signed: mostly its first chunk. */
async function headOf(tree: ImageTree, inode: FileInode): Promise<Uint8Array> {
	let head = Buffer.alloc(0);
	for await (const chunk of tree.stream(inode)) {
		head = Buffer.concat([head, chunk]);
		if (head.byteLength >= DOS_HEADER_BYTES) break;
	}
	const needed = signatureHeadBytes(head);
	return needed <= head.byteLength || needed > inode.byteLength ? head : tree.read(inode, MAX_EFI_BINARY_BYTES);
}

async function noteSignature(tree: ImageTree, file: FoundFile, what: string, findings: Findings): Promise<void> {
	const where = displayName(file.path);
	if (file.inode.byteLength > MAX_EFI_BINARY_BYTES) {
		findings.problem({
			code: "EFI_BINARY_TOO_LARGE",
			what: `the ${what} has ${file.inode.byteLength} bytes`,
			where,
			expected: `at most ${MAX_EFI_BINARY_BYTES} bytes`,
		});
		return;
	}
	const signed = isSignedPe(await headOf(tree, file.inode), file.inode.byteLength);
	if (signed === undefined)
		findings.choice({
			code: "EFI_BINARY_NOT_PE",
			what: `the ${what} is no EFI program for x86_64: UEFI will not start it`,
			where,
		});
	else if (!signed)
		findings.choice({
			code: "EFI_BINARY_NOT_SIGNED",
			what: `the ${what} is not signed: UEFI Secure Boot will refuse it`,
			where,
		});
}

function reportMissing(
	tree: ImageTree,
	vendor: ByteString | undefined,
	wanted: string | undefined,
	findings: Findings,
): undefined {
	if (vendor === undefined)
		return findings.problem({
			code: "VENDOR_MISSING",
			what: "the image has no EFI vendor directory and none of Debian's boot loader packages",
			where: "/usr/lib/bootupd/updates/EFI/*, /usr/lib/efi/shim/*/EFI/*",
			expected: "the contract: shimx64.efi, mmx64.efi and gcdx64.efi in /boot/efi/EFI/VENDOR",
			remedy:
				"install shim and the CD variant of GRUB (Fedora: shim-x64, grub2-efi-x64-cdboot; Debian: shim-signed, grub-efi-amd64-signed)",
		});
	const files = bootSource(vendor);
	for (const { role, what, name } of ROLES) {
		const path = files[role][0] ?? name;
		if (findFirstFile(tree, files[role]) !== undefined) continue;
		findings.problem({
			code: `${role === "shim" ? "SHIM" : role === "grub" ? "GRUB_EFI" : "MOK_MANAGER"}_MISSING`,
			what: `the ${what} ${whyNoFile(tree, path)}`,
			where: displayName(path),
			expected: `the contract: the ${what} in /boot/efi/EFI/VENDOR/${name}`,
			remedy:
				wanted === undefined
					? "install it in the image, or pass another --vendor"
					: "pass a --vendor that the image has",
		});
	}
}
