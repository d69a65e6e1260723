import { formatSize } from "../binary/format-size.ts";
import type { DiskUsage } from "../layers/disk-usage.ts";
import type { BuildPageParts } from "./build-page.ts";
import type { Part } from "./treemap.ts";

/** `c0` to `c7`, then from the first on. */
export const LAYER_COLOURS = 8;

type Region = BuildPageParts["regions"][number];

/** Of the ISO, else of the first set of files for network boot. */
export function mediumBytes({ iso, pxe }: BuildPageParts["report"]): number {
	return iso?.byteLength ?? (pxe?.[0]?.files ?? []).reduce((sum, { byteLength }) => sum + byteLength, 0);
}

/** Everything on the medium: its parts' bytes come to the ISO's, to the byte. */
export function mediumParts({ report, usage, regions, contentBytes }: BuildPageParts): Part {
	const total = mediumBytes(report);
	const layers = usage.map((each): Part => {
		const { reusedBytes = 0, recompressedBytes = 0, digest = "" } = report.layers[each.layer] ?? {};
		const cost = `${formatSize(recompressedBytes)} compressed by this build, ${formatSize(reusedBytes)} from the cache`;
		const name = layerName(each.layer, digest);
		return { ...partOf(each), name, colour: `c${each.layer % LAYER_COLOURS}`, detail: `${cost}; ${detailOf(each)}` };
	});
	const rootfs = regions.find(({ kind }) => kind === "rootfs");
	const used = sumOf(layers);
	const squashfs: Part = {
		name: report.squashfs.format,
		bytes: rootfs?.byteLength ?? 0,
		colour: "other",
		isGroup: true,
		children: [
			...layers,
			...some({ name: "contents that no name leads to", bytes: contentBytes - used, colour: "free" }),
			{ name: "its tables: inodes, directories", bytes: (rootfs?.byteLength ?? 0) - contentBytes, colour: "tables" },
		],
	};
	const payload = group("images to install", "other", byDirectory(of(regions, "payload")));
	const boot = group("boot files", "boot", byDirectory(of(regions, "boot")));
	const tables = group("volume descriptors, directories, partition tables", "tables", [], of(regions, "tables"));
	const padding = of(regions, "padding");
	const covered = regions.reduce((sum, { byteLength }) => sum + byteLength, 0);
	const free = { name: "padding and gaps", bytes: sumOf(padding) + total - covered, colour: "free" };
	return { name: "medium", bytes: total, children: [squashfs, ...some(payload), boot, tables, ...some(free)] };
}

export function layerName(index: number, digest: string): string {
	return `layer ${index} (${digest.replace(/^[a-z0-9]+:/, "").slice(0, 12)})`;
}

/** Where one child has as good as everything, both are one: `lib/modules`. */
const AS_GOOD_AS = 0.97;

function partOf(usage: DiskUsage): Part {
	const { name, storedBytes: bytes, children } = usage;
	const [first] = children;
	if (name !== "/" && first !== undefined && first.storedBytes >= AS_GOOD_AS * bytes)
		return { ...partOf({ ...first, name: `${name}/${first.name}` }), bytes };
	return { name, bytes, detail: detailOf(usage), children: children.map(partOf) };
}

function detailOf({ contentBytes, files, sharedBytes }: DiskUsage): string {
	const shared = sharedBytes === 0 ? "" : `, ${formatSize(sharedBytes)} shared`;
	return `${formatSize(contentBytes)} uncompressed, ${files} ${files === 1 ? "file" : "files"}${shared}`;
}

/** Files of a directory together, where they are more than a few. */
function byDirectory(files: readonly Part[]): Part[] {
	const groups = new Map<string, Part[]>();
	for (const file of files) {
		const directory = file.name.slice(0, file.name.lastIndexOf("/"));
		const members = groups.get(directory);
		if (members === undefined) groups.set(directory, [file]);
		else members.push(file);
	}
	return [...groups].flatMap(([directory, members]) =>
		members.length < 4
			? members
			: [
					{
						name: directory,
						bytes: sumOf(members),
						children: members.map(({ name, bytes }) => ({ name: name.slice(directory.length + 1), bytes })),
					},
				],
	);
}

function group(name: string, colour: string, children: readonly Part[], own: readonly Part[] = children): Part {
	return { name, colour, bytes: sumOf(own), children, isGroup: children.length > 0 };
}

function of(regions: readonly Region[], kind: Region["kind"]): Part[] {
	return regions
		.filter((region) => region.kind === kind)
		.map(({ what, byteLength }) => ({ name: what, bytes: byteLength }));
}

function some(part: Part): Part[] {
	return part.bytes > 0 ? [part] : [];
}

function sumOf(parts: readonly Part[]): number {
	return parts.reduce((sum, { bytes }) => sum + bytes, 0);
}
