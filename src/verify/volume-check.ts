import { type ByteSource, region } from "../binary/byte-source.ts";
import { inTurns } from "../binary/turns.ts";
import { ISO_BLOCK_BYTES } from "../binary/units.ts";
import type { Problem } from "../errors.ts";
import type { Findings } from "../findings/findings.ts";
import { FIRST_DESCRIPTOR_BLOCK } from "../formats/iso9660/finish-volume.ts";
import { readVolume } from "../formats/iso9660/read-volume.ts";
import type { Volume } from "../formats/iso9660/volume.ts";
import { encodeTerminator, type VolumeDescriptor } from "../formats/iso9660/volume-descriptor.ts";
import { compareRecords } from "./compare-records.ts";
import { compareTrees } from "./compare-trees.ts";
import { countNodes } from "./medium-files.ts";

/** The first descriptor set and its trees. */
export async function checkVolume(source: ByteSource, findings: Findings, signal?: AbortSignal): Promise<Volume> {
	const volume = await readVolume(source, signal);
	const { primary, joliet, jolietRoot, root, rockRidge } = volume;
	await takeProblems(volume, findings, signal);
	const imageBlocks = source.byteLength / ISO_BLOCK_BYTES;
	findings.equal("the primary descriptor's volume space size", primary.volumeSpaceBlocks, imageBlocks, "block 16");
	checkDescriptor(primary, 1, "block 16", findings);
	await checkTerminator(source, volume, findings);
	if (!rockRidge) findings.fault("there is no Rock Ridge", "/", "an SP entry");
	if (joliet === undefined || jolietRoot === undefined) findings.fault("there is no Joliet tree", "block 18", "one");
	else {
		checkDescriptor(joliet, 2, "Joliet descriptor", findings);
		checkJolietTexts(primary, joliet, findings);
		await inTurns(compareTrees(root, jolietRoot, { kind: "joliet" }, findings), signal);
	}
	const { files, directories } = await inTurns(countNodes(root), signal);
	findings.detail = `"${primary.volumeIdentifier}", ${files} files in ${directories} directories`;
	return volume;
}

/** The set that a partition at `partitionBlock` begins with: the same tree, counted from there. */
export async function checkSecondVolume(
	source: ByteSource,
	first: Volume,
	partitionBlock: number,
	findings: Findings,
	signal?: AbortSignal,
): Promise<Volume> {
	const start = partitionBlock * ISO_BLOCK_BYTES;
	const partition = region(source, start, Math.max(0, source.byteLength - start));
	const second = await readVolume(partition, signal);
	const where = `block ${partitionBlock + FIRST_DESCRIPTOR_BLOCK}`;
	await takeProblems(second, findings, signal);
	checkDescriptor(second.primary, 1, where, findings);
	await compareRecords({ source, volume: first }, { source: partition, volume: second }, findings, signal);
	const relation = { kind: "partition", blockOffset: partitionBlock } as const;
	await inTurns(compareTrees(first.root, second.root, relation, findings), signal);
	await checkTerminator(partition, second, findings);
	if (second.bootRecords.length > 0) findings.fault("there is a boot record", where, "none in a partition");
	const pairs = [["primary", second.primary.volumeSpaceBlocks]] as [string, number][];
	if (second.joliet === undefined || second.jolietRoot === undefined || first.jolietRoot === undefined)
		findings.fault("there is no Joliet tree", where, "one");
	else {
		checkDescriptor(second.joliet, 2, where, findings);
		await inTurns(compareTrees(first.jolietRoot, second.jolietRoot, relation, findings), signal);
		pairs.push(["Joliet", second.joliet.volumeSpaceBlocks]);
	}
	const end = (first.joliet?.volumeSpaceBlocks ?? first.primary.volumeSpaceBlocks) - partitionBlock;
	for (const [name, blocks] of pairs) findings.equal(`the ${name} descriptor's volume space size`, blocks, end, where);
	findings.detail = `at ${where}`;
	return second;
}

/** xorriso's Joliet directories name themselves in ".."; what every one of them does is a habit, what some do is damage. */
async function takeProblems(volume: Volume, findings: Findings, signal: AbortSignal | undefined): Promise<void> {
	const isHabit = ({ what }: Problem): boolean => what.startsWith('Joliet tree: ".."');
	const { jolietRoot } = volume;
	const directories = jolietRoot === undefined ? 0 : (await inTurns(countNodes(jolietRoot), signal)).directories + 1;
	const isEverywhere = volume.problems.filter(isHabit).length === directories - 1;
	for (const problem of volume.problems)
		if (!isEverywhere || !isHabit(problem)) findings.fault(problem.what, problem.where, problem.expected);
	if (isEverywhere && directories > 1)
		findings.note(`in all ${directories - 1} Joliet directories ".." names another extent than the parent's`);
}

async function checkTerminator(source: ByteSource, volume: Volume, findings: Findings): Promise<void> {
	// The sets that are read here have a boot record only in the first, and one of each other kind.
	const before = 1 + volume.bootRecords.length + (volume.joliet === undefined ? 0 : 1);
	const bytes = await source.read((FIRST_DESCRIPTOR_BLOCK + before) * ISO_BLOCK_BYTES, ISO_BLOCK_BYTES);
	if (!encodeTerminator().equals(bytes))
		findings.fault("the terminator is not as it should be", `block ${FIRST_DESCRIPTOR_BLOCK + before}`, "type 255");
	if (volume.bootRecords.length > 1)
		findings.fault(`there are ${volume.bootRecords.length} boot records`, undefined, "1");
}

function checkDescriptor(descriptor: VolumeDescriptor, type: number, where: string, findings: Findings): void {
	findings.equal("the descriptor's type", descriptor.type, type, where);
	for (const name of ["version", "volumeSetSize", "volumeSequenceNumber", "fileStructureVersion"] as const)
		findings.equal(name, descriptor[name], 1, where);
	for (const name of ["volumeFlags", "optionalLittleEndianPathTableBlock", "optionalBigEndianPathTableBlock"] as const)
		findings.equal(name, descriptor[name], 0, where);
}

/** With the characters that a Joliet descriptor has room for. */
const TEXTS = [
	["systemIdentifier", 16],
	["volumeIdentifier", 16],
	["volumeSetIdentifier", 64],
	["publisherIdentifier", 64],
	["preparerIdentifier", 64],
	["applicationIdentifier", 64],
	["copyrightFileIdentifier", 18],
	["abstractFileIdentifier", 18],
	["bibliographicFileIdentifier", 18],
] as const;
const DATES = ["createdAtSeconds", "modifiedAtSeconds", "expiresAtSeconds", "effectiveAtSeconds"] as const;

/** Texts and dates are the primary descriptor's; a Joliet field holds half as many characters. */
function checkJolietTexts(primary: VolumeDescriptor, joliet: VolumeDescriptor, findings: Findings): void {
	const where = "Joliet descriptor";
	for (const [name, characters] of TEXTS) {
		const text = primary[name];
		// Other writers may choose other characters for those that are not ASCII.
		if (/^[ -~]*$/.test(text)) findings.equal(name, joliet[name], text.slice(0, characters).replace(/ +$/, ""), where);
	}
	for (const name of DATES) findings.equal(name, String(joliet[name]), String(primary[name]), where);
}
