import { type ByteString, compareByteStrings, displayName } from "../binary/byte-string.ts";
import { MiB } from "../binary/units.ts";
import type { Findings } from "../findings/findings.ts";
import { type ImageTree, partOf } from "../tree/image-tree.ts";
import type { DeviceTree, KernelFiles } from "./contract.ts";
import { findDirectory, findFirstFile, namesIn, whyNoFile } from "./image-files.ts";

/** Of Fedora, Arch and SUSE, Debian, Ubuntu. */
const placesOf = (version: ByteString): ByteString[] => [
	`/usr/lib/modules/${version}/dtb`,
	`/usr/lib/modules/${version}/dtbs`,
	`/boot/dtb-${version}`,
	`/boot/dtbs/${version}`,
	`/usr/lib/linux-image-${version}`,
	`/usr/lib/firmware/${version}/device-tree`,
	"/boot/dtb",
];
const MAX_DEVICE_TREE_BYTES = 2 * MiB;
/** Devicetree Specification, "Flattened Devicetree Format": magic, big-endian. */
const MAGIC = 0xd00dfeed;

/** Device trees of the kernel, in byte order of their names, which are paths below the directory that the image has for them; without a wish none, which is said where there are some. */
export async function chooseDeviceTrees(
	tree: ImageTree,
	kernel: KernelFiles | undefined,
	wanted: readonly ByteString[] | undefined,
	findings: Findings,
): Promise<readonly DeviceTree[]> {
	if (kernel === undefined) return [];
	const places = placesOf(kernel.version);
	if (wanted === undefined || wanted.length === 0) {
		const there = places.find((path) => namesIn(findDirectory(tree, path)).length > 0);
		if (there !== undefined)
			findings.choice({
				code: "DEVICE_TREES",
				what: "the image has device trees, and the menu offers none",
				where: displayName(there),
				remedy: "pass --devicetree NAME for a machine whose firmware brings none",
			});
		return [];
	}
	const found: DeviceTree[] = [];
	for (const name of new Set([...wanted].sort(compareByteStrings))) {
		const file = findFirstFile(
			tree,
			places.map((place) => `${place}/${name}`),
		);
		const where = displayName(`${places[0]}/${name}`);
		const expected = "a device tree of the kernel (.dtb)";
		if (file === undefined) {
			const what = `the device tree ${whyNoFile(tree, `${places[0]}/${name}`)}, and the other places for it`;
			findings.problem({ code: "DEVICE_TREE_MISSING", what, where, expected });
			continue;
		}
		const isSmall = file.inode.byteLength >= 8 && file.inode.byteLength <= MAX_DEVICE_TREE_BYTES;
		const head = isSmall ? Buffer.from(await tree.read(partOf(file.inode, 0, 4), 4)) : undefined;
		if (head?.readUInt32BE() === MAGIC) found.push({ name, file });
		else
			findings.problem({
				code: "DEVICE_TREE_INVALID",
				what: "it is no device tree",
				where: displayName(file.path),
				expected,
			});
	}
	return found;
}
