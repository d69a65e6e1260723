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
		["zstd", 6, MiB, "2ffca0023fbe3e0f55545b1e1d5b3c290b1468b491edba4d2a146562dc6b254d"],
		["zstd", 15, 131_072, "80ac55af7d7294f31bb6ab21b65894ead7c32c94ffb4f0d9857f72a47dffd376"],
		["lz4", undefined, 16_384, "676cf7831297cde6b29d770e10525ff940f64868f1da4c6df118aef73dfddef8"],
		["none", undefined, 131_072, "350d40f86ae95829a741bf0051849f37efccd2f5a80bab1cf1884976a14f9485"],
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
