import { existsSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { cp } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { addonMissing } from "../../native/addon-required.ts";
import { type Built, buildWith, recompressedBytes, reusedBytes } from "../../support/cache-build.ts";
import { dataLayer, imageLayers, storeFiles, writeCacheImage } from "../../support/cache-images.ts";
import { HOST_GRUB } from "../../support/contract-image.ts";
import { requires } from "../../support/requires.ts";
import { isSlowWanted } from "../../support/slow.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

const isEveryPack = isSlowWanted("damage to each pack of a cache");
const noGrub = requires(HOST_GRUB) !== undefined;

/** Blocks that are not compressed are the same with and without the addon, and so is what the cache has of them. */
const OPTIONS = { comp: "none" } as const;

describe.skipIf(noGrub || addonMissing).each(["native", "portable"])("cached blocks, copied by %s code", (backend) => {
	const work = temporaryDirectory("copying");
	let full = "";
	let reference = "";
	let plain: Built;
	beforeAll(async () => {
		full = join(work, "full");
		reference = writeCacheImage(join(work, "image"), imageLayers(dataLayer("a"), dataLayer("b"))).reference;
		plain = await buildWith(work, reference, undefined, OPTIONS);
		expect((await buildWith(work, reference, full, OPTIONS)).digest).toBe(plain.digest);
	});
	afterEach(() => void vi.unstubAllEnvs());

	const build = (cache: string): Promise<Built> => {
		vi.stubEnv("OCI2ISO_CODEC_BACKEND", backend);
		return buildWith(work, reference, cache, OPTIONS);
	};
	/** All of them where that was asked for, else the first, one from the middle and the last. */
	const packs = (cache: string): string[] => {
		const all = readdirSync(storeFiles(cache, "packs")).sort();
		return all.filter((_, i) => isEveryPack || [0, all.length >> 1, all.length - 1].includes(i));
	};

	it("make the same ISO, and nothing is compressed", async () => {
		const warm = await build(full);
		expect([warm.digest, recompressedBytes(warm)]).toEqual([plain.digest, 0]);
		expect(reusedBytes(warm)).toBeGreaterThan(100_000);
	});

	it("are found to be damaged by one bit, in any pack", async () => {
		for (const [i, name] of packs(full).entries()) {
			const cache = join(work, `flipped-${i}`);
			await cp(full, cache, { recursive: true });
			const path = join(storeFiles(cache, "packs"), name);
			const bytes = readFileSync(path);
			const at = bytes.byteLength - 1 - i * 7;
			bytes[at] = (bytes[at] ?? 0) ^ (1 << (i % 8));
			writeFileSync(path, bytes, { mode: 0o600 });
			const built = await build(cache);
			expect(built.digest).toBe(plain.digest);
			const notices = built.report.notices.filter((notice) => notice.includes(name));
			expect(notices).toEqual([expect.stringMatching(/starting again without it/)]);
			const again = await build(cache);
			expect([again.digest, recompressedBytes(again)]).toEqual([plain.digest, 0]);
		}
	});

	it("are made again where a pack is short or gone", async () => {
		for (const [i, name] of packs(full).entries()) {
			const cache = join(work, `gone-${i}`);
			await cp(full, cache, { recursive: true });
			const path = join(storeFiles(cache, "packs"), name);
			if (i % 2 === 0) truncateSync(path, statSync(path).size - 1);
			else rmSync(path);
			const built = await build(cache);
			expect(built.digest).toBe(plain.digest);
			expect(existsSync(path)).toBe(true);
		}
	});
});
