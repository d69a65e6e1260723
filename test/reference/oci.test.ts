import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { digestOf } from "../../src/oci/digest.ts";
import { type OciImage, openImage } from "../../src/oci/open-image.ts";
import { tarOf } from "../support/oci-archive.ts";
import {
	named,
	type WrittenLayout,
	writeImage,
	writeIndex,
	writeIndexFile,
	writeOciLayout,
} from "../support/oci-layout.ts";
import { requires } from "../support/requires.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const scratch = temporaryDirectory("oci");
const run = (command: string, ...args: string[]): Buffer =>
	execFileSync(command, args, { maxBuffer: 2 ** 28, stdio: ["ignore", "pipe", "pipe"] });
const skopeo = (...args: string[]): Buffer => run("skopeo", "--insecure-policy", ...args);
const platform = "linux/amd64";

/** Compressible in part and longer than the chunks that files are read in. */
const content = (seed: string): Buffer =>
	Buffer.concat(
		Array.from({ length: 12_000 }, (_, i) =>
			Buffer.concat([createHash("sha256").update(`${seed}${i}`).digest(), Buffer.alloc(160, i)]),
		),
	);

let tars: Buffer[] = [];
beforeAll(async () => {
	tars = await Promise.all(["base", "middle", "top"].map((name) => tarOf([{ name, bytes: content(name) }])));
});

async function archivesOf(image: OciImage): Promise<Buffer[]> {
	const archives: Buffer[] = [];
	for (const layer of image.layers) {
		const pieces: Buffer[] = [];
		for await (const chunk of layer.tar()) pieces.push(Buffer.from(chunk));
		archives.push(Buffer.concat(pieces));
	}
	return archives;
}

/** The manifest as skopeo sees it, byte for byte. */
const rawDigest = (reference: string): string => digestOf(skopeo("inspect", "--raw", reference));

