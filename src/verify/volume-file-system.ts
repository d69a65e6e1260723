import type { ByteString } from "../binary/byte-string.ts";
import { componentsOf, type GrubFileSystem } from "../boot/grub/model/medium.ts";
import { MAX_GRUB_CONFIG_BYTES } from "../boot/grub/model/shell.ts";
import type { VolumeDirectory, VolumeNode } from "../formats/iso9660/volume.ts";
import { readVolumeFile } from "./medium-files.ts";
import type { BootVolume } from "./menu-check.ts";

const MAX_LINKS = 16;

/** A volume as GRUB's module iso9660 reads it. */
export function volumeFileSystem({ source, root, label }: BootVolume): GrubFileSystem {
	return {
		module: "iso9660",
		label,
		find(path) {
			const node = followed(root, path);
			if (node?.type === "directory") return { type: "directory" };
			if (node?.type !== "file") return undefined;
			const { byteLength } = node;
			return { type: "file", byteLength, read: () => readVolumeFile(source, node, MAX_GRUB_CONFIG_BYTES, path) };
		},
	};
}

/** The node at a path, symbolic links followed. */
function followed(root: VolumeDirectory, path: ByteString): VolumeNode | undefined {
	const parents: VolumeDirectory[] = [];
	let node: VolumeNode = root;
	let links = 0;
	const names = componentsOf(path).reverse();
	for (let name = names.pop(); name !== undefined; name = names.pop()) {
		if (name === "..") {
			node = parents.pop() ?? root;
			continue;
		}
		const next: VolumeNode | undefined = node.type === "directory" ? node.entries.get(name) : undefined;
		if (next === undefined || node.type !== "directory") return undefined;
		if (next.type === "symlink") {
			if (++links > MAX_LINKS) return undefined;
			if (next.target.startsWith("/")) {
				parents.length = 0;
				node = root;
			}
			names.push(...componentsOf(next.target).reverse());
			continue;
		}
		parents.push(node);
		node = next;
	}
	return node;
}
