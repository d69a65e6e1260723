import type { ByteSource } from "../../binary/byte-source.ts";
import { type ByteString, byteStringFromText, byteStringOf, displayName } from "../../binary/byte-string.ts";
import { inTurns, type Steps, Turns } from "../../binary/turns.ts";
import { ISO_BLOCK_BYTES, MiB } from "../../binary/units.ts";
import { corrupt, type Oci2isoError, type Problem } from "../../errors.ts";
import { type DirectoryRecordHead, directoryRecordHead, FILE_FLAGS, systemUseOffset } from "./directory-record.ts";
import type { Extent } from "./extents.ts";
import { type RockRidge, readSystemUse } from "./read-system-use.ts";
import { sameBytes } from "./same-bytes.ts";
import { FILE_TYPE } from "./susp.ts";
import type { VolumeAttributes, VolumeDirectory, VolumeNode } from "./volume.ts";

const MAX_DEPTH = 128;
const MAX_NODES = 1_000_000;
const MAX_DIRECTORY_BYTES = 16 * MiB;
const MAX_ALL_DIRECTORIES_BYTES = 256 * MiB;

interface TreeRead {
	readonly root: VolumeDirectory;
	readonly rockRidge: boolean;
}

/**
 * Reads all directories below the root whose record is `rootRecord`. `joliet` says that identifiers are UCS-2 and that there is no
 * system use area. Throws `Oci2isoError` BAD_DIRECTORY or BAD_SUSP; puts lesser inconsistencies in `problems`.
 */
