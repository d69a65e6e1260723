import { createHash } from "node:crypto";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { MiB } from "../../src/binary/units.ts";
import { addonMissing } from "../native/addon-required.ts";
import { buildWith } from "../support/cache-build.ts";
import { contractLayers } from "../support/contract-image.ts";
import { noise } from "../support/noise.ts";
import { writeOciLayout } from "../support/oci-layout.ts";
import { tarArchive } from "../support/tar-fixtures.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { DIRECTORY } from "../unit/boot/grub/made/core-image/grub-directory.ts";

/** What a core image can be made of, the same on every machine. */
const GRUB = {
	...DIRECTORY,
	"moddep.lst": Buffer.from("biosdisk:\npart_gpt:\niso9660: fshelp\nfshelp:\nnormal:\n"),
	...Object.fromEntries(
		["biosdisk", "part_gpt", "iso9660", "fshelp", "normal"].map((name) => [`${name}.mod`, noise(3000, name)]),
	),
	"boot_hybrid.img": Buffer.concat([noise(510, "hybrid"), Buffer.from([0x55, 0xaa])]),
};

/** Texts and noise of many lengths, of which some are in two layers, and a sparse file's zeros. */
function upperLayer(): Buffer {
	const words = "the same on any machine, with any number of threads, cold and warm ";
	return tarArchive(
		Array.from({ length: 300 }, (_, i) => ({
			type: "file" as const,
			path: `srv/${i % 7}/file-${i}`,
			content:
				i % 3 === 0
					? noise((i % 60) * 977, i % 90)
					: Buffer.concat([Buffer.from(words.repeat((i % 50) ** 2)), Buffer.alloc((i % 2) * 70_000)]),
		})),
	);
}

const sha256Of = (path: string): string => createHash("sha256").update(readFileSync(path)).digest("hex");

describe.skipIf(addonMissing)("bytes of an ISO with the pinned encoders", () => {
	const work = temporaryDirectory("pinned");
	let image = "";

	beforeAll(() => {
		const layers = [...contractLayers(GRUB), upperLayer()].map((tar) => ({ tar, compression: "gzip" as const }));
		mkdirSync(join(work, "image"));
		image = writeOciLayout(join(work, "image"), { layers }).reference;
	});

	// As they were in November 2026: whoever changes one on purpose says so where users read it.
	it.each([
		["zstd", 6, MiB, "d7d224e5446d9fe7f910f75635df999b8319a52a0be319dad109d7bf9cc1af06"],
		["zstd", 15, 131_072, "b5fd9a8a62cddc34342173a71bb39b3ab306005c3dd734dc5defc4211efc6218"],
		["lz4", undefined, 16_384, "073e50111ece4ec7df4ba96a8ff552ed1dab2517bbeee9eb06119c240d26cdfa"],
		["none", undefined, 131_072, "93d39df8055985230dd9dd0a9548eb5ef0b6a45884c1414c5440abf287b0bc52"],
	] as const)("are those of before, cold and warm (%s %s)", async (comp, level, blockSize, sha256) => {
		const options = { comp, level, blockSize, sourceDateEpoch: 1_700_000_000 };
		const cache = join(work, `cache-${comp}-${level}`);
		const builds = [undefined, cache, cache].map((store) => () => buildWith(work, image, store, options, sha256Of));
		for (const build of builds) expect((await build()).digest).toBe(sha256);
	});

	// Encoders of the system are not pinned.
	it.each(["gzip", "xz"] as const)("do not depend on the cache and the threads (%s)", async (comp) => {
		const options = { comp, level: 1, blockSize: 131_072, sourceDateEpoch: 1_700_000_000 };
		const cache = join(work, `cache-${comp}`);
		const first = await buildWith(work, image, undefined, { ...options, jobs: 1 });
		for (const jobs of [2, 3])
			expect((await buildWith(work, image, cache, { ...options, jobs })).digest).toBe(first.digest);
	});
});