describe.skipIf(requires("skopeo"))("what skopeo copies", () => {
	const mixed = () => layoutOf("mixed", ["none", "gzip", "zstd"]);
	// skopeo 1.9 does not convert zstd layers to schema 2
	const gzipped = () => layoutOf("gzip", ["gzip", "gzip", "gzip"]);
	const layoutOf = (name: string, compressions: ("none" | "gzip" | "zstd")[]): WrittenLayout =>
		writeOciLayout(join(scratch, name), {
			layers: tars.map((tar, i) => ({ tar, compression: compressions[i] ?? "none" })),
		});

	it.each([
		["oci layout", mixed, "oci:", ":v1", []],
		["oci archive", mixed, "oci-archive:", ":v1", []],
		["docker archive", gzipped, "docker-archive:", ":localhost/image:v1", []],
		["directory", mixed, "dir:", "", []],
		["directory of schema 2", gzipped, "dir:", "", ["--format", "v2s2"]],
		["directory, decompressed", mixed, "dir:", "", ["--dest-decompress"]],
		["directory, compressed with gzip", mixed, "dir:", "", ["--dest-compress", "--dest-compress-format", "gzip"]],
		["directory, compressed with zstd", mixed, "dir:", "", ["--dest-compress", "--dest-compress-format", "zstd"]],
	])("as %s is read back, with the manifest that skopeo sees", async (name, source, transport, selection, options) => {
		const path = join(scratch, name.replaceAll(/\W/g, "-"));
		skopeo("copy", "-q", ...options, source().reference, `${transport}${path}${selection}`);
		for (const reference of [`${transport}${path}`, `${transport}${path}${selection}`]) {
			const image = await openImage(reference, { platform });
			expect(image.manifestDigest).toBe(rawDigest(reference));
			expect((await archivesOf(image)).map((bytes) => digestOf(bytes))).toEqual(tars.map((bytes) => digestOf(bytes)));
			expect(image.config.diffIds).toEqual(tars.map((bytes) => digestOf(bytes)));
		}
	});

	// whether as root or not, skopeo writes a user's store where it may change owners
	it.skipIf(requires("root")).each(["vfs", "overlay"])(
		"into a store of driver %s is read back, with its manifest and archives",
		async (driver) => {
			const [root, run] = [join(scratch, `store-${driver}`), join(scratch, `run-${driver}`)];
			const names = await tarOf([
				{ name: "usr/lib/a", bytes: content("a") },
				{ name: "lib", type: "symlink", linkname: "usr/lib" },
				{ name: "usr/lib/b", type: "link", linkname: "usr/lib/a" },
				{ name: "empty", bytes: Buffer.alloc(0) },
				{ name: `${"long/".repeat(40)}ünïcode <&>`, bytes: Buffer.from("x") },
			]);
			const above = await tarOf([
				{ name: ".wh.empty", bytes: Buffer.alloc(0) },
				{ name: "usr/lib/.wh..wh..opq", bytes: Buffer.alloc(0) },
				{ name: "usr/lib/new", bytes: Buffer.from("new") },
			]);
			const { reference, manifestDigest } = writeOciLayout(join(scratch, `${driver}-source`), {
				layers: [names, above, names].map((tar, i) => ({ tar, compression: i === 1 ? "gzip" : "none" })),
			});
			try {
				skopeo("copy", "-q", reference, `containers-storage:[${driver}@${root}+${run}]localhost/image:v1`);
				for (const name of [`[${driver}@${root}]localhost/image:v1`, `[${root}]image:v1`]) {
					const image = await openImage(`containers-storage:${name}`, { platform });
					expect(image.manifestDigest).toBe(manifestDigest);
					expect((await archivesOf(image)).map((bytes) => digestOf(bytes))).toEqual(image.config.diffIds);
				}
			} finally {
				// skopeo leaves the driver's directory mounted on itself
				for (const mount of ["overlay", "vfs"]) spawnSync("umount", [join(root, mount)]);
			}
		},
	);

	it.each(["oci:", "dir:"])("with all platforms to %s is chosen from as skopeo chooses", async (transport) => {
		const directory = join(scratch, `list-${transport.slice(0, -1)}-source`);
		const platforms = ["linux/arm64/v8", "linux/amd64", "linux/arm/v7", "linux/s390x"];
		const images = platforms.map((name) =>
			writeImage(directory, { layers: tars.map((tar) => ({ tar, compression: "gzip" })), platform: name }),
		);
		writeIndexFile(directory, [
			named(
				writeIndex(
					directory,
					images.map(({ manifest }) => manifest),
				),
				"all",
			),
		]);
		const copy = `${transport}${join(scratch, `list-${transport.slice(0, -1)}`)}`;
		skopeo("copy", "-q", "--all", `oci:${directory}:all`, transport === "oci:" ? `${copy}:all` : copy);
		for (const [i, name] of platforms.entries()) {
			const [os = "", architecture = "", variant] = name.split("/");
			const image = await openImage(copy, { platform: name });
			expect(image.manifestDigest).toBe(images[i]?.manifest.digest);
			const override = [
				"--override-os",
				os,
				"--override-arch",
				architecture,
				...(variant === undefined ? [] : ["--override-variant", variant]),
			];
			const config = run("skopeo", ...override, "inspect", "--config", "--raw", copy);
			expect(digestOf(config)).toBe(images[i]?.config.digest);
		}
	});
});

