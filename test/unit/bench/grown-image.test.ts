import { createHash } from "node:crypto";
import { join } from "node:path";
import { pack } from "tar-stream";
import { describe, expect, it } from "vitest";
import { growImage } from "../../../bench/memory/grown-image.ts";
import { openImage } from "../../../src/oci/open-image.ts";
import { walk } from "../../../src/tree/walk.ts";
import { readImageTree } from "../../../src/verify/read-image.ts";
import { writeOciLayout } from "../../support/oci-layout.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

const directory = temporaryDirectory("grown");

async function archive(files: Readonly<Record<string, Buffer>>): Promise<Buffer> {
	const tar = pack();
	tar.entry({ name: "./usr/", type: "directory", mode: 0o755 });
	for (const [name, bytes] of Object.entries(files)) tar.entry({ name, mode: 0o640, uid: 7 }, bytes);
	tar.entry({ name: "usr/link", type: "symlink", linkname: "a" });
	tar.entry({ name: "usr/hard", type: "link", linkname: "./usr/a" });
	tar.finalize();
	const chunks: Buffer[] = [];
	for await (const chunk of tar) chunks.push(Buffer.from(chunk as Uint8Array));
	return Buffer.concat(chunks);
}

describe("growImage", () => {
	it("adds the layers again, below a directory, with other files of the same length", async () => {
		const contents = Array.from({ length: 3000 }, (_, i) => createHash("sha256").update(String(i)).digest());
		const a = Buffer.concat(contents);
		const lower = await archive({ "usr/a": a, "usr/gone": Buffer.from("x") });
		const upper = await archive({ "usr/a": a, "usr/.wh.gone": Buffer.alloc(0) });
		const layers = [lower, upper].map((tar) => ({ tar, compression: "gzip" as const }));
		const small = join(directory, "small");
		const grown = join(directory, "grown");
		writeOciLayout(small, { layers });
		await growImage(small, grown, 2);

		const image = await openImage(`oci:${grown}:latest`);
		expect(image.layers.length).toBe(6);
		const tree = await readImageTree(image, { isExcluded: () => false });
		await image.close();
		const digests = new Map<string, unknown>();
		for (const { path, inode } of walk(tree.root))
			digests.set(path, inode.type === "file" ? [inode.byteLength, inode.uid, inode.mode] : inode.type);
		const usr = ["usr", "usr/a", "usr/hard", "usr/link"];
		const copy = (number: number): string[] => [
			`copy-${number}`,
			...["usr", "usr/a", "usr/gone", "usr/hard", "usr/link"].map((path) => `copy-${number}/${path}`),
		];
		expect([...digests.keys()]).toEqual(["", ...copy(1), ...copy(2), ...usr]);
		for (const prefix of ["", "copy-1/", "copy-2/"]) {
			expect(digests.get(`${prefix}usr/a`)).toEqual([a.byteLength, 7, 0o640]);
			expect(digests.get(`${prefix}usr/hard`)).toEqual([a.byteLength, 7, 0o640]);
		}
		const files = [...walk(tree.root)].flatMap(({ path, inode }) =>
			inode.type === "file" && path.endsWith("usr/a") ? [tree.digestOf(inode)] : [],
		);
		expect(new Set(files).size).toBe(3);
	});
});