export async function readTree(
	source: ByteSource,
	rootRecord: Uint8Array,
	joliet: boolean,
	problems: Problem[],
	signal?: AbortSignal,
): Promise<TreeRead> {
	const turns = new Turns(signal);
	const seenBlocks = new Set<number>();
	let nodes = 0;
	let directoryBytes = 0;
	let rockRidge = false;
	let skipped = 0;
	const rootHead = decodeHead(rootRecord, 0, "/");
	const rootExtent = { block: rootHead.extentBlock, byteLength: rootHead.dataByteLength };
	const root = await readDirectory(rootExtent, rootExtent, "/", 0, rootHead, undefined);
	return { root, rockRidge };

	async function readDirectory(
		extent: Extent,
		parent: Extent,
		path: ByteString,
		depth: number,
		ownHead: DirectoryRecordHead,
		attributes: VolumeAttributes | undefined,
	): Promise<VolumeDirectory> {
		const where = displayName(path);
		if (depth > MAX_DEPTH) throw bad("directories nest too deep", where, `at most ${MAX_DEPTH} levels`);
		if (seenBlocks.has(extent.block)) throw bad(`two directories in block ${extent.block}`, where, "one");
		seenBlocks.add(extent.block);
		directoryBytes += extent.byteLength;
		if (extent.byteLength === 0 || extent.byteLength % ISO_BLOCK_BYTES !== 0 || extent.byteLength > MAX_DIRECTORY_BYTES)
			throw bad(
				`a directory of ${extent.byteLength} bytes`,
				where,
				`whole blocks, at most ${MAX_DIRECTORY_BYTES} bytes`,
			);
		if (directoryBytes > MAX_ALL_DIRECTORIES_BYTES)
			throw bad("directories take too much", where, `at most ${MAX_ALL_DIRECTORIES_BYTES} bytes`);
		const bytes = await source.read(extent.block * ISO_BLOCK_BYTES, extent.byteLength);
		const [self, up, ...children] = await inTurns(splitRecords(bytes, where), signal);
		if (self?.identifier !== "\0" || up?.identifier !== "\u0001")
			throw bad('a directory does not start with "." and ".."', where, '"." and ".."');
		if (self.head.extentBlock !== extent.block || self.head.dataByteLength !== extent.byteLength)
			note('"." names another extent', where, `block ${extent.block}`);
		if (up.head.extentBlock !== parent.block) note('".." names another extent', where, `block ${parent.block}`);
		const ownUse = await systemUse(self, where);
		if (depth === 0 && ownUse?.skippedByteLength !== undefined) {
			rockRidge = true;
			skipped = ownUse.skippedByteLength;
		}
		const entries = new Map<ByteString, VolumeNode>();
		let previous = "";
		for (let i = 0; i < children.length; ) {
			const sections = takeSections(children, i, where);
			i += sections.length;
			if (turns.areDue()) await turns.next();
			const [record] = sections;
			if (record === undefined) break;
			if (record.identifier <= previous) note("records are out of order", where, "ascending identifiers");
			previous = record.identifier;
			nodes += 1;
			if (nodes > MAX_NODES) throw bad("too many entries", where, `at most ${MAX_NODES}`);
			const [name, node] = await readNode(record, sections, extent, path, depth);
			if (entries.has(name)) throw bad(`two entries named "${displayName(name)}"`, where, "one");
			entries.set(name, node);
		}
		const own = attributes ?? attributesOf("\0", ownHead, ownUse);
		return { type: "directory", extent, entries, ...own };
	}

	async function readNode(
		record: RawRecord,
		sections: readonly RawRecord[],
		parent: Extent,
		parentPath: ByteString,
		depth: number,
	): Promise<[ByteString, VolumeNode]> {
		const use = rockRidge ? await systemUse(record, displayName(parentPath)) : undefined;
		const name = joliet ? jolietName(record.identifier) : (use?.name ?? plainName(record.identifier));
		const path = parentPath === "/" ? `/${name}` : `${parentPath}/${name}`;
		const where = displayName(path);
		if (name === "" || name === "." || name === ".." || /[/\0]/.test(name))
			throw bad(`the name "${displayName(name)}"`, displayName(parentPath), "a file name");
		const attributes = attributesOf(record.identifier, record.head, use);
		const fileType = use?.attributes === undefined ? undefined : use.attributes.fileMode & FILE_TYPE.mask;
		const isDirectory = (record.head.fileFlags & FILE_FLAGS.directory) !== 0;
		if (fileType !== undefined && isDirectory !== (fileType === FILE_TYPE.directory))
			throw bad("Rock Ridge and the record disagree about the type", where, "one type");
		const extents = sections.map(({ head }) => ({ block: head.extentBlock, byteLength: head.dataByteLength }));
		if (isDirectory) {
			const [extent] = extents;
			if (extent === undefined || extents.length > 1) throw bad("a directory in sections", where, "one extent");
			return [name, await readDirectory(extent, parent, path, depth + 1, record.head, attributes)];
		}
		if (fileType === FILE_TYPE.symlink) {
			if (use?.linkTarget === undefined) throw bad("a symbolic link without a target", where, "an SL entry");
			return [name, { type: "symlink", target: use.linkTarget, ...attributes }];
		}
		if (fileType !== undefined && fileType !== FILE_TYPE.file) return [name, { type: "special", ...attributes }];
		for (const { block, byteLength } of extents)
			if (byteLength > 0 && block * ISO_BLOCK_BYTES + byteLength > source.byteLength)
				throw bad(
					`an extent at block ${block} of ${byteLength} bytes`,
					where,
					`an end within ${source.byteLength} bytes`,
				);
		for (const { byteLength } of extents.slice(0, -1))
			if (byteLength % ISO_BLOCK_BYTES !== 0) throw bad("a section ends within a block", where, "whole blocks");
		const byteLength = extents.reduce((sum, extent) => sum + extent.byteLength, 0);
		return [name, { type: "file", extents, byteLength, ...attributes }];
	}

	function systemUse(record: RawRecord, where: string): Promise<RockRidge | undefined> {
		if (joliet) return Promise.resolve(undefined);
		const area = record.identifier === "\0" ? record.systemUse : record.systemUse.subarray(skipped);
		return readSystemUse(source, area, where);
	}

	/** The records of one file: all but the last have the multi-extent flag. */
	function takeSections(records: readonly RawRecord[], start: number, where: string): RawRecord[] {
		const sections: RawRecord[] = [];
		for (let i = start; ; i++) {
			const record = records[i];
			if (record === undefined || record.identifier !== records[start]?.identifier)
				throw bad("a file's last section is missing", where, "a record without the multi-extent flag");
			sections.push(record);
			if ((record.head.fileFlags & FILE_FLAGS.multiExtent) === 0) return sections;
		}
	}

	/** A record a step. */
	function* splitRecords(bytes: Uint8Array, where: string): Steps<RawRecord[]> {
		const records: RawRecord[] = [];
		for (let at = 0; at < bytes.byteLength; ) {
			yield;
			const left = ISO_BLOCK_BYTES - (at % ISO_BLOCK_BYTES);
			const byteLength = bytes[at] ?? 0;
			if (byteLength === 0) {
				at += left;
				continue;
			}
			if (byteLength > left) throw bad("a record crosses its block's end", where, `at most ${left} bytes`);
			const head = decodeHead(bytes.subarray(at, at + byteLength), at, where);
			const useAt = Math.min(systemUseOffset(head.identifierByteLength), byteLength);
			records.push({
				head,
				identifier: byteStringOf(bytes.subarray(at + 33, at + 33 + head.identifierByteLength)),
				systemUse: bytes.subarray(at + useAt, at + byteLength),
			});
			at += byteLength;
		}
		return records;
	}

	function decodeHead(bytes: Uint8Array, at: number, where: string): DirectoryRecordHead {
		if (bytes.byteLength < directoryRecordHead.byteLength)
			throw bad(`a record of ${bytes.byteLength} bytes`, where, "at least 34 bytes");
		const head = directoryRecordHead.decode(bytes);
		if (head.identifierByteLength === 0 || 33 + head.identifierByteLength > bytes.byteLength)
			throw bad(`an identifier of ${head.identifierByteLength} bytes at ${at}`, where, "1 byte up to the record's end");
		if (head.fileUnitSize !== 0 || head.interleaveGapSize !== 0)
			throw bad("an interleaved file", where, "no interleave");
		if (head.extendedAttributeBlocks !== 0) throw bad("an extended attribute record", where, "none");
		if (!sameBytes(directoryRecordHead, head, bytes, ["extentBlock", "dataByteLength", "volumeSequenceNumber"]))
			note(`a big-endian copy differs in the record at ${at}`, where, "equal copies");
		return head;
	}

	function note(what: string, where: string, expected: string): void {
		problems.push({
			code: "ISO_INCONSISTENT",
			what: `${joliet ? "Joliet" : "primary"} tree: ${what}`,
			where,
			expected,
		});
	}
}

