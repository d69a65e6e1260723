import { ArchiveWriter } from "./archive-writer.ts";

type Append = (bytes: Uint8Array) => Promise<void>;

const CAPABILITY = Buffer.from("0100000200040000000000000000000000000000", "hex").toString("latin1");
const LABELS = ["usr_t", "bin_t", "lib_t", "etc_t"].map((type) => `system_u:object_r:${type}:s0\0`);

/**
 * So many inodes as a large distribution spreads them: 24 entries in a directory, four of five of them small files, the others symbolic links;
 * every tenth with a label, every hundredth with a fraction of a second.
 */
export async function writeCrowd(append: Append, inodes: number): Promise<void> {
	const archive = new ArchiveWriter(append);
	const perDirectory = 24;
	for (let i = 0; archive.members < inodes; i++) {
		const directory = `crowd/${i % 61}/${(i >> 4) % 251}/package-${i}`;
		await archive.add({ name: `${directory}/`, typeflag: "5", mode: 0o755, mtime: 1_700_000_000 + i });
		for (let j = 0; j < perDirectory && archive.members < inodes; j++) {
			const mtime = 1_700_000_000 + ((i * perDirectory + j) % 100_000);
			const name = `${directory}/file-${j}.conf`;
			if (j % 5 === 4) {
				await archive.add({ name, typeflag: "2", linkname: `../package-${i >> 1}/file-${j - 1}.conf`, mtime });
				continue;
			}
			const records: Record<string, string> = {};
			if (j % 10 === 1) records["SCHILY.xattr.security.selinux"] = LABELS[i % LABELS.length] ?? "";
			if (j === 2 && i % 50 === 0) records["SCHILY.xattr.security.capability"] = CAPABILITY;
			if (j === 3) records["mtime"] = `${mtime}.${String(i % 1000).padStart(3, "0")}5`;
			await archive.add({ name, uid: i % 40, gid: j, mtime }, `file ${j} of package ${i}\n`, records);
		}
	}
	await archive.finish();
}

/** An ostree-like repository: objects by digest, and for each of them `linksPerObject` names in the tree, as hard links. */
export async function writeLinkFarm(append: Append, objects: number, linksPerObject: number): Promise<void> {
	const archive = new ArchiveWriter(append);
	const objectName = (i: number): string => {
		const digest = Math.imul(i + 1, 0x9e37_79b1) >>> 0;
		const hex = `${digest.toString(16).padStart(8, "0")}${i.toString(16).padStart(8, "0")}`.repeat(4);
		return `sysroot/ostree/repo/objects/${hex.slice(0, 2)}/${hex.slice(2)}.file`;
	};
	for (let i = 0; i < objects; i++) await archive.add({ name: objectName(i), mtime: 1, uid: i % 3 }, `object ${i}\n`);
	for (let i = 0; i < objects * linksPerObject; i++)
		await archive.add({
			name: `farm/${i % linksPerObject}/${i % 97}/name-${i}`,
			typeflag: "1",
			linkname: objectName(Math.floor(i / linksPerObject)),
		});
	await archive.finish();
}

/** One directory of so many entries: every tenth a symbolic link, the others empty files or hard links to the first of them. */
export async function writeFlatDirectory(append: Append, entries: number): Promise<void> {
	const archive = new ArchiveWriter(append);
	await archive.add({ name: "flat/", typeflag: "5", mode: 0o755 });
	for (let i = 0; i < entries; i++) {
		const name = `flat/entry-${i}`;
		if (i % 10 === 0) await archive.add({ name, typeflag: "2", linkname: String(i) });
		else if (i % 10 < 5 || i < 10) await archive.add({ name }, "");
		else await archive.add({ name, typeflag: "1", linkname: "flat/entry-1" });
	}
	await archive.finish();
}
