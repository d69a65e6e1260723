import { mkdtemp, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ImageInspection, inspectImage } from "../../src/index.ts";
import { openImage } from "../../src/oci/open-image.ts";
import { FIXTURE_NEEDS } from "../support/fixture.ts";
import { noise } from "../support/noise.ts";
import { type LayoutLayer, writeOciLayout } from "../support/oci-layout.ts";
import { readArchives } from "../support/registry-images.ts";
import { requires } from "../support/requires.ts";
import { tarArchive, tarMember } from "../support/tar-fixtures.ts";
import { thinImage } from "../support/thin-image.ts";

describe.skipIf(requires(...FIXTURE_NEEDS))("inspect reads no more of the real image than it needs", () => {
	let scratch: string;
	let archives: Buffer[];
	let whole: ImageInspection;
	const base = tarArchive([
		{ path: "usr/", type: "directory", mode: 0o755 },
		{ path: "usr/large", content: noise(4_000_000, "base") },
	]);

	beforeAll(async () => {
		const layout = await thinImage();
		scratch = await mkdtemp(join(dirname(layout), "inspect-reading-"));
		const image = await openImage(`oci:${layout}:latest`, { platform: "linux/amd64" });
		archives = await readArchives(image);
		await image.close();
		whole = await inspectImage(`oci:${layout}:latest`, { platform: "linux/amd64" });
	});
	afterAll(() => rm(scratch, { recursive: true, force: true }));

	const stored = (tar: Buffer): LayoutLayer => ({ tar, compression: "none" });

	async function inspect(name: string, layers: readonly LayoutLayer[]): Promise<ImageInspection> {
		const { reference } = writeOciLayout(join(scratch, name), { layers });
		return inspectImage(reference, { platform: "linux/amd64" });
	}

	const contentOf = ({ image: _, read: __, ...rest }: ImageInspection) => rest;

	it("stops above a base that an opaque root hides", async () => {
		const [lowest = Buffer.alloc(0), ...others] = archives;
		// Archives may be joined in front: the marker comes first in what was the lowest layer.
		const marked = Buffer.concat([tarMember({ path: ".wh..wh..opq" }), lowest]);
		const inspection = await inspect("opaque", [stored(base), stored(marked), ...others.map(stored)]);
		expect(contentOf(inspection)).toEqual(contentOf(whole));
		const { layersRead, layers, blobBytes, totalBytes } = inspection.read;
		expect([layersRead, layers]).toEqual([archives.length, archives.length + 1]);
		expect(totalBytes - blobBytes).toBeGreaterThan(4_000_000);
	});

	it("reads the base where only that shows that something is nowhere", async () => {
		const inspection = await inspect("plain", [stored(base), ...archives.map(stored)]);
		expect(contentOf(inspection)).toEqual(contentOf(whole));
		const { layersRead, layers, blobBytes, totalBytes, lastQuestion } = inspection.read;
		expect([layersRead, blobBytes]).toEqual([layers, totalBytes]);
		expect(lastQuestion).toMatch(/^\//);
	});
});