describe.skipIf(requires("umoci"))("what umoci makes", () => {
	it("is read as umoci describes it", async () => {
		const layout = join(scratch, "umoci");
		run("umoci", "init", "--layout", layout);
		run("umoci", "new", "--image", `${layout}:v1`);
		const files = join(scratch, "files");
		mkdirSync(files);
		for (const name of ["one", "two"]) {
			writeFileSync(join(files, name), content(name));
			run("umoci", "insert", "--rootless", "--image", `${layout}:v1`, join(files, name), `/${name}`);
		}
		run("umoci", "tag", "--image", `${layout}:v1`, "v2");
		run("umoci", "config", "--image", `${layout}:v2`, "--config.label", "a=b");
		const image = await openImage(`oci:${layout}:v1`);
		const described: {
			history: { layer: { digest: string; size: number; mediaType: string } | null; diff_id: string }[];
		} = JSON.parse(run("umoci", "stat", "--json", "--image", `${layout}:v1`).toString());
		const layers = described.history.flatMap(({ layer, diff_id }) =>
			layer === null ? [] : [{ digest: layer.digest, size: layer.size, diffId: diff_id }],
		);
		expect(
			image.layers.map(({ digest, compressedBytes, diffId }) => ({ digest, size: compressedBytes, diffId })),
		).toEqual(layers);
		const archives = await archivesOf(image);
		expect(archives.map((bytes) => digestOf(bytes))).toEqual(layers.map(({ diffId }) => diffId));
		expect(archives[1]?.includes(content("two"))).toBe(true);

		const labelled = await openImage(`oci:${layout}:v2`);
		expect(labelled.config.labels).toEqual(new Map([["a", "b"]]));
		await expect(openImage(`oci:${layout}`)).rejects.toMatchObject({ code: "IMAGE_AMBIGUOUS" });
	});
});

describe("what compressors write", () => {
	const compressed = (command: string, args: string[], input: Buffer): Buffer =>
		execFileSync(command, args, { input, maxBuffer: 2 ** 28, stdio: ["pipe", "pipe", "ignore"] });
	const inLayer = async (name: string, blob: Buffer): Promise<Buffer | undefined> => {
		const tar = tars[0] ?? Buffer.alloc(0);
		const { reference } = writeOciLayout(join(scratch, name), { layers: [{ tar, compression: "gzip", blob }] });
		return (await archivesOf(await openImage(reference, { platform })))[0];
	};
	const halves = (): [Buffer, Buffer] => {
		const tar = tars[0] ?? Buffer.alloc(0);
		return [tar.subarray(0, 1_000_000), tar.subarray(1_000_000)];
	};

	it.skipIf(requires("gzip"))("gzip, in one member or two", async () => {
		const [first, second] = halves();
		const whole = compressed("gzip", ["-9"], Buffer.concat([first, second]));
		const members = Buffer.concat([compressed("gzip", ["-1"], first), compressed("gzip", ["-6"], second)]);
		for (const [i, blob] of [whole, members].entries())
			expect((await inLayer(`gzip-${i}`, blob))?.equals(tars[0] ?? Buffer.alloc(0))).toBe(true);
	});

	it.skipIf(requires("zstd"))(
		"zstd, in one frame or two, with checksums, long windows and skippable frames",
		async () => {
			const [first, second] = halves();
			const all = Buffer.concat([first, second]);
			const blobs = [
				compressed("zstd", ["-3"], all),
				compressed("zstd", ["-19", "--check"], all),
				compressed("zstd", ["-3", "--long=27"], all),
				Buffer.concat([
					compressed("zstd", ["-1", "--no-check"], first),
					Buffer.from("5f2a4d1803000000616263", "hex"),
					compressed("zstd", ["-5"], second),
				]),
			];
			for (const [i, blob] of blobs.entries()) expect((await inLayer(`zstd-${i}`, blob))?.equals(all)).toBe(true);
		},
	);

	it.skipIf(requires("pzstd"))("pzstd, with its skippable frames", async () => {
		const all = Buffer.concat(halves());
		const blob = compressed("pzstd", ["-p", "2", "-c"], all);
		expect(blob.subarray(1, 4).toString("hex")).toBe("2a4d18");
		expect((await inLayer("pzstd", blob))?.equals(all)).toBe(true);
	});

	it.skipIf(requires("xz", "bzip2"))("xz and bzip2, which are refused", async () => {
		for (const command of ["xz", "bzip2"])
			await expect(inLayer(command, compressed(command, [], halves()[0]))).rejects.toMatchObject({
				code: "LAYER_COMPRESSION_UNSUPPORTED",
			});
	});
});
