import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ImageInspection, inspectImage, Oci2isoError } from "../../src/index.ts";
import { openImage } from "../../src/oci/open-image.ts";
import { contractLayers, HOST_GRUB } from "../support/contract-image.ts";
import { type FaultyProxy, startFaultyProxy } from "../support/faulty-proxy.ts";
import { debianFixture, FIXTURE_NEEDS } from "../support/fixture.ts";
import { noise } from "../support/noise.ts";
import { type LayoutLayer, writeOciLayout } from "../support/oci-layout.ts";
import { type RegistryFixture, startRegistry } from "../support/registry.ts";
import { readArchives, skopeoCopy } from "../support/registry-images.ts";
import { requires } from "../support/requires.ts";
import { roundsOf } from "../support/slow.ts";
import { readTar } from "../support/tar-fixtures.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { estargzLayer, zstdChunkedLayer } from "../support/toc-layers.ts";
import { faultCampaign, IMPATIENT, withOpen } from "./fixtures.ts";

const scratch = temporaryDirectory("registry-inspect");
const SCHEDULES = roundsOf(120);
const KINDS = [
	["eStargz", estargzLayer],
	["zstd:chunked", zstdChunkedLayer],
] as const;

/** Everything that does not depend on how the image is stored. */
function contentOf({ image: _, read: __, notes: ___, ...rest }: ImageInspection) {
	return rest;
}