interface RawRecord {
	readonly head: DirectoryRecordHead;
	readonly identifier: ByteString;
	readonly systemUse: Uint8Array;
}

function attributesOf(identifier: ByteString, head: DirectoryRecordHead, use: RockRidge | undefined): VolumeAttributes {
	const { attributes, mtimeSeconds } = use ?? {};
	return {
		identifier,
		recordedAtSeconds: head.recordedAtSeconds,
		hidden: (head.fileFlags & FILE_FLAGS.hidden) !== 0,
		posix:
			attributes === undefined
				? undefined
				: {
						mode: attributes.fileMode & 0o7777,
						links: attributes.links,
						uid: attributes.uid,
						gid: attributes.gid,
						mtimeSeconds,
					},
	};
}

function plainName(identifier: ByteString): ByteString {
	return identifier.replace(/;\d+$/, "").replace(/\.$/, "");
}

function jolietName(identifier: ByteString): ByteString {
	const bytes = Buffer.from(identifier, "latin1");
	if (bytes.byteLength % 2 !== 0) throw bad("a Joliet identifier of odd length", displayName(identifier), "UCS-2");
	return byteStringFromText(bytes.swap16().toString("utf16le"));
}

function bad(what: string, where: string, expected: string): Oci2isoError {
	return corrupt("BAD_DIRECTORY", `ISO 9660: ${what}`, where, expected);
}
