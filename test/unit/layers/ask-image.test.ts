import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type Answered, askImage } from "../../../src/layers/ask-image.ts";
import { openImage } from "../../../src/oci/open-image.ts";
import type { ImageTree } from "../../../src/tree/image-tree.ts";
import { noise } from "../../support/noise.ts";
import { type LayoutLayer, writeOciLayout } from "../../support/oci-layout.ts";
import { type TarMember, tarArchive } from "../../support/tar-fixtures.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";
import { estargzLayer, type TocRecord, zstdChunkedLayer } from "../../support/toc-layers.ts";

const scratch = temporaryDirectory("ask-image");
let images = 0;

const plain = (members: readonly TarMember[]): LayoutLayer => ({ tar: tarArchive(members), compression: "gzip" });
const directory = (path: string): TarMember => ({ path, type: "directory", mode: 0o755 });
const file = (path: string, content: string | Buffer): TarMember => ({ path, content: Buffer.from(content) });

const BASE = [
	directory("usr/"),
	directory("etc/"),
	file("usr/large", noise(500_000, "base")),
	file("etc/os-release", "old"),
];
const TOP = [directory("etc/"), file("etc/os-release", "new")];

/** What `/etc/os-release` says, and whether there is something at `path`. */
const question =
	(path: string) =>
	async (tree: ImageTree): Promise<string> => {
		const found = tree.lookup("/etc/os-release")?.inode;
		const text = found?.type === "file" ? Buffer.from(await tree.read(found, 1000)).toString() : "none";
		return `${text}, ${path} ${tree.lookup(path)?.inode.type}`;
	};

async function ask<Answer>(
	layers: readonly LayoutLayer[],
	asked: (tree: ImageTree) => Promise<Answer>,
): Promise<Answered<Answer> & { sizes: readonly number[]; imageNotes: readonly string[] }> {
	const { reference } = writeOciLayout(join(scratch, `${images++}`), { layers });
	const image = await openImage(reference, { platform: "linux/amd64", announceLayers: false });
	try {
		const answered = await askImage(image.layers, asked, { isExpected: (path) => path === "etc/os-release" });
		const sizes = image.layers.map(({ compressedBytes }) => compressedBytes);
		return { ...answered, sizes, imageNotes: [...image.notes] };
	} finally {
		await image.close();
	}
}

describe("asking an image", () => {
	it("reads only the top layer when that answers everything", async () => {
		const { answer, cost, sizes } = await ask([plain(BASE), plain([...TOP, { path: ".wh.opt" }])], question("/opt"));
		expect(answer).toBe("new, /opt undefined");
		expect(cost).toMatchObject({ layersRead: 1, layers: 2, blobBytes: sizes[1], layersReadAgain: 0 });
		expect(cost.totalBytes).toBe((sizes[0] ?? 0) + (sizes[1] ?? 0));
		expect(cost.lastQuestion).toBeUndefined();
	});

	it("stops at the layer that answers, not at the bottom", async () => {
		const middle = plain([directory("opt/")]);
		const { answer, cost } = await ask([plain(BASE), middle, plain(TOP)], question("/opt"));
		expect(answer).toBe("new, /opt directory");
		expect(cost).toMatchObject({ layersRead: 2, lastQuestion: "/opt" });
	});

	it("names a file that is too large, by asking on where the top layer does not say its path", async () => {
		const tooLarge = async (tree: ImageTree) => {
			const found = tree.lookup("/etc/os-release")?.inode;
			return found?.type === "file" ? tree.read(found, 2) : undefined;
		};
		await expect(ask([plain(BASE), plain(TOP)], tooLarge)).rejects.toMatchObject({
			code: "FILE_TOO_LARGE",
			where: "/etc/os-release",
		});
	});

	it.each([
		["eStargz", estargzLayer],
		["zstd:chunked", zstdChunkedLayer],
	])("reads tables of contents and the contents that are asked for, and answers the same: %s", async (_, make) => {
		const whole = await ask([plain(BASE), plain(TOP)], question("/opt"));
		const { answer, cost } = await ask([make(BASE), make(TOP)], question("/opt"));
		expect(answer).toBe(whole.answer);
		expect(cost).toMatchObject({ layersRead: 2, layersByToc: 2, tarBytes: 0 });
		expect(cost.blobBytes).toBeLessThan(cost.totalBytes / 50);
	});

	it("keeps an object of an ostree repository until its paths have said what it is", async () => {
		const object = (name: string): string => `sysroot/ostree/repo/objects/${name}.file`;
		const link = (path: string, name: string): TarMember => ({ type: "hard-link", path, linkTarget: object(name) });
		const layer = [
			file(object("00/a"), "of no use"),
			link("usr/a", "00/a"),
			file(`./${object("11/b")}`, "from the commit"),
			link("usr/lib/os-release", "11/b"),
			link("etc/os-release", "11/b"),
			file(object("22/c"), noise(100_000, "no path")),
			link("etc/other", "00/a"),
			file(object("33/d"), "at the end"),
		];
		const { answer, cost } = await ask([plain(layer)], question("/usr/a"));
		expect(answer).toBe("from the commit, /usr/a file");
		expect(cost).toMatchObject({ layersReadAgain: 0, keptBytes: "from the commit".length });
	});

	it("reads a layer whole, with a note, when its table of contents is not to be trusted", async () => {
		const broken = estargzLayer(BASE, { change: (entries: TocRecord[]) => ({ version: 7, entries }) });
		const { answer, cost, imageNotes } = await ask([broken, estargzLayer(TOP)], question("/opt"));
		expect(answer).toBe("new, /opt undefined");
		expect(cost).toMatchObject({ layersByToc: 1, layersRead: 2 });
		expect(cost.tarBytes).toBeGreaterThan(500_000);
		expect(imageNotes).toEqual([expect.stringContaining("its table of contents is not used: it has version 7, not 1")]);
	});
});
