import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { digestOf } from "../../src/oci/digest.ts";
import { contractLayers, HOST_GRUB } from "../support/contract-image.ts";
import { hostileRun, refusedBuild, refusedInspect } from "../support/hostile-cli.ts";
import { gzipOfHeaders, gzipOfZeros, lyingHeader, zstdOfZeros } from "../support/hostile-layers.ts";
import { blobPath, type LayoutLayer, named, writeJson, writeOciLayout } from "../support/oci-layout.ts";
import { requires } from "../support/requires.ts";
import { gnuLongName, padded, paxHeader, paxRecord, tarArchive, tarHeader } from "../support/tar-fixtures.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { zstdSkippable, zstdStored } from "../support/zstd-stored.ts";

const noGrub = requires(HOST_GRUB) !== undefined;
const work = temporaryDirectory("hostile");

function imageOf(...layers: readonly (Buffer | LayoutLayer)[]): string {
	const directory = mkdtempSync(join(work, "image-"));
	const all = layers.map((layer) => (Buffer.isBuffer(layer) ? { tar: layer, compression: "gzip" as const } : layer));
	return writeOciLayout(directory, { layers: all }).reference;
}

/** A layer whose blob is given; its diffID is of other bytes, and nothing gets so far as to notice. */
function blob(bytes: Buffer, compression: "none" | "gzip" | "zstd"): LayoutLayer {
	return { tar: Buffer.alloc(1024), compression, blob: bytes };
}

const refused = (reference: string, ...args: string[]): Promise<string> => refusedBuild(work, reference, args);

describe("decompression bombs", () => {
	it("gzip: 1 GiB in 1 MB ends at the bound that was asked for", async () => {
		const image = imageOf(blob(gzipOfZeros(1024), "gzip"));
		expect(await refused(image, "--max-layer-bytes", "64M")).toBe("5 LAYER_TOO_LARGE");
		expect(await refusedInspect(image, ["--max-layer-bytes", "64M"])).toBe("5 LAYER_TOO_LARGE");
	});

	it("zstd: 200 KB that stand for 6 GiB end at 4 GiB, without being asked", { timeout: 200_000 }, async () => {
		const image = imageOf(blob(zstdOfZeros(6144), "zstd"));
		expect(await refusedBuild(work, image)).toBe("5 LAYER_TOO_LARGE");
	});

	it("zstd on the portable decoder", async () => {
		const image = imageOf(blob(zstdOfZeros(512), "zstd"));
		const env = { OCI2ISO_CODEC_BACKEND: "portable" };
		expect(await refusedBuild(work, image, ["--max-layer-bytes", "32M"], { env })).toBe("5 LAYER_TOO_LARGE");
	});

	it("a zstd window of 2 GiB is not made", async () => {
		const header = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xa8, 0x01, 0x00, 0x00]);
		expect(await refused(imageOf(blob(header, "zstd")))).toBe("5 LAYER_COMPRESSION_BROKEN");
	});

	it("four layers with windows of 128 MiB, one after another, hold one window", { timeout: 200_000 }, async () => {
		const layers = Array.from({ length: 4 }, (_, i): LayoutLayer => {
			const mebibytes = 129 + i;
			return { tar: Buffer.alloc(mebibytes << 20), compression: "zstd", blob: zstdOfZeros(mebibytes, 27) };
		});
		expect(await refusedBuild(work, imageOf(...layers), [], { residentMiB: 500 })).toBe("3 CONTRACT_NOT_MET");
	});

	it("a table of contents that would not fit into the heap is passed over", { timeout: 200_000 }, async () => {
		const objects = 120 << 20;
		const json = Buffer.concat([
			Buffer.from('{"version":1,"entries":['),
			Buffer.alloc(objects, "{},"),
			Buffer.from("{}]}"),
		]);
		const table = zstdCompressed(json);
		const tar = tarArchive([{ path: "a" }]);
		const whole = Buffer.concat([zstdStored(tar), zstdSkippable(table)]);
		const directory = mkdtempSync(join(work, "image-"));
		const { manifest } = writeOciLayout(directory, { layers: [{ tar, compression: "zstd", blob: whole }] });
		const document = JSON.parse(readFileSync(blobPath(directory, manifest.digest), "utf8"));
		const offset = whole.byteLength - table.byteLength;
		document.layers[0].annotations = {
			"io.github.containers.zstd-chunked.manifest-checksum": digestOf(table),
			"io.github.containers.zstd-chunked.manifest-position": `${offset}:${table.byteLength}:${json.byteLength}:1`,
		};
		const index = {
			schemaVersion: 2,
			manifests: [named(writeJson(directory, manifest.mediaType, document), "latest")],
		};
		writeFileSync(join(directory, "index.json"), JSON.stringify(index));
		expect(await refusedInspect(`oci:${directory}:latest`)).toBe("3 undefined");
	});

	it("a blob longer than its manifest says is not read on", async () => {
		const directory = mkdtempSync(join(work, "image-"));
		const tar = tarArchive([{ path: "a", content: Buffer.alloc(100_000, "a") }]);
		const { manifest } = writeOciLayout(directory, { layers: [{ tar, compression: "none" }] });
		const document = JSON.parse(readFileSync(blobPath(directory, manifest.digest), "utf8"));
		document.layers[0].size = 1000;
		const index = {
			schemaVersion: 2,
			manifests: [named(writeJson(directory, manifest.mediaType, document), "latest")],
		};
		writeFileSync(join(directory, "index.json"), JSON.stringify(index));
		expect(await refused(`oci:${directory}:latest`)).toBe("5 BLOB_SIZE_MISMATCH");
	});
});

