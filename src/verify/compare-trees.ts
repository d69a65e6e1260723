import { displayName, utf8TextOf } from "../binary/byte-string.ts";
import type { VolumeDirectory, VolumeNode } from "../iso9660/volume.ts";
import type { Findings } from "./findings.ts";

/** How the second tree relates to the first. */
export type TreeRelation =
	/** The same volume seen from a partition that begins `blockOffset` blocks after the first's beginning. */
	| { readonly kind: "partition"; readonly blockOffset: number }
	/** The Joliet tree beside the Rock Ridge tree: other identifiers, no attributes, no symbolic links. */
	| { readonly kind: "joliet" };

/** Longest name that every Joliet writer keeps as it is, in UCS-2 characters. */
const JOLIET_NAME_CHARACTERS = 64;

/** Reports what the two trees of one volume do not agree on. */
export function compareTrees(
	first: VolumeDirectory,
	second: VolumeDirectory,
	relation: TreeRelation,
	findings: Findings,
): void {
	const tree = relation.kind === "joliet" ? "the Joliet tree" : "the partition's tree";
	compareNode(first, second, "/");

	function compareDirectory(a: VolumeDirectory, b: VolumeDirectory, path: string): void {
		const isJoliet = relation.kind === "joliet";
		for (const [name, node] of a.entries) {
			if (isJoliet && (node.type === "symlink" || node.type === "special" || !isPlain(name))) continue;
			const other = b.entries.get(name);
			if (other === undefined) findings.fault(`${tree} lacks it`, path + displayName(name), "it in both trees");
			else compareNode(node, other, path + displayName(name));
		}
		const names = isJoliet ? [...a.entries.keys()].filter((name) => isPlain(name)) : [...a.entries.keys()];
		if (names.length === a.entries.size)
			for (const name of b.entries.keys())
				if (!a.entries.has(name)) findings.fault(`only ${tree} has it`, path + displayName(name), "it in both trees");
	}

	function compareNode(a: VolumeNode, b: VolumeNode, path: string): void {
		const facts = factsOf(a, relation, 0);
		const others = factsOf(b, relation, relation.kind === "partition" ? relation.blockOffset : 0);
		for (const [name, value] of Object.entries(facts))
			if (others[name] !== value) findings.fault(`${tree} has ${name} ${others[name]}`, path, value);
		if (a.type === "directory" && b.type === "directory") compareDirectory(a, b, path === "/" ? "/" : `${path}/`);
	}
}

function factsOf(node: VolumeNode, { kind }: TreeRelation, blockOffset: number): Record<string, string> {
	const { posix } = node;
	return {
		type: node.type,
		...(node.type === "file"
			? {
					extents: node.extents
						.map(({ block, byteLength }) => (byteLength === 0 ? "0" : `${block + blockOffset}+${byteLength}`))
						.join(" "),
				}
			: {}),
		...(node.type === "symlink" ? { target: displayName(node.target) } : {}),
		time: String(node.recordedAtSeconds),
		hidden: String(node.hidden),
		...(kind === "joliet"
			? {}
			: {
					identifier: displayName(node.identifier),
					...(posix === undefined
						? {}
						: {
								mode: posix.mode.toString(8),
								owner: `${posix.uid}:${posix.gid}`,
								links: String(posix.links),
								mtime: String(posix.mtimeSeconds),
							}),
				}),
	};
}

/** Joliet holds the name as it is. */
function isPlain(name: string): boolean {
	const text = utf8TextOf(name);
	return (
		text !== undefined && text.length <= JOLIET_NAME_CHARACTERS && !/[*/:;?\\\p{Cc}\u{10000}-\u{10ffff}]/u.test(text)
	);
}