describe.skipIf(requires("docker-registry", "skopeo"))("oci2iso inspect from a registry", () => {
	let registry: RegistryFixture;
	let proxy: FaultyProxy;

	beforeAll(async () => {
		registry = await startRegistry({ storage: join(scratch, "storage") });
		proxy = await startFaultyProxy({ upstream: registry.host });
	});
	afterAll(async () => {
		await proxy.stop();
		await registry.stop();
	});

	/** And the bytes of all answers. */
	const inspect = async (name: string): Promise<{ inspection: ImageInspection; bytes: number }> => {
		proxy.use(() => ({ kind: "none" }));
		const options = { platform: "linux/amd64", tlsVerify: false };
		const inspection = await inspectImage(`docker://${proxy.host}/${name}`, options);
		return { inspection, bytes: proxy.requests.reduce((sum, { sentBytes }) => sum + sentBytes, 0) };
	};

	describe.skipIf(requires(...FIXTURE_NEEDS))("of the Debian image", () => {
		let layout: string;
		let whole: ImageInspection;
		beforeAll(async () => {
			layout = await debianFixture();
			await skopeoCopy(`oci:${layout}:latest`, `docker://${registry.host}/live/plain:1`, "--preserve-digests");
			whole = await inspectImage(`oci:${layout}:latest`, { platform: "linux/amd64" });
		});

		it("says what it says of the layout, and fetches no layer twice", async () => {
			const { inspection, bytes } = await inspect("live/plain:1");
			expect(contentOf(inspection)).toEqual(contentOf(whole));
			expect(inspection.read).toEqual(whole.read);
			expect(bytes).toBeGreaterThanOrEqual(inspection.read.blobBytes);
			expect(bytes).toBeLessThan(inspection.read.blobBytes + 100_000);
		});

		it("fetches a third of it as zstd:chunked, which skopeo makes, and says the same", async () => {
			const chunked = ["--dest-compress-format", "zstd:chunked", "--dest-compress-level", "1"];
			await skopeoCopy(`oci:${layout}:latest`, `oci:${join(scratch, "chunked")}:1`, ...chunked);
			const local = await inspectImage(`oci:${join(scratch, "chunked")}:1`, { platform: "linux/amd64" });
			await skopeoCopy(
				`oci:${join(scratch, "chunked")}:1`,
				`docker://${registry.host}/live/chunked:1`,
				"--preserve-digests",
			);
			const { inspection, bytes } = await inspect("live/chunked:1");
			expect(contentOf(inspection)).toEqual(contentOf(whole));
			expect(contentOf(local)).toEqual(contentOf(whole));
			expect(inspection.read).toEqual(local.read);
			expect(inspection.read.layersByToc).toBeGreaterThanOrEqual(3);
			expect(inspection.read.blobBytes).toBeLessThan(inspection.read.totalBytes * 0.35);
			expect(bytes).toBeLessThan(inspection.read.blobBytes + 100_000);
			// One layer has a name that is not UTF-8, which no JSON document can hold.
			expect(inspection.notes).toEqual(
				[...whole.notes, expect.stringMatching(/^layer \d.*its table of contents is not used: the name/)].reverse(),
			);
		});

		it("fetches a third of it as eStargz, and says the same", async () => {
			const archives = await withOpen(openImage(`oci:${layout}:latest`, { platform: "linux/amd64" }), readArchives);
			const layers = archives.map((tar): LayoutLayer => estargzLayer(readTar(tar), { chunkBytes: 4 * 1024 * 1024 }));
			const { reference } = writeOciLayout(join(scratch, "estargz"), { layers });
			await skopeoCopy(reference, `docker://${registry.host}/live/estargz:1`, "--preserve-digests");
			const { inspection, bytes } = await inspect("live/estargz:1");
			expect(contentOf(inspection)).toEqual(contentOf(whole));
			expect(inspection.read.layersByToc).toBeGreaterThanOrEqual(3);
			expect(inspection.read.blobBytes).toBeLessThan(inspection.read.totalBytes * 0.35);
			expect(bytes).toBeLessThan(inspection.read.blobBytes + 100_000);
		});
	});

	describe.skipIf(!existsSync(HOST_GRUB))("behind a faulty network", () => {
		beforeAll(async () => {
			for (const [kind, make] of KINDS) {
				const base = make([{ path: "usr/large", content: noise(3_000_000, "large") }]);
				const layers = [base, ...contractLayers().map((tar) => make(readTar(tar)))];
				const { reference } = writeOciLayout(join(scratch, `small-${layers.length}-${kind.length}`), { layers });
				const name = kind.replace(/\W/, "").toLowerCase();
				await skopeoCopy(reference, `docker://${registry.host}/small/${name}:1`, "--preserve-digests");
			}
		});

		const through = (host: string, name: string) =>
			inspectImage(`docker://${host}/small/${name}:1`, {
				...{ platform: "linux/amd64", tlsVerify: false, transferPolicy: IMPATIENT },
			});

		it.each(["ignore-range", "wrong-range", "range-not-satisfiable"] as const)(
			"reads the layers whole, with a note, where the registry's answer to Range is %s",
			async (kind) => {
				const expected = await through(registry.host, "estargz");
				proxy.use(() => ({ kind }));
				const inspection = await through(proxy.host, "estargz");
				expect(contentOf(inspection)).toEqual(contentOf(expected));
				expect(inspection.read.layersByToc).toBe(0);
				expect(inspection.notes).toContainEqual(expect.stringContaining("does not give parts of blobs"));
			},
		);

		it.each(["estargz", "zstdchunked"])(`says the same or fails, in ${SCHEDULES} schedules: %s`, async (name) => {
			const expected = await through(registry.host, name);
			expect(expected.read.layersByToc).toBe(4);
			expect(expected.read.blobBytes).toBeLessThan(expected.read.totalBytes / 4);
			const round = async (): Promise<string> => {
				try {
					expect(contentOf(await through(proxy.host, name))).toEqual(contentOf(expected));
					return "same";
				} catch (error) {
					if (!(error instanceof Oci2isoError)) throw error;
					expect([4, 5], error.message).toContain(error.exitStatus);
					return `${error.exitStatus}`;
				}
			};
			const outcomes = await faultCampaign(proxy, SCHEDULES, round, { rates: [0.03, 0.1, 0.3], firstSeed: 7000 });
			expect(outcomes.get("same") ?? 0).toBeGreaterThan(SCHEDULES / 3);
			expect(outcomes.size).toBeGreaterThan(1);
		});
	});
});