describe("archives", () => {
	it.each<[string, Buffer, string]>([
		["a member larger than the archive", lyingHeader("a", 2 ** 40), "5 TAR_TRUNCATED"],
		["a member of 2^60 bytes", tarHeader({ name: "a" }, sizeOf(2n ** 60n)), "5 TAR_BAD_NUMBER"],
		["a member of negative size", tarHeader({ name: "a" }, sizeOf(-5n)), "5 TAR_BAD_NUMBER"],
		["a PAX header of 8 GiB", lyingHeader("x", 8 * 2 ** 30 - 1, "x"), "5 TAR_HEADER_TOO_LARGE"],
		["a long name of 4 GiB", lyingHeader("x", 2 ** 32, "L"), "5 TAR_HEADER_TOO_LARGE"],
		["global headers of 1 MiB", globalHeaders(), "5 TAR_HEADER_TOO_LARGE"],
		["a record longer than its header", paxMember(Buffer.from("999 path=x\n")), "5 TAR_BAD_PAX_RECORD"],
		["overlapping sparse stretches", sparseMember("0,100,50,100"), "5 TAR_BAD_SPARSE_MAP"],
		["sparse stretches in the wrong order", sparseMember("500,100,0,100"), "5 TAR_BAD_SPARSE_MAP"],
		["a sparse stretch beyond the file", sparseMember("900,200"), "5 TAR_BAD_SPARSE_MAP"],
		["a sparse stretch near 2^53", sparseMember("9007199254740990,200"), "5 TAR_BAD_SPARSE_MAP"],
		["a path of 100 000 bytes", longPath("d/".repeat(50_000)), "5 PATH_TOO_LONG"],
		["a name of 256 bytes", longPath("n".repeat(256)), "5 NAME_TOO_LONG"],
		["a name with a NUL byte", paxMember(paxRecord("path", "a\0b")), "5 TAR_NUL_IN_NAME"],
		["a whiteout of nothing", tarArchive([{ path: "d/.wh." }]), "5 WHITEOUT_NAME_INVALID"],
		["a whiteout of ..", tarArchive([{ path: "d/.wh..." }]), "5 WHITEOUT_NAME_INVALID"],
		["the root as a file", tarArchive([{ path: "." }]), "5 ROOT_NOT_DIRECTORY"],
		["a hard link to nothing", links(["a", "hard-link", "../../etc/shadow"]), "5 HARD_LINK_TARGET_MISSING"],
		["a hard link to the root", links(["a", "hard-link", "/"]), "5 HARD_LINK_TO_DIRECTORY"],
		["a file below a file", tarArchive([{ path: "a" }, { path: "a/b" }]), "5 PARENT_NOT_DIRECTORY"],
		["a file below a loop", links(["a", "symlink", "b"], ["b", "symlink", "a"], ["a/x", "file", ""]), "5 SYMLINK_LOOP"],
		["a link target of 65535 bytes", links(["l", "symlink", "t".repeat(65_535)]), "5 SYMLINK_TARGET_INVALID"],
		["an empty link", links(["l", "symlink", ""]), "5 SYMLINK_TARGET_INVALID"],
		["a file without a name", tarArchive([{ path: "", content: Buffer.from("x") }]), "5 ROOT_NOT_DIRECTORY"],
		["a sparse file of 8 PiB", sparseMember("", 2 ** 53 - 1), "3 TOO_MANY_BLOCKS"],
	])("%s", async (_, archive, expected) => {
		const image = imageOf(archive);
		expect(await refused(image)).toBe(expected);
	});

	it.skipIf(noGrub)("names that lead out of the image stay in it: dot-dot, absolute, links to both", async () => {
		const escapes = links(
			["../../../../outside-dotdot", "file", ""],
			["/outside-absolute", "file", ""],
			["up", "symlink", "../../../.."],
			["up/outside-link", "file", ""],
			["tmp-link", "symlink", "/tmp"],
			["tmp-link/outside-tmp", "file", ""],
			["etc/machine-id", "symlink", "/../../../../../../etc/hostname"],
		);
		const image = imageOf(...contractLayers(), escapes);
		const out = mkdtempSync(join(work, "out-"));
		const iso = join(out, "x.iso");
		const { status } = await hostileRun(["build", image, "-o", iso, "--comp", "none", "--force", "--tools", "builtin"]);
		expect(status).toBe(0);
		expect(readdirSync(out)).toEqual(["x.iso"]);
		for (const path of ["/outside-dotdot", "/outside-absolute", "/outside-link", "/tmp/outside-tmp"])
			expect(existsSync(path)).toBe(false);
		const { stdout } = await hostileRun(["verify", iso, "--image", image, "--no-secure-boot", "--json"]);
		const checks = (JSON.parse(stdout) as { checks: { name: string; status: string }[] }).checks;
		expect(checks.find(({ name }) => name === "fidelity")).toMatchObject({ status: "pass" });
	});

	it("symbolic links in a loop, or forty deep, lead the contract nowhere", async () => {
		const chain = Array.from({ length: 60 }, (_, i) => [`l${i}`, "symlink", `l${i + 1}`] as const);
		const image = imageOf(
			links(
				["usr/lib/modules", "symlink", "../lib/modules"],
				["etc/os-release", "symlink", "/usr/lib/os-release"],
				["usr/lib/os-release", "symlink", "/etc/os-release"],
				["boot", "symlink", "l0"],
				...chain,
			),
		);
		expect(await refused(image)).toBe("3 CONTRACT_NOT_MET");
		expect(await refusedInspect(image)).toBe("3 undefined");
	});
});

