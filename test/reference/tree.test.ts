import { execFileSync, spawnSync } from "node:child_process";
import { lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ByteString, byteStringOf, bytesOf } from "../../src/binary/byte-string.ts";
import { Oci2isoError } from "../../src/errors.ts";
import { writeOciLayout } from "../support/oci-layout.ts";
import { requires } from "../support/requires.ts";
import { type TarMember, tarArchive } from "../support/tar-fixtures.ts";
import { arbitraryLayers, type Layers, mergeLayers, type Row, rowsOf } from "../unit/tree/layers.ts";
import { applicableLayers } from "../unit/tree/model.ts";
import { scenarios } from "../unit/tree/scenarios.ts";

const reason = requires("umoci", "getfattr", "root");
const RANDOM_CASES = 300;
const MASK_TYPE = 0o170000n;
const TYPES = new Map<bigint, string>([
	[0o040000n, "directory"],
	[0o100000n, "file"],
	[0o120000n, "symlink"],
	[0o060000n, "block-device"],
	[0o020000n, "character-device"],
	[0o010000n, "fifo"],
	[0o140000n, "socket"],
]);

/** umoci leaves the time of day on directories it makes or empties by the way; we give those a fixed time. */
const NOW = "the time of day";

let scratch = "";
let startSeconds = 0;
let imageCount = 0;

