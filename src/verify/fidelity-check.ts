import { createHash } from "node:crypto";
import { type ByteString, displayName } from "../binary/byte-string.ts";
import type { Steps } from "../binary/turns.ts";
import type { Findings } from "../findings/findings.ts";
import type { CheckedRoot, RootFileSystem } from "../rootfs/root-file-system.ts";
import type { RootDirectory, RootFile, RootInode } from "../rootfs/root-inode.ts";
import type { DirectoryInode, Inode } from "../tree/inode.ts";
import type { ExpectedTree } from "./read-image.ts";

/**
 * Every inode of the image against the root file system, both ways: type, mode, owner, time as the format keeps it, length, content, link target, device, hard links, extended attributes; a name a step.
 */
export function* checkFidelity(
	expected: ExpectedTree,
	{ format, root }: Pick<CheckedRoot, "format" | "root">,
	digestOf: (file: RootFile) => string | undefined,
	findings: Findings,
): Steps<void> {
	// Both ways, by the number of the medium's inode.
	const partners = new Map<Inode, number>();
	const taken = new Set<number>();
	const unstorable = new Map<ByteString, number>();
	let createdDirectories = 0;
	let paths = 0;
	const pending: [DirectoryInode, RootDirectory, ByteString][] = [];
	compare(expected.root, root, "");
	for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
		const [wanted, actual, path] = next;
		for (const [name, inode] of wanted.entries) {
			const own = path === "" ? name : `${path}/${name}`;
			const other = actual.entries.get(name);
			if (other === undefined) findings.fault(`it is missing from the ${format.name}`, shown(own), inode.type);
			else compare(inode, other, own);
			yield;
		}
		for (const [name, { type }] of actual.entries) {
			if (!wanted.entries.has(name))
				findings.fault("the image does not have it", shown(path === "" ? name : `${path}/${name}`), `no ${type}`);
			yield;
		}
	}
	for (const note of expected.notes) findings.note(note);
	for (const { pattern, count } of expected.droppedXattrs)
		findings.note(`${count} extended attributes that match ${pattern} are expected to be left out`);
	for (const [name, count] of unstorable)
		findings.note(`${format.name} has no place for ${displayName(name)}, which ${count} paths have`);
	if (createdDirectories > 0)
		findings.note(`${createdDirectories} directories have no entry in any layer: their times were not compared`);
	if (expected.excludedPaths > 0) findings.note(`${expected.excludedPaths} paths are excluded`);
	findings.detail = `${paths} paths, ${findings.faults} differences`;

	function compare(wanted: Inode, actual: RootInode, path: ByteString): void {
		paths++;
		const partner = partners.get(wanted);
		const number = actual.inodeNumber;
		if (partner !== undefined || taken.has(number)) {
			if (partner !== number) findings.fault("it is a link to another file", shown(path), "the image's hard links");
			return;
		}
		partners.set(wanted, number);
		taken.add(number);
		const hasOwnTime = wanted.type !== "directory" || expected.hasOwnTime(wanted);
		if (!hasOwnTime) createdDirectories++;
		const facts = inodeFacts(wanted, format, hasOwnTime, unstorable);
		const others = inodeFacts(actual, format, hasOwnTime, undefined);
		for (const name of new Set([...Object.keys(facts), ...Object.keys(others)]))
			if (facts[name] !== others[name])
				findings.fault(`${displayName(name)} is ${others[name] ?? "missing"}`, shown(path), facts[name] ?? "none");
		if (wanted.type === "directory" && actual.type === "directory") pending.push([wanted, actual, path]);
		if (wanted.type !== "file" || actual.type !== "file" || wanted.byteLength !== actual.byteLength) return;
		const [digest, other] = [expected.digestOf(wanted), digestOf(actual)];
		if (digest === undefined || other === undefined || digest !== other)
			findings.fault("the content differs", shown(path), "the image's");
	}
}

function shown(path: ByteString): string {
	return `/${displayName(path)}`;
}

function inodeFacts(
	inode: Inode | RootInode,
	format: RootFileSystem,
	hasOwnTime: boolean,
	unstorable: Map<ByteString, number> | undefined,
): Record<string, string> {
	const facts: Record<string, string> = {
		type: inode.type,
		mode: inode.mode.toString(8),
		owner: `${inode.uid}:${inode.gid}`,
	};
	if (hasOwnTime) {
		const { seconds, nanoseconds } = format.storedTime(inode.mtime);
		facts["mtime"] = nanoseconds === 0 ? String(seconds) : `${seconds}.${String(nanoseconds).padStart(9, "0")}`;
	}
	if (inode.type === "file") facts["length"] = String(inode.byteLength);
	if (inode.type === "symlink") facts["link target"] = displayName(inode.target);
	if (inode.type === "block-device" || inode.type === "character-device")
		facts["device"] = `${inode.major}:${inode.minor}`;
	for (const [name, value] of inode.xattrs) {
		if (format.storesXattr(name, value)) facts[`xattr ${name}`] = shortValue(value);
		else unstorable?.set(name, (unstorable.get(name) ?? 0) + 1);
	}
	return facts;
}

function shortValue(value: Uint8Array): string {
	const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
	if (bytes.byteLength <= 64) return `0x${bytes.toString("hex")}`;
	return `${bytes.byteLength} bytes, SHA-256 ${createHash("sha256").update(bytes).digest("hex")}`;
}
