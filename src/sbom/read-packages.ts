import { type ByteString, displayPath } from "../binary/byte-string.ts";
import { MAX_HELD_BYTES } from "../binary/held-bytes.ts";
import { Turns } from "../binary/turns.ts";
import { MiB } from "../binary/units.ts";
import type { ImageTree } from "../tree/image-tree.ts";
import type { DirectoryInode, FileInode } from "../tree/inode.ts";
import { lookupQuietly } from "../tree/lookup-quietly.ts";
import { parseApkInstalled } from "./apk.ts";
import { parseDpkgStatus } from "./dpkg.ts";
import { damagedDatabase, type InstalledPackage, PackageList, type Parsed } from "./packages.ts";
import { parsePacmanDesc } from "./pacman.ts";
import { parseRpmDatabase, type RpmDatabase } from "./rpm.ts";

/** What is installed in a system, as far as its package databases say. */
export interface InstalledPackages {
	/** Sorted by name, version and architecture. */
	readonly packages: readonly InstalledPackage[];
	/** What of them could not be read, one sentence each. */
	readonly notices: readonly string[];
}

interface ReadOptions {
	/** Told of files that the tree will be asked for. */
	fetch(files: readonly FileInode[]): Promise<void>;
	readonly signal?: AbortSignal | undefined;
}

/** A file of a database, and how it is read. */
interface DatabaseFile {
	readonly path: ByteString;
	readonly inode: FileInode;
	readonly maxBytes: number;
	parse(bytes: Uint8Array): Parsed;
}

const DPKG_STATUS = "var/lib/dpkg/status";
const DPKG_STATUS_DIRECTORY = "var/lib/dpkg/status.d";
const APK_INSTALLED = ["lib/apk/db/installed", "usr/lib/apk/db/installed"];
const PACMAN_DIRECTORIES = [
	"var/lib/pacman/local",
	"usr/lib/sysimage/lib/pacman/local",
	"usr/lib/sysimage/pacman/local",
];
/** Now, before, and in commits of ostree. */
const RPM_DIRECTORIES = ["usr/lib/sysimage/rpm", "var/lib/rpm", "usr/share/rpm"];
const RPM_SQLITE = "rpmdb.sqlite";
const RPM_NDB = "Packages.db";
const RPM_BERKELEY_DB = "Packages";

/** Those in use have less than 10 MiB. */
const MAX_TEXT_BYTES = 64 * MiB;
/** Of a package alone. */
const MAX_STANZA_BYTES = MiB;
/** Linux distributions have a tenth of it, packaged. */
const MAX_DATABASE_FILES = 100_000;
const PIECES_PER_STEP = 64;

/** Whether the file at a path (no leading slash) is one that `readPackages` reads. */
export function isPackageDatabase(path: ByteString): boolean {
	const name = path.slice(path.lastIndexOf("/") + 1);
	const directory = path.slice(0, Math.max(0, path.length - name.length - 1));
	if (path === DPKG_STATUS || directory === DPKG_STATUS_DIRECTORY || APK_INSTALLED.includes(path)) return true;
	if (RPM_DIRECTORIES.includes(directory)) return name === RPM_SQLITE || name === RPM_NDB;
	return name === "desc" && PACMAN_DIRECTORIES.some((local) => directory.startsWith(`${local}/`));
}

/**
 * Reads the databases of dpkg, rpm, apk and pacman that are in a tree. Throws `Oci2isoError` PACKAGE_DATABASE_DAMAGED, PACKAGE_DATABASE_TOO_LARGE, FILE_TOO_LARGE (exit 5), and as
 * reading the tree does.
 */
export async function readPackages(tree: ImageTree, { fetch, signal }: ReadOptions): Promise<InstalledPackages> {
	const notices: string[] = [];
	const files = [...dpkgFiles(tree), ...apkFiles(tree), ...pacmanFiles(tree), ...rpmFiles(tree, notices)];
	if (files.length > MAX_DATABASE_FILES)
		throw damagedDatabase(`there are ${files.length} files of it`, displayPath(files[0]?.path ?? ""));
	await fetch(files.map(({ inode }) => inode));
	const list = new PackageList();
	const turns = new Turns(signal);
	for (const { path, inode, maxBytes, parse } of files) {
		const where = displayPath(path);
		for (const found of parse(await tree.read(inode, maxBytes))) {
			if (found !== undefined) list.add(found, where);
			if (turns.areDue(PIECES_PER_STEP)) await turns.next();
		}
	}
	return { packages: list.sorted, notices };
}

