import { spawnSync } from "node:child_process";
import {
	closeSync,
	mkdirSync,
	openSync,
	readFileSync,
	rmSync,
	statSync,
	truncateSync,
	writeFileSync,
	writeSync,
} from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { atOnce } from "../../src/binary/turns.ts";
import type { CodecName } from "../../src/codec/types.ts";
import { givingToRoot } from "../../src/layers/all-root.ts";
import { compileExcludes, DEFAULT_EXCLUDES } from "../../src/layers/excludes.ts";
import type { DirectoryInode, FileInode } from "../../src/tree/inode.ts";
import { contentOnDisk, type DiskTree, diskTree, openFile } from "../support/disk-tree.ts";
import { requires } from "../support/requires.ts";
import { run } from "../support/run.ts";
import { type CodecOptions, diskFacts, imageFileFacts, writeImageFile } from "../support/squashfs-images.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import type { ContentPart } from "../support/trees.ts";

const scratch = temporaryDirectory("squashfs-reference");
const source = join(scratch, "source");
const ours = join(scratch, "ours.squashfs");
const theirs = join(scratch, "theirs.squashfs");

async function writeOurs(tree: DiskTree, options: CodecOptions) {
	return writeImageFile(ours, tree.root, (file) => parts(tree, file), options);
}

/** Content with holes where the file on disk is sparse, as a tar reader would give it. */
async function* parts(tree: DiskTree, file: FileInode): AsyncGenerator<ContentPart> {
	const { blocks, size } = statSync(tree.paths.get(file) ?? "");
	const isSparse = blocks * 512 < size;
	for await (const chunk of contentOnDisk(tree, file))
		yield isSparse && ZEROS.subarray(0, chunk.byteLength).equals(chunk) ? { hole: chunk.byteLength } : chunk;
}

const ZEROS = Buffer.alloc(1 << 20);

async function makeTheirs(directory: string, ...options: string[]): Promise<void> {
	await run("mksquashfs", [
		directory,
		theirs,
		"-noappend",
		"-no-progress",
		"-quiet",
		"-mem",
		"256M",
		"-processors",
		"2",
		...options,
	]);
}

const missing = requires("root", "mksquashfs", "unsquashfs", "getfattr", "setfattr", "mknod", "python3");

