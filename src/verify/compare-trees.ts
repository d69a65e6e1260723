import { displayName, utf8TextOf } from "../binary/byte-string.ts";
import type { Steps } from "../binary/turns.ts";
import type { Findings } from "../findings/findings.ts";
import type { VolumeDirectory, VolumeNode } from "../formats/iso9660/volume.ts";

/** How the second tree relates to the first. */
type TreeRelation =
	/** The same volume seen from a partition that begins `blockOffset` blocks after the first's beginning. */
	| { readonly kind: "partition"; readonly blockOffset: number }
	/** The Joliet tree beside the Rock Ridge tree: other identifiers, no attributes, no symbolic links. */
	| { readonly kind: "joliet" };

/** Longest name that every Joliet writer keeps as it is, in UCS-2 characters. */
const JOLIET_NAME_CHARACTERS = 64;

/** Reports what the two trees of one volume do not agree on; a name a step. */
export function* compareTrees(
	first: VolumeDirectory,
	second: VolumeDirectory,
	relation: TreeRelation,
	findings: Findings,
): Steps<void> {
	const tree = relation.kind === "joliet" ? "the Joliet tree" : "the partition's tree";
	yield* compareNode(first, second, "/");

	function* compareDirectory(a: VolumeDirectory, b: VolumeDirectory, path: string): Steps<void> {
		const isJoliet = relation.kind === "joliet";
		const others = new Map(b.entries);
		// Joliet shortens and changes names, and may number those that become one, those that it could keep among them.
		const renamed: [name: string, node: VolumeNode][] = [];
		const isShown = ({ type }: VolumeNode): boolean => !isJoliet || (type !== "symlink" && type !== "special");
		const mayRename = isJoliet && [...a.entries].some(([name, node]) => isShown(node) && !isPlain(name));
		for (const [name, node] of a.entries) {
			yield;
			if (!isShown(node)) continue;
			const other = others.get(name);
			if (other === undefined || (isJoliet && !isPlain(name))) {
				if (mayRename) renamed.push([name, node]);
				else findings.fault(`${tree} lacks it`, path + displayName(name), "it in both trees");
				continue;
			}
			others.delete(name);
			yield* compareNode(node, other, path + displayName(name));
		}
		const byFacts = new Map<string, VolumeNode[]>();
		for (const node of others.values()) {
			yield;
			const facts = JSON.stringify(factsOf(node, relation, 0));
			const alike = byFacts.get(facts);
			if (alike === undefined) byFacts.set(facts, [node]);
			else alike.push(node);
		}
		let missing = 0;
		for (const [name, node] of renamed) {
			yield;
			const alike = byFacts.get(JSON.stringify(factsOf(node, relation, 0)));
			const isClear = alike?.length === 1;
			const other = alike?.shift();
			if (other !== undefined) {
				if (isClear) yield* compareNode(node, other, path + displayName(name));
			} else {
				missing++;
				findings.fault(`${tree} lacks it`, path + displayName(name), "it in both trees");
			}
		}
		const surplus = others.size - renamed.length + missing;
		if (surplus === 0) return;
		for (const name of others.keys())
			if (!mayRename) findings.fault(`only ${tree} has it`, path + displayName(name), "it in both trees");
		if (mayRename) findings.fault(`only ${tree} has ${surplus} of its names`, path, "them in both trees");
	}

	function* compareNode(a: VolumeNode, b: VolumeNode, path: string): Steps<void> {
		const facts = factsOf(a, relation, 0);
		const others = factsOf(b, relation, relation.kind === "partition" ? relation.blockOffset : 0);
		for (const [name, value] of Object.entries(facts))
			if (others[name] !== value) findings.fault(`${tree} has ${name} ${others[name]}`, path, value);
		if (a.type === "directory" && b.type === "directory")
			yield* compareDirectory(a, b, path === "/" ? "/" : `${path}/`);
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