function dpkgFiles(tree: ImageTree): DatabaseFile[] {
	const parse = (bytes: Uint8Array): Parsed => parseDpkgStatus(textOf(bytes));
	const whole = fileAt(tree, DPKG_STATUS);
	const single = childrenOf(tree, DPKG_STATUS_DIRECTORY).filter(({ path }) => !path.endsWith(".md5sums"));
	return [
		...(whole === undefined ? [] : [{ ...whole, maxBytes: MAX_TEXT_BYTES, parse }]),
		...single.map((file) => ({ ...file, maxBytes: MAX_STANZA_BYTES, parse })),
	];
}

function apkFiles(tree: ImageTree): DatabaseFile[] {
	const parse = (bytes: Uint8Array): Parsed => parseApkInstalled(textOf(bytes));
	const found = APK_INSTALLED.flatMap((path) => fileAt(tree, path) ?? []);
	return distinct(found).map((file) => ({ ...file, maxBytes: MAX_TEXT_BYTES, parse }));
}

function pacmanFiles(tree: ImageTree): DatabaseFile[] {
	const found = PACMAN_DIRECTORIES.flatMap((local) => {
		const directory = directoryAt(tree, local);
		if (directory === undefined) return [];
		return [...directory.entries].flatMap(([name, inode]) => {
			const desc = inode.type === "directory" ? inode.entries.get("desc") : undefined;
			return desc?.type === "file" ? [{ path: `${local}/${name}/desc`, inode: desc }] : [];
		});
	});
	return distinct(found).map((file) => ({
		...file,
		maxBytes: MAX_STANZA_BYTES,
		*parse(bytes) {
			yield parsePacmanDesc(textOf(bytes));
		},
	}));
}

function rpmFiles(tree: ImageTree, notices: string[]): DatabaseFile[] {
	const read: Omit<DatabaseFile, "maxBytes" | "parse">[] = [];
	const seen = new Set<DirectoryInode>();
	for (const path of RPM_DIRECTORIES) {
		const directory = directoryAt(tree, path);
		// one is often a link to another
		if (directory === undefined || seen.has(directory)) continue;
		seen.add(directory);
		const files = [RPM_SQLITE, RPM_NDB].flatMap((name) => fileAt(tree, `${path}/${name}`) ?? []);
		if (files[0] !== undefined) read.push(files[0]);
		else if (fileAt(tree, `${path}/${RPM_BERKELEY_DB}`) !== undefined)
			notices.push(
				`the packages in /${path}/${RPM_BERKELEY_DB} are not named: it is in Berkeley DB's format; rpmdb --rebuilddb with rpm 4.16 or later makes one that is read`,
			);
		if (fileAt(tree, `${path}/${RPM_SQLITE}-wal`) !== undefined)
			notices.push(
				`what /${path}/${RPM_SQLITE}-wal holds is not read: the database was not closed; rpmdb --rebuilddb in the image puts it in`,
			);
	}
	return distinct(read).map((file) => {
		const kind: RpmDatabase = file.path.endsWith(RPM_NDB) ? "ndb" : "sqlite";
		const parse = (bytes: Uint8Array): Parsed => parseRpmDatabase(bytes, kind, displayPath(file.path));
		return { ...file, maxBytes: MAX_HELD_BYTES, parse };
	});
}

/** A file with content. */
function fileAt(
	tree: ImageTree,
	path: ByteString,
): { readonly path: ByteString; readonly inode: FileInode } | undefined {
	const inode = lookupQuietly(tree, path)?.inode;
	return inode?.type === "file" && inode.byteLength > 0 ? { path: `/${path}`, inode } : undefined;
}

function directoryAt(tree: ImageTree, path: ByteString): DirectoryInode | undefined {
	const inode = lookupQuietly(tree, path)?.inode;
	return inode?.type === "directory" ? inode : undefined;
}

function childrenOf(tree: ImageTree, path: ByteString) {
	return [...(directoryAt(tree, path)?.entries ?? [])].flatMap(([name, inode]) =>
		inode.type === "file" ? [{ path: `/${path}/${name}`, inode }] : [],
	);
}

function distinct<File extends { readonly inode: FileInode }>(files: readonly File[]): File[] {
	return [...new Map(files.map((file) => [file.inode, file])).values()];
}

/** What is not UTF-8 becomes U+FFFD. */
function textOf(bytes: Uint8Array): string {
	return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("utf8");
}
