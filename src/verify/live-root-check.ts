import { type ByteSource, region } from "../binary/byte-source.ts";
import { type ByteString, byteStringFromText, displayName, utf8TextOf } from "../binary/byte-string.ts";
import { MAX_INITRAMFS_BYTES } from "../boot/boot-file-limits.ts";
import { readInitramfs } from "../boot/initramfs/initramfs.ts";
import { initramfsSupport } from "../boot/initramfs/live-support.ts";
import type { FileStretch, UnifiedKernel } from "../boot/linux/unified-kernel.ts";
import { followRoot } from "../boot/live-root/follow-root.ts";
import type { LiveMedium } from "../boot/live-root/live-medium.ts";
import type { LiveSupport } from "../boot/live-root/live-support.ts";
import { optionWords } from "../boot/systemd-boot/read-entries.ts";
import type { Findings } from "../findings/findings.ts";
import { findNode, type VolumeFile } from "../formats/iso9660/volume.ts";
import { fileAt, fileSource, streamOf } from "./medium-files.ts";
import type { BootVolume } from "./menu-check.ts";

/** The menus of all ways of starting, and both volumes, have the same initramfs; of a medium by its place. */
const known = new WeakMap<ByteSource, Map<string, ReadSupport>>();

interface ReadSupport {
	/** Undefined where it is damaged. */
	readonly support: LiveSupport | undefined;
	/** As far as a kernel unpacks it. */
	readonly unpacked: LiveSupport | undefined;
	/** Why the kernel stops unpacking it. */
	readonly damage: string | undefined;
}

/**
 * Follows an entry's `linux` words through its initramfs, as the medium has it, to the root file system. Returns the image's path without leading
 * slash, or undefined where there is none to look at; what is in the way is a fault.
 */
export async function followEntry(
	words: readonly ByteString[],
	initrds: readonly ByteString[],
	volume: BootVolume,
	where: string,
	findings: Findings,
): Promise<ByteString | undefined> {
	return follow(words, await supportOn(volume, initrds, where, findings), volume, where, findings);
}

/** The same of the command line in a unified kernel image, and the initramfs in it. */
export async function followUnifiedKernel(
	{ commandLine, initrd }: UnifiedKernel,
	file: VolumeFile,
	path: ByteString,
	volume: BootVolume,
	where: string,
	findings: Findings,
): Promise<ByteString | undefined> {
	let support: LiveSupport | undefined;
	if (initrd === undefined) findings.fault("it has no initramfs", `/${displayName(path)}`, "a section .initrd");
	else if (initrd.byteLength <= MAX_INITRAMFS_BYTES) {
		const known = await knownSupport(volume, file, path, initrd);
		if (known.damage !== undefined)
			findings.fault(`the initramfs in ${displayName(path)} is damaged: ${known.damage}`, where, "an initramfs");
		support = known.support;
	}
	return follow([path, ...optionWords(byteStringFromText(commandLine))], support, volume, where, findings);
}

function follow(
	words: readonly ByteString[],
	support: LiveSupport | undefined,
	volume: BootVolume,
	where: string,
	findings: Findings,
): ByteString | undefined {
	const { problems, notes, image } = followRoot(words.map(textOf), support, mediumOf(volume));
	for (const { code, what, evidence, stops } of problems) {
		const text = `the entry ${what} (${evidence})`;
		// A menu may offer other things beside the medium's own system.
		if (stops && code !== "MENU_NO_ROOT")
			findings.fault(text, where, `a way to the root file system of ${volume.name}`);
		else findings.note(text, where);
	}
	for (const note of notes) findings.note(note, where);
	return image === undefined ? undefined : byteStringFromText(image);
}

/** What the build saw of the initramfs at a path; undefined where none can be read. */
export async function supportAt(
	volume: Pick<BootVolume, "source" | "medium" | "firstBlock" | "root">,
	path: ByteString,
): Promise<LiveSupport | undefined> {
	const file = fileAt(volume.root, path);
	if (file === undefined || file.byteLength > MAX_INITRAMFS_BYTES) return undefined;
	return (await knownSupport(volume, file, path)).unpacked;
}

/** Of the last of several initramfs that says anything; undefined where none can be read. */
async function supportOn(
	volume: BootVolume,
	initrds: readonly ByteString[],
	where: string,
	findings: Findings,
): Promise<LiveSupport | undefined> {
	let last: LiveSupport | undefined;
	for (const path of initrds) {
		const file = fileAt(volume.root, path);
		if (file === undefined || file.byteLength > MAX_INITRAMFS_BYTES) continue;
		const { support, damage } = await knownSupport(volume, file, path);
		if (damage !== undefined) findings.fault(`${displayName(path)} is damaged: ${damage}`, where, "an initramfs");
		last = support ?? last;
	}
	return last;
}

type ReadVolume = Pick<BootVolume, "source" | "medium" | "firstBlock">;

/** `inside`: of what lies there in the file. */
async function knownSupport(
	volume: ReadVolume,
	file: VolumeFile,
	path: ByteString,
	inside: FileStretch = { offset: 0, byteLength: file.byteLength },
): Promise<ReadSupport> {
	const { medium, firstBlock } = volume;
	const extents = file.extents.map(({ block, byteLength }) => `${firstBlock + block}+${byteLength}`);
	const place = [...extents, inside.offset, inside.byteLength].join(" ");
	const ofMedium = known.get(medium) ?? new Map<string, ReadSupport>();
	known.set(medium, ofMedium);
	const support = ofMedium.get(place) ?? (await readSupport(volume, file, path, inside));
	ofMedium.set(place, support);
	return support;
}

async function readSupport(
	{ source }: ReadVolume,
	file: VolumeFile,
	path: ByteString,
	{ offset, byteLength }: FileStretch,
): Promise<ReadSupport> {
	const content = await readInitramfs(streamOf(region(fileSource(source, file, path), offset, byteLength)));
	const unpacked = initramfsSupport(content);
	if (content.fault === undefined) return { support: unpacked, unpacked, damage: undefined };
	const isArchive = content.segments.some(({ compression, entries }) => compression !== "none" || entries > 0);
	return { support: undefined, unpacked, damage: isArchive && !content.isOpaque ? content.fault : undefined };
}

function textOf(bytes: ByteString): string {
	return utf8TextOf(bytes) ?? bytes;
}

function mediumOf({ root, label, uuid }: BootVolume): LiveMedium {
	return {
		label: textOf(label),
		uuid,
		partitions: [{ name: "ISO9660" }],
		names(directory) {
			const node = findNode(root, byteStringFromText(directory));
			return node?.type === "directory" ? [...node.entries.keys()].map(textOf) : undefined;
		},
	};
}