describe.skipIf(missing)("beside squashfs-tools", () => {
	let sourceFacts: Awaited<ReturnType<typeof diskFacts>>;
	beforeAll(async () => {
		mkdirSync(join(source, "sub/deeper/empty"), { recursive: true });
		mkdirSync(join(source, "many"));
		writeFileSync(join(source, "small"), "small");
		writeFileSync(join(source, "empty"), "");
		writeFileSync(join(source, "sub/program"), readFileSync(process.execPath).subarray(8_000_000, 9_300_001));
		writeFileSync(join(source, "sub/copy"), readFileSync(process.execPath).subarray(8_000_000, 9_300_001));
		for (let i = 0; i < 2000; i++) writeFileSync(join(source, "many", `a name of some length ${i}`), `file ${i % 700}`);
		writeFileSync(Buffer.from(join(source, "caf\xff\n"), "latin1"), "odd name");
		const sparse = openSync(join(source, "sparse"), "w");
		writeSync(sparse, "begin");
		truncateSync(join(source, "sparse"), 70_000_000);
		writeSync(sparse, "middle", 30_000_000);
		closeSync(sparse);
		const large = "x".repeat(3000);
		await run("sh", ["-ec", SETUP, "sh", large], { cwd: source });
		// Reads all of it once: mksquashfs finds hard links by equal times of access too, and the first reader of a symbolic link changes its.
		sourceFacts = await diskFacts(source);
	});

	it.each<[string, string[]]>([
		["gzip", ["-comp", "gzip"]],
		["xz, blocks of 4 KiB", ["-comp", "xz", "-b", "4096"]],
		["lz4", ["-comp", "lz4", "-Xhc"]],
		["zstd, blocks of 1 MiB", ["-comp", "zstd", "-Xcompression-level", "3", "-b", "1M"]],
		["nothing compressed", ["-noI", "-noD", "-noF", "-noX", "-noId"]],
		["no fragments", ["-comp", "zstd", "-Xcompression-level", "1", "-no-fragments"]],
		["every tail in a fragment", ["-comp", "zstd", "-Xcompression-level", "1", "-always-use-fragments"]],
		["no export table", ["-comp", "gzip", "-Xcompression-level", "1", "-no-exports"]],
		["no extended attributes", ["-comp", "gzip", "-no-xattrs"]],
	])("reads an image of mksquashfs (%s)", async (name, options) => {
		await makeTheirs(source, ...options);
		const image = openFile(theirs);
		try {
			const expected = new Map(sourceFacts);
			if (name === "no extended attributes")
				for (const [path, facts] of expected) if ("xattrs" in facts) expected.set(path, { ...facts, xattrs: [] });
			expect(await imageFileFacts(image)).toEqual(expected);
		} finally {
			image.close();
		}
	});

	it.each<[CodecName, number]>([
		["zstd", 131_072],
		["gzip", 4096],
		["xz", 131_072],
		["lz4", 1_048_576],
		["none", 131_072],
	])("is accepted by unsquashfs (%s, blocks of %d bytes)", async (codec, blockBytes) => {
		const tree = await diskTree(source);
		const { summary } = await writeOurs(tree, {
			codec,
			blockBytes,
			...(codec === "zstd" || codec === "xz" ? { level: 1 } : {}),
		});
		const facts = await run("unsquashfs", ["-s", ours]);
		expect(facts).toContain(`Number of inodes ${summary.inodes}\n`);
		expect(facts).toContain(`Filesystem size ${summary.bytesUsed} bytes`);
		expect(facts).toContain(`Compression ${codec === "none" ? "gzip" : codec}\n`);
		expect(facts).toContain(codec === "none" ? "Inodes are uncompressed" : "Inodes are compressed");
		const out = join(scratch, "out");
		rmSync(out, { recursive: true, force: true });
		await run("unsquashfs", ["-no-progress", "-quiet", "-d", out, ours]);
		expect(await diskFacts(out)).toEqual(sourceFacts);
	});

	it.each<[string, Omit<CodecOptions, "blockBytes"> & { allRoot?: boolean }, string[]]>([
		["no options", { codec: "gzip" }, []],
		["every tail in a fragment", { codec: "gzip", level: 1, fragmentRule: "all-tails" }, ["-always-use-fragments"]],
		[
			"no fragments, no export table and everything root's",
			{ codec: "gzip", level: 1, fragmentRule: "none", exportable: false, allRoot: true },
			["-no-fragments", "-no-exports", "-all-root"],
		],
		["the x86 filter", { codec: "xz", level: 0, bcj: "x86" }, ["-comp", "xz", "-Xbcj", "x86"]],
	])("lists as mksquashfs's image does with %s", async (_, { allRoot = false, ...options }, flags) => {
		const tree = await diskTree(source);
		if (allRoot) atOnce(givingToRoot(tree.root));
		await writeOurs(tree, { ...options, blockBytes: 131_072 });
		await makeTheirs(source, ...flags);
		// A directory's size depends on where metadata blocks end.
		const listing = async (image: string): Promise<string> =>
			(await run("unsquashfs", ["-lls", "-no-progress", image])).replace(/^(d\S+ \S+) +\d+ /gm, "$1 ");
		expect(await listing(ours)).toBe(await listing(theirs));
		const fields = async (image: string): Promise<string[]> =>
			(await run("unsquashfs", ["-s", image]))
				.split("\n")
				.filter((line) =>
					/^(Compression|\tDictionary|\tFilters|Block size|Number|Duplicates|Fragments|Always|Xattrs|Filesystem is)/.test(
						line,
					),
				);
		expect(await fields(ours)).toEqual(await fields(theirs));
	});

	it.skipIf(requires("sqfsdiff"))("has the same content as mksquashfs's image, says sqfsdiff", async () => {
		await writeOurs(await diskTree(source), { codec: "zstd", blockBytes: 131_072 });
		await makeTheirs(source, "-comp", "zstd");
		const { status, stdout, stderr } = spawnSync("sqfsdiff", ["--old", ours, "--new", theirs], { encoding: "utf8" });
		expect([status, stdout, stderr]).toEqual([0, "", ""]);
	});

	it("excludes what mksquashfs -regex -e excludes", async () => {
		const directory = join(scratch, "excludes");
		await run("sh", ["-ec", EXCLUDE_TREE, "sh", directory]);
		const lists = [
			[...DEFAULT_EXCLUDES],
			["usr"],
			["usr/lib/", "v[a-b]r/l.b$"],
			["^boot$/^(vmlinuz|config)-[[:digit:]]+\\.[0-9]{1,2}$"],
			["... ^rpm"],
			["... ^lib", "boot/[^cv].*"],
			["(usr|var)/lib/(rpm|yum)/."],
			["a+b?c*|x", "boot/.vmlinuz"],
			["caf.$", "[]x]"],
		];
		const tree = await diskTree(directory);
		const all = pathsOf(tree.root);
		for (const patterns of lists) {
			await makeTheirs(directory, "-regex", "-e", ...patterns);
			const listing = spawnSync("unsquashfs", ["-l", "-no-progress", "-d", "", theirs], { encoding: "latin1" }).stdout;
			const kept = listing
				.split("\n")
				.filter((line) => line !== "" && line !== "/")
				.map((line) => line.replace(/^\//, ""));
			const isExcluded = compileExcludes(patterns);
			expect(
				all.filter((path) => !isExcluded(path)),
				patterns.join(" "),
			).toEqual(kept.sort());
		}
	});

	it.each<[CodecName, string, string[]]>([
		["zstd", "typescript", ["-Xcompression-level", "3"]],
		["gzip", "zod", []],
		["lz4", "typescript", []],
	])("makes an image of a real tree that is not more than 1 % larger (%s, %s)", async (codec, name, options) => {
		const directory = join(import.meta.dirname, "../../node_modules", name);
		const tree = await diskTree(directory);
		const level = codec === "zstd" ? { level: 3 } : {};
		const { summary } = await writeOurs(tree, { codec, blockBytes: 131_072, ...level });
		await makeTheirs(directory, "-comp", codec, ...options);
		expect(summary.byteLength).toBeLessThan(statSync(theirs).size * 1.01);
	});
});

function pathsOf(root: DirectoryInode): string[] {
	const paths: string[] = [];
	const visit = (prefix: string, directory: DirectoryInode): void => {
		for (const [name, inode] of directory.entries) {
			paths.push(prefix + name);
			if (inode.type === "directory") visit(`${prefix}${name}/`, inode);
		}
	};
	visit("", root);
	return paths.sort();
}

const SETUP = `
ln small sub/deeper/hard; ln -s ../small sub/link; ln sub/link sub/deeper/hardlink
mknod char c 1 3; mknod block b 259 300; mknod whiteout c 0 0; mkfifo fifo
python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("socket")'
chmod 4755 sub/program; chown 70000:4000000000 small; chmod 1777 sub; chmod 000 empty
setfattr -n user.note -v hello small; setfattr -n trusted.t -v "$1" sub
setfattr -n user.large -v "$1" sub/copy; setfattr -n user.large -v "$1" sub/program; setfattr -n user.other -v 1 sub/program
setfattr -n security.capability -v 0x0100000200040000000000000000000000000000 sub/program
setfattr -h -n trusted.link -v l sub/link; setfattr -n trusted.dev -v d char
touch -d @1 small; touch -d @4294967295 empty; touch -h -d @1000000000 sub/link
`;

const EXCLUDE_TREE = `
mkdir -p "$1"; cd "$1"
mkdir -p boot/efi/EFI bootloader/efi boot/grub2 boot/loader usr/lib/sysimage/rpm usr/lib64/sysimage/rpm-extra usr/share/sysimage
mkdir -p var/lib/rpm var/lib/rpm-state var/lib64/rpm var/lib/yum var/lib/dnf etc/boot/efi aabc
for d in boot/efi/EFI bootloader/efi boot/grub2 boot/loader usr/lib/sysimage/rpm usr/lib64/sysimage/rpm-extra usr/share/sysimage \
	var/lib/rpm var/lib/rpm-state var/lib64/rpm var/lib/yum var/lib/dnf etc/boot/efi aabc; do echo x > $d/file; done
for f in config-6.1 myconfig-6 initramfs-6 symvers-1 System.map-6 vmlinuz-6.10 vmlinuz-6.123 .vmlinuz-6.hmac initrd.img-6; do echo x > boot/$f; done
ln -s ../../share/rpm usr/lib/link
printf x > "$(printf 'caf\\377')"; echo x > ']'
`;