describe("very many", () => {
	it("400 000 whiteouts end at the bound on entries, in bounded time and memory", async () => {
		const headers = gzipOfHeaders(400_000, (i) => `d/.wh.${i}`);
		const image = imageOf(blob(headers, "gzip"));
		expect(await refused(image, "--max-inodes", "399990")).toBe("5 TOO_MANY_ENTRIES");
		expect(await refusedInspect(image, ["--max-inodes", "50000"])).toBe("5 TOO_MANY_ENTRIES");
		// Where the process has less memory than they need, that is said and nothing breaks.
		const small = { heapMiB: 48, residentMiB: 600 };
		expect(await refusedBuild(work, image, [], small)).toBe("5 TREE_TOO_LARGE");
	});

	it("extended attributes of twice the heap", { timeout: 200_000 }, async () => {
		const values = Array.from({ length: 200 }, (_, i) => {
			const record = paxRecord("SCHILY.xattr.user.a", `${i}${"v".repeat(900_000)}`);
			return Buffer.concat([paxHeader([record]), tarHeader({ name: `f${i}` })]);
		});
		const members = Buffer.concat(values.map((bytes) => gzipSync(bytes, { level: 1 })));
		const limits = { heapMiB: 80 };
		expect(await refusedBuild(work, imageOf(blob(members, "gzip")), [], limits)).toBe("5 TREE_TOO_LARGE");
	});

	it("directories that no entry names: deep paths make many out of few", async () => {
		const deep = Array.from({ length: 400 }, (_, i) => longPath(`${i}/${"d/".repeat(1900)}f`));
		const image = imageOf(Buffer.concat(deep));
		expect(await refused(image, "--max-inodes", "100000")).toBe("5 TOO_MANY_ENTRIES");
	});

	it("attributes that are not applied, each under another keyword", async () => {
		const members = Array.from({ length: 40 }, (_, member) => {
			const records = Array.from({ length: 8000 }, (_, i) => paxRecord(`SCHILY.acl.${member}.${i}`, "x"));
			return Buffer.concat([paxHeader(records), tarHeader({ name: `f${member}` })]);
		});
		const image = imageOf(Buffer.concat(members));
		expect(await refused(image)).toBe("3 CONTRACT_NOT_MET");
		expect(await refusedInspect(image)).toBe("3 undefined");
	});

	it("paths that make every lookup long", { timeout: 200_000 }, async () => {
		const chain = Array.from({ length: 250 }, (_, i) => [`l${i}`, "symlink", `${"./".repeat(1500)}l${i + 1}`] as const);
		const files = Array.from({ length: 4000 }, (_, i) => [`l0/d${i}/f`, "file", ""] as const);
		const image = imageOf(links(...chain, ...files));
		expect(await refusedBuild(work, image)).toBe("5 TREE_TOO_COSTLY");
	});
});