beforeAll(() => {
	scratch = mkdtempSync(join(tmpdir(), "oci2iso-tree-"));
	startSeconds = Math.floor(Date.now() / 1000);
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** Every file's content says which entry it came from. */
function withTellingContents(layers: Layers): Layers {
	return layers.map((members, layer) =>
		members.map((member, entry): TarMember => {
			const isFile = (member.type ?? "file") === "file";
			return isFile ? { ...member, content: Buffer.from(`body ${layer}:${entry}`) } : member;
		}),
	);
}

/** What umoci makes of the layers, or undefined where it fails. */
function unpack(layers: Layers): Map<ByteString, Row> | undefined {
	const image = join(scratch, `image-${imageCount}`);
	const root = join(scratch, `root-${imageCount++}`);
	mkdirSync(image);
	try {
		writeOciLayout(image, { layers: layers.map((members) => ({ tar: tarArchive(members), compression: "none" })) });
		const { status } = spawnSync("umoci", ["raw", "unpack", "--image", `${image}:latest`, root], { encoding: "utf8" });
		return status === 0 ? readRows(root) : undefined;
	} finally {
		rmSync(image, { recursive: true, force: true });
		rmSync(root, { recursive: true, force: true });
	}
}

function readRows(root: string): Map<ByteString, Row> {
	const xattrs = readXattrs(root);
	const firstNames = new Map<bigint, ByteString>();
	const rows = new Map<ByteString, Row>();
	const visit = (path: ByteString): void => {
		const real = Buffer.concat([Buffer.from(`${root}/`), bytesOf(path)]);
		const stat = lstatSync(real, { bigint: true });
		const type = TYPES.get(stat.mode & MASK_TYPE) ?? "unknown";
		const seconds = stat.mtimeNs >= 0n ? stat.mtimeNs / 10n ** 9n : (stat.mtimeNs - 10n ** 9n + 1n) / 10n ** 9n;
		const isNow = type === "directory" && seconds >= startSeconds - 2 && seconds <= startSeconds + 3600;
		const sameAs = type === "directory" ? undefined : firstNames.get(stat.ino);
		if (sameAs === undefined) firstNames.set(stat.ino, path);
		rows.set(path, {
			type,
			mode: Number(stat.mode & 0o7777n),
			owner: `${stat.uid}:${stat.gid}`,
			mtime: isNow ? NOW : `${seconds}.${stat.mtimeNs - seconds * 10n ** 9n}`,
			detail: detail(type, real, stat.rdev),
			xattrs: xattrs.get(path) ?? "",
			sameAs,
		});
		if (type !== "directory") return;
		const names = readdirSync(real, { encoding: "buffer" }).map((name) => byteStringOf(name));
		for (const name of names.sort()) visit(path === "" ? name : `${path}/${name}`);
	};
	visit("");
	return rows;
}

function detail(type: string, real: Buffer, rdev: bigint): string {
	if (type === "file") return readFileSync(real, "latin1");
	if (type === "symlink") return `-> ${readlinkSync(real, { encoding: "latin1" })}`;
	if (!type.endsWith("device")) return "";
	// Linux's dev_t as stat shows it: 12 bits of major and 20 of minor, interleaved.
	const major = (rdev >> 8n) & 0xfffn;
	const minor = (rdev & 0xffn) | ((rdev >> 12n) & 0xfff00n);
	return `${major}, ${minor}`;
}

function readXattrs(root: string): Map<ByteString, string> {
	const text = execFileSync("getfattr", ["-R", "-P", "-h", "-d", "-m", "-", "-e", "hex", "."], {
		cwd: root,
		encoding: "latin1",
		maxBuffer: 2 ** 26,
	});
	const result = new Map<ByteString, string>();
	for (const block of text.split("\n\n").filter((part) => part.startsWith("# file: "))) {
		const [first = "", ...lines] = block.split("\n");
		const path = first
			.slice("# file: ".length)
			.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
		const attributes = lines.filter((line) => line !== "").map((line) => line.replace("=0x", "="));
		result.set(path === "." ? "" : path, attributes.sort().join(" "));
	}
	return result;
}

/** Our rows, with contents instead of where they are stored, and without the times that umoci leaves to the clock. */
function ours(layers: Layers, theirs: ReadonlyMap<ByteString, Row>): Map<ByteString, Row> {
	const rows = rowsOf(mergeLayers(layers).tree.root);
	for (const [path, row] of rows) {
		row.detail = row.detail.replace(/^(body \S+), .*$/, "$1");
		if (theirs.get(path)?.mtime === NOW) row.mtime = NOW;
	}
	return rows;
}

describe.skipIf(reason !== undefined)("merge against umoci raw unpack", () => {
	for (const { name, layers, tree, unlikeUmoci } of scenarios) {
		if (unlikeUmoci !== undefined) continue;
		it(name, () => {
			const telling = withTellingContents(layers);
			const theirs = unpack(telling);
			if (tree === undefined) expect(theirs).toBeUndefined();
			else {
				expect(theirs).toBeDefined();
				if (theirs !== undefined) expect(ours(telling, theirs)).toEqual(theirs);
			}
		});
	}

	it("gives the same tree for random layers that can be applied", () => {
		let names = 0;
		let unclocked = 0;
		fc.assert(
			fc.property(arbitraryLayers, (layers) => {
				const telling = withTellingContents(applicableLayers(layers));
				const theirs = unpack(telling);
				if (theirs === undefined) throw new Error("umoci refuses what we accept");
				expect(ours(telling, theirs)).toEqual(theirs);
				names += theirs.size;
				unclocked += [...theirs.values()].filter(({ mtime }) => mtime !== NOW).length;
			}),
			{ seed: 31_415, numRuns: RANDOM_CASES },
		);
		expect(unclocked / names).toBeGreaterThan(0.5);
	});

	it("refuses the same random layers", () => {
		let refused = 0;
		fc.assert(
			fc.property(arbitraryLayers, (layers) => {
				const telling = withTellingContents(layers);
				const theirs = unpack(telling);
				if (theirs !== undefined) {
					expect(ours(telling, theirs)).toEqual(theirs);
					return;
				}
				refused++;
				expect(() => mergeLayers(telling)).toThrow(Oci2isoError);
			}),
			{ seed: 27_182, numRuns: RANDOM_CASES / 2 },
		);
		expect(refused).toBeGreaterThan(20);
	});
});
