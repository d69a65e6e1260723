import { type ByteString, displayName } from "../../binary/byte-string.ts";
import { MAX_U32 } from "../../binary/units.ts";
import { Oci2isoError, type Problem } from "../../errors.ts";
import { clampRecordingSeconds } from "./dates.ts";
import { MAX_DIRECTORIES } from "./path-table.ts";
import type { VolumeOptions } from "./plan-volume.ts";
import type { IsoDirectory, IsoFile, IsoNode } from "./tree.ts";

const MAX_FILE_BYTES = 2 ** 42;
const MAX_SYMLINK_TARGET_BYTES = 1024;
/** ECMA-119 leaves it open; so deep a tree would overflow readers that recurse. */
const MAX_DEPTH = 128;

/** Throws `Oci2isoError` where the tree or options do not fit the format; returns what is kept inexactly. */
export function checkTree(root: IsoDirectory, options: VolumeOptions): Problem[] {
	const notices: Problem[] = [];
	const bodies = new Map<string, Body>();
	checkOptions(options);
	for (const { contentKey, byteLength } of options.hiddenFiles) checkBody({ contentKey, byteLength }, contentKey);
	let directories = 0;
	checkNode(root, "/", 0);
	if (directories > MAX_DIRECTORIES)
		throw refuse("ISO_TOO_MANY_DIRECTORIES", `${directories} directories`, "/", `at most ${MAX_DIRECTORIES}`);
	return notices;

	function checkNode(node: IsoNode, path: ByteString, depth: number): void {
		const where = displayName(path);
		for (const [field, value, limit] of [
			["mode", node.mode, 0o7777],
			["uid", node.uid, MAX_U32],
			["gid", node.gid, MAX_U32],
		] as const)
			if (!isCount(value, limit)) throw refuse("ISO_ATTRIBUTE_RANGE", `${field} ${value}`, where, `0 to ${limit}`);
		if (!Number.isFinite(node.mtimeSeconds))
			throw refuse("ISO_ATTRIBUTE_RANGE", `mtime ${node.mtimeSeconds}`, where, "seconds since 1970");
		if (clampRecordingSeconds(node.mtimeSeconds) !== Math.floor(node.mtimeSeconds))
			notices.push({
				code: "ISO_TIME_CLAMPED",
				what: `modification time ${node.mtimeSeconds}`,
				where,
				expected: "years 1900 to 2155",
			});
		if (node.type === "file") checkBody(node, where);
		else if (node.type === "symlink") checkSymlink(node.target, where);
		else {
			directories += 1;
			if (depth > MAX_DEPTH) throw refuse("ISO_TOO_DEEP", `${depth} levels`, where, `at most ${MAX_DEPTH} levels`);
			for (const [name, child] of node.entries) {
				if (!isFileName(name))
					throw refuse("ISO_BAD_NAME", `the name "${displayName(name)}"`, where, "1 to 255 bytes without / and NUL");
				checkNode(child, path === "/" ? `/${name}` : `${path}/${name}`, depth + 1);
			}
		}
	}

	function checkSymlink(target: ByteString, where: string): void {
		if (target.length === 0 || target.length > MAX_SYMLINK_TARGET_BYTES || target.includes("\0"))
			throw refuse(
				"ISO_BAD_SYMLINK",
				`a symbolic link to ${target.length} bytes`,
				where,
				"1 to 1024 bytes without NUL",
			);
		notices.push({ code: "ISO_JOLIET_SYMLINK", what: "a symbolic link is left out of the Joliet tree", where });
	}

	function checkBody(body: Body, where: string): void {
		if (!isCount(body.byteLength, MAX_FILE_BYTES))
			throw refuse("ISO_FILE_SIZE", `a file of ${body.byteLength} bytes`, where, "at most 2^42 bytes");
		const { fixedBlock } = body;
		if (fixedBlock !== undefined && !isCount(fixedBlock, MAX_U32))
			throw refuse("ISO_BLOCK_RANGE", `block ${fixedBlock}`, where, `0 to ${MAX_U32}`);
		const known = bodies.get(body.contentKey);
		if (known !== undefined && (known.byteLength !== body.byteLength || known.fixedBlock !== fixedBlock))
			throw refuse("ISO_BODY_CONFLICT", `two bodies share the key ${body.contentKey}`, where, "one length and place");
		bodies.set(body.contentKey, body);
	}
}

type Body = Pick<IsoFile, "contentKey" | "byteLength" | "fixedBlock">;

function checkOptions(options: VolumeOptions): void {
	const { volumeIdentifier, timestampSeconds } = options;
	if (volumeIdentifier.length === 0 || volumeIdentifier.length > 32)
		throw refuse("ISO_VOLUME_ID", `a volume label of ${volumeIdentifier.length} bytes`, undefined, "1 to 32 bytes");
	for (const [field, limit] of [
		["systemIdentifier", 32],
		["preparer", 128],
		["publisher", 128],
		["application", 128],
	] as const) {
		const text = options[field] ?? "";
		if (text.length > limit || !/^[ -~]*$/.test(text))
			throw refuse("ISO_IDENTIFIER", `${field} "${displayName(text)}"`, undefined, `at most ${limit} ASCII characters`);
	}
	if (!Number.isInteger(timestampSeconds) || clampRecordingSeconds(timestampSeconds) !== timestampSeconds)
		throw refuse("ISO_TIMESTAMP", `time stamp ${timestampSeconds}`, undefined, "whole seconds, years 1900 to 2155");
}

function isFileName(name: ByteString): boolean {
	return name.length > 0 && name.length <= 255 && name !== "." && name !== ".." && !/[/\0]/.test(name);
}

function isCount(value: number, limit: number): boolean {
	return Number.isInteger(value) && value >= 0 && value <= limit;
}

function refuse(code: string, what: string, where: string | undefined, expected: string): Oci2isoError {
	return new Oci2isoError({ code, kind: "contract", what, where, expected });
}
