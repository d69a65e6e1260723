import { mkdirSync, readdirSync, readFileSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { digestHex } from "../../../src/oci/digest.ts";
import { openImage } from "../../../src/oci/open-image.ts";
import { blobPath, OCI_MEDIA_TYPES, writeBlob, writeIndexFile, writeOciLayout } from "../../support/oci-layout.ts";
import { amd64, codeOf, contentsOf, failure, imagePlaces } from "./image-places.ts";

const { scratch, fresh, contents, layers, asArchive, asDirectory } = imagePlaces();

describe("damage", () => {
	const damages: [string, (path: string) => void, RegExp][] = [
		["missing", (path) => rmSync(path), /^corrupt BLOB_MISSING$/],
		["cut short", (path) => writeFileSync(path, readFileSync(path).subarray(0, -1)), /^corrupt BLOB_SIZE_MISMATCH$/],
		[
			"too long",
			(path) => writeFileSync(path, Buffer.concat([readFileSync(path), Buffer.of(10)])),
			/^corrupt BLOB_SIZE_MISMATCH$/,
		],
		[
			"altered",
			(path) =>
				writeFileSync(
					path,
					readFileSync(path).map((byte, at) => (at === 40 ? byte ^ 1 : byte)),
				),
			/^corrupt BLOB_DIGEST_MISMATCH$/,
		],
		[
			"a directory",
			(path) => {
				rmSync(path);
				mkdirSync(path);
			},
			/^corrupt BLOB_MISSING$/,
		],
	];
	for (const [name, damage, expected] of damages) {
		it.each(["manifest", "config", "layer 0", "layer 1"])(`that leaves the %s ${name} is found`, async (part) => {
			const directory = fresh();
			const written = writeOciLayout(directory, { layers: layers("none", "gzip") });
			const parts = {
				manifest: written.manifest,
				config: written.config,
				"layer 0": written.layers[0],
				"layer 1": written.layers[1],
			};
			const digest = parts[part as keyof typeof parts]?.digest ?? written.manifestDigest;
			const copy = part === "manifest" ? undefined : asDirectory(directory, written);
			damage(blobPath(directory, digest));
			expect(await codeOf(written.reference)).toMatch(expected);
			if (copy === undefined) return;
			damage(join(copy, digestHex(digest)));
			expect(await codeOf(`dir:${copy}`)).toMatch(expected);
		});
	}
});

describe("files", () => {
	const openBelow = (directory: string): string[] =>
		readdirSync("/proc/self/fd").flatMap((fd) => {
			try {
				const target = readlinkSync(`/proc/self/fd/${fd}`);
				return target.startsWith(directory) ? [target] : [];
			} catch {
				return [];
			}
		});

	it.skipIf(process.platform !== "linux")("are closed after reading, leaving early, failing and aborting", async () => {
		const directory = fresh();
		const large = Buffer.alloc(5_000_000, "tar");
		const written = writeOciLayout(directory, {
			layers: [
				{ tar: large, compression: "none" },
				{ tar: large, compression: "gzip" },
			],
		});
		const archive = await asArchive(directory);
		for (const reference of [written.reference, `oci-archive:${archive}`]) {
			const image = await openImage(reference, amd64);
			for (const layer of image.layers) {
				for await (const _ of layer.tar()) expect(openBelow(scratch).length).toBeLessThanOrEqual(1);
				for await (const _ of layer.tar()) break;
				const controller = new AbortController();
				const aborted = (async () => {
					for await (const _ of layer.tar(controller.signal)) controller.abort();
				})();
				await expect(aborted).rejects.toMatchObject({ code: "INTERRUPTED" });
				const thrown = (async () => {
					for await (const _ of layer.tar()) throw new Error("consumer");
				})();
				await expect(thrown).rejects.toThrow("consumer");
			}
			await image.close();
			expect(openBelow(scratch)).toEqual([]);
		}
		await expect(openImage(written.reference, { signal: AbortSignal.abort() })).rejects.toMatchObject({
			code: "INTERRUPTED",
			exitStatus: 130,
		});
		await expect(openImage(`oci-archive:${archive}`, { signal: AbortSignal.abort() })).rejects.toMatchObject({
			code: "INTERRUPTED",
		});
		expect(openBelow(scratch)).toEqual([]);
	});

	it("may be symbolic links, as in a store that shares blobs", async () => {
		const directory = fresh();
		const written = writeOciLayout(directory, { layers: layers("none") });
		const elsewhere = fresh();
		const path = blobPath(directory, written.layers[0]?.digest ?? written.manifestDigest);
		writeFileSync(elsewhere, readFileSync(path));
		rmSync(path);
		symlinkSync(elsewhere, path);
		expect(await contentsOf(await openImage(written.reference, amd64))).toEqual(contents.slice(0, 1));
	});

	it.each([
		["text", "S3CRETWORD of the host\n"],
		["a text in JSON", '"S3CRETWORD"'],
		["an object", '{"S3CRETWORD":"S3CRETWORD","imageLayoutVersion":7,"manifests":7,"schemaVersion":"S3CRETWORD"}'],
		["a list", '[{"S3CRETWORD":1}]'],
		[
			"keys and values of maps",
			'{"manifests":[{"annotations":{"S3CRETWORD":7},"mediaType":7,"platform":"S3CRETWORD"}]}',
		],
		["JSON that breaks off", '{"S3CRETWORD": S3CRETWORD'],
		["what is no UTF-8", Buffer.concat([Buffer.from("S3CRETWORD"), Buffer.from([0xff])])],
	])("of the host that links lead to are not shown: %s", async (_, content) => {
		const host = fresh();
		writeFileSync(host, content);
		const link = (path: string): void => {
			rmSync(path, { force: true });
			symlinkSync(host, path);
		};
		for (const name of ["index.json", "oci-layout", "manifest", "config", "layer"]) {
			const directory = fresh();
			const written = writeOciLayout(directory, { layers: layers("gzip") });
			const digests = {
				manifest: written.manifestDigest,
				config: written.config.digest,
				layer: written.layers[0]?.digest ?? written.manifestDigest,
			};
			link(name in digests ? blobPath(directory, digests[name as "layer"]) : join(directory, name));
			expect((await failure(written.reference)).message, name).not.toContain("S3CRET");
		}
		const layout = fresh();
		const copy = asDirectory(layout, writeOciLayout(layout, { layers: layers("none") }));
		for (const name of ["manifest.json", "version"]) {
			link(join(copy, name));
			expect((await failure(`dir:${copy}`)).message, name).not.toContain("S3CRET");
		}
	});

	it("of documents beyond 4 MiB are refused", async () => {
		const directory = fresh();
		const large = writeBlob(directory, Buffer.alloc(4 * 1024 * 1024 + 1, " "), OCI_MEDIA_TYPES.manifest);
		writeIndexFile(directory, [large]);
		expect(await codeOf(`oci:${directory}`)).toBe("corrupt BLOB_TOO_LARGE");
		writeFileSync(join(directory, "index.json"), Buffer.alloc(4 * 1024 * 1024 + 1, " "));
		expect(await codeOf(`oci:${directory}`)).toBe("corrupt DOCUMENT_TOO_LARGE");
	});
});