/** By the reference tool where it is installed, else stored, which is as hard to read. */
function zstdCompressed(bytes: Buffer): Buffer {
	const { status, stdout } = spawnSync("zstd", ["-c"], { input: bytes, maxBuffer: 1 << 30 });
	return status === 0 ? stdout : zstdStored(bytes);
}

function sizeOf(size: bigint): (block: Buffer) => void {
	return (block) => {
		let rest = BigInt.asUintN(96, size);
		for (let i = 135; i >= 124; i--, rest >>= 8n) block.writeUInt8(Number(rest & 0xffn), i);
		block.writeUInt8(block.readUInt8(124) | 0x80, 124);
	};
}

function paxMember(record: Buffer): Buffer {
	return Buffer.concat([paxHeader([record]), tarHeader({ name: "n" }), Buffer.alloc(1024)]);
}

function globalHeaders(): Buffer {
	const records = Array.from({ length: 40_000 }, (_, i) => paxRecord(`k${i}`, "v"));
	return Buffer.concat([paxHeader(records, "g"), tarHeader({ name: "n" }), Buffer.alloc(1024)]);
}

function sparseMember(map: string, realsize = 1000): Buffer {
	const stored = map
		.split(",")
		.filter((_, i) => i % 2 === 1)
		.reduce((sum, length) => sum + Number(length), 0);
	const header = paxHeader([paxRecord("GNU.sparse.map", map), paxRecord("GNU.sparse.size", String(realsize))]);
	return Buffer.concat([
		header,
		tarHeader({ name: "s", size: stored }),
		padded(Buffer.alloc(stored)),
		Buffer.alloc(1024),
	]);
}

function longPath(path: string): Buffer {
	return Buffer.concat([gnuLongName(path), tarHeader({ name: "x" })]);
}

function links(...members: readonly (readonly [string, "file" | "symlink" | "hard-link", string])[]): Buffer {
	return Buffer.concat(
		members
			.map(([path, type, linkTarget]) =>
				Buffer.concat([
					...(linkTarget.length > 100 ? [gnuLongName(linkTarget, "K")] : []),
					tarHeader({
						name: path,
						linkname: linkTarget.slice(0, 100),
						typeflag: type === "file" ? "0" : type === "symlink" ? "2" : "1",
					}),
				]),
			)
			.concat(Buffer.alloc(1024)),
	);
}
