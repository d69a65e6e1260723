import { rmSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { buildIso, planBuild, verifyAgainstImage } from "../../src/index.ts";
import { writeContractLayout } from "../support/contract-layout.ts";
import { blobPath, type WrittenLayout, writeOciLayout } from "../support/oci-layout.ts";
import { requires } from "../support/requires.ts";
import { run } from "../support/run.ts";
import { tarArchive } from "../support/tar-fixtures.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const work = temporaryDirectory("payload");
const options = { comp: "none", force: true, payloadFormat: "oci", sourceDateEpoch: 1_700_000_000 } as const;
const shared = tarArchive([{ path: "etc/shared", content: Buffer.alloc(300_000, "shared") }]);
const iso = join(work, "payload.iso");
let image = "";

/** An image with a layer that all of them have, and one of its own. */
function writePayload(name: string, tag: string): WrittenLayout {
	const own = tarArchive([{ path: `etc/${name}`, content: Buffer.from(name) }]);
	return writeOciLayout(join(work, name), {
		layers: [
			{ tar: shared, compression: "gzip" },
			{ tar: own, compression: "none" },
		],
		tag,
	});
}

const build = (payload: readonly WrittenLayout[]) =>
	buildIso({ ...options, image, payload: payload.map(({ reference }) => reference), output: iso, overwrite: true });

/** Status and faults of what looks at payloads. */
async function verdict(payload: readonly WrittenLayout[] | undefined) {
	const references = payload?.map(({ reference }) => reference);
	const { checks } = await verifyAgainstImage(iso, { image, payload: references, payloadFormat: "oci" });
	return checks
		.filter(({ name }) => name === "payload" || name === "medium")
		.map(({ name, status, findings }) => [name, status, ...findings.map(({ what }) => what)]);
}

describe.skipIf(requires("xorriso", "skopeo"))("images to install that the medium carries", () => {
	beforeAll(() => {
		image = writeContractLayout(join(work, "image"), []);
	});

	it("are an image layout at /container with their blobs as they are stored, each once; the plan makes the same bytes", async () => {
		const payload = [writePayload("one", "v1"), writePayload("two", "v2")];
		const report = await build(payload);
		expect(report.payload?.map(({ name, manifestDigest }) => [name, manifestDigest])).toEqual(
			payload.map(({ manifestDigest }, i) => [`v${i + 1}`, manifestDigest]),
		);
		const layout = join(work, "layout");
		await run("xorriso", ["-osirrox", "on", "-indev", iso, "-extract", "/container", layout]);
		const found = await run("find", [join(layout, "blobs"), "-type", "f"]);
		expect(found.trim().split("\n")).toHaveLength(7);
		for (const [i, { layers, manifestDigest }] of payload.entries()) {
			const copy = join(work, `copy${i}`);
			await run("skopeo", ["copy", "--preserve-digests", `oci:${layout}:v${i + 1}`, `dir:${copy}`]);
			expect(JSON.parse(await run("skopeo", ["inspect", `dir:${copy}`])).Digest).toBe(manifestDigest);
			for (const { digest } of layers)
				expect(await readFile(join(copy, digest.replace("sha256:", "")))).toEqual(
					await readFile(blobPath(layout, digest)),
				);
		}
		expect(await verdict(payload)).toEqual([
			["payload", "pass"],
			["medium", "pass"],
		]);
		const references = payload.map(({ reference }) => reference);
		const plan = await planBuild({ ...options, image, payload: references });
		expect(plan).toEqual(report.plan);
		const again = join(work, "again.iso");
		await buildIso({ plan, force: true, output: again });
		expect((await readFile(again)).equals(await readFile(iso))).toBe(true);
	});

	it("are missed by verify where one is not there, damaged, or not asked for", async () => {
		const [one, two] = [writePayload("one", "v1"), writePayload("two", "v2")];
		await build([one]);
		expect(await verdict(undefined)).toEqual([
			["payload", "pass"],
			["medium", "pass"],
		]);
		expect((await verdict([two]))[0]).toEqual(["payload", "fail", "the image is not there"]);
		expect((await verdict([one, two]))[0]).toEqual(["payload", "fail", "the image is not there"]);
		const bytes = await readFile(iso);
		const blob = await readFile(blobPath(join(work, "one"), one.layers[0]?.digest ?? "sha256:"));
		bytes.writeUInt8(bytes.readUInt8(bytes.indexOf(blob) + 100) ^ 1, bytes.indexOf(blob) + 100);
		writeFileSync(iso, bytes);
		expect((await verdict(undefined))[0]?.slice(1)).toEqual([
			"fail",
			expect.stringMatching(/^the blob has the digest sha256:/),
			expect.stringMatching(/^the blob sha256:\w+ is missing or damaged/),
		]);
	});

	it("must be whole, have names of their own, and a place only where there is a choice, before anything is compressed", async () => {
		const one = writePayload("one", "v1");
		await expect(build([one, one])).rejects.toMatchObject({
			code: "PAYLOAD_NAMES",
			exitStatus: 2,
			remedy: expect.stringMatching(/^copy one of them/),
		});
		const placed = { ...options, image, payload: [one.reference], payloadPlace: "root" } as const;
		await expect(buildIso({ ...placed, output: iso, overwrite: true })).rejects.toMatchObject({
			code: "INVALID_OPTION",
			exitStatus: 2,
		});
		rmSync(blobPath(join(work, "one"), one.layers[1]?.digest ?? "sha256:"));
		await expect(build([one])).rejects.toMatchObject({ code: "BLOB_MISSING", exitStatus: 5 });
		await expect(build([{ ...one, reference: `oci:${join(work, "nowhere")}` }])).rejects.toMatchObject({
			what: expect.stringMatching(/^the payload: /),
			exitStatus: 2,
		});
	});
});
