import {
	appendFileSync,
	existsSync,
	readdirSync,
	readFileSync,
	renameSync,
	rmSync,
	statSync,
	truncateSync,
	writeFileSync,
} from "node:fs";
import { cp } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { atOnce } from "../../../src/binary/turns.ts";
import { verifyStore } from "../../../src/cache/examine.ts";
import { StoreDirectory } from "../../../src/cache/store-directory.ts";
import { type Built, buildWith, recompressedBytes } from "../../support/cache-build.ts";
import { dataLayer, imageLayers, storeFiles, writeCacheImage } from "../../support/cache-images.ts";
import { HOST_GRUB } from "../../support/contract-image.ts";
import { noise } from "../../support/noise.ts";
import { requires } from "../../support/requires.ts";
import { roundsOf } from "../../support/slow.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

const ROUNDS = roundsOf(50);
const noGrub = requires(HOST_GRUB) !== undefined;

describe.skipIf(noGrub)("a damaged cache", () => {
	const work = temporaryDirectory("damage");
	let full = "";
	let reference = "";
	let other = "";
	let plain: Built;
	let plainOther: Built;
	beforeAll(async () => {
		full = join(work, "full");
		const layers = [dataLayer("a", 200), dataLayer("b", 60)];
		reference = writeCacheImage(join(work, "image"), imageLayers(...layers)).reference;
		other = writeCacheImage(join(work, "other"), imageLayers(...layers, [{ path: "data/a/.wh.150" }])).reference;
		plain = await buildWith(work, reference, full);
		plainOther = await buildWith(work, other, undefined);
	});

	const files = (cache: string): string[] =>
		(["packs", "layers"] as const).flatMap((kind) =>
			readdirSync(storeFiles(cache, kind))
				.sort()
				.map((name) => join(storeFiles(cache, kind), name)),
		);

	const flip = (path: string, share: number): void => {
		const bytes = readFileSync(path);
		const at = Math.min(bytes.byteLength - 1, Math.floor(share * bytes.byteLength));
		bytes[at] = (bytes[at] ?? 0) ^ 0x40;
		writeFileSync(path, bytes, { mode: 0o600 });
	};
	const damages: Readonly<Record<string, (path: string, share: number, all: readonly string[]) => void>> = {
		flip,
		truncate: (path, share) => truncateSync(path, Math.floor(share * statSync(path).size)),
		extend: (path) => appendFileSync(path, "more"),
		delete: (path) => rmSync(path),
		garbage: (path, share) => writeFileSync(path, noise(Math.floor(share * 20_000), path), { mode: 0o600 }),
		swap: (path, share, all) => {
			const another = all[Math.floor(share * all.length)] ?? path;
			if (existsSync(path) && existsSync(another)) renameSync(another, path);
		},
		directory: (path) => {
			rmSync(path);
			writeFileSync(`${path}.x`, "");
		},
	};
	const damage = fc.record({
		how: fc.constantFrom(...Object.keys(damages)),
		file: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
		share: fc.double({ min: 0, max: 1, noNaN: true }),
	});

	it("costs time and no byte, whatever happened to its files, and is whole again afterwards", async () => {
		let number = 0;
		let recompressions = 0;
		await fc.assert(
			fc.asyncProperty(fc.array(damage, { minLength: 1, maxLength: 4 }), fc.boolean(), async (faults, takeOther) => {
				const cache = join(work, `copy-${number++}`);
				await cp(full, cache, { recursive: true, mode: 0 });
				const all = files(cache);
				for (const { how, file, share } of faults) {
					const path = all[Math.floor(file * all.length)];
					if (path !== undefined && existsSync(path)) damages[how]?.(path, share, all);
				}
				const built = await buildWith(work, takeOther ? other : reference, cache);
				expect(built.digest).toBe((takeOther ? plainOther : plain).digest);
				if (recompressedBytes(built) > 0) recompressions++;
				const again = await buildWith(work, takeOther ? other : reference, cache);
				expect([again.digest, recompressedBytes(again)]).toEqual([built.digest, 0]);
				rmSync(cache, { recursive: true });
			}),
			{ seed: 20261121, numRuns: ROUNDS },
		);
		expect(recompressions).toBeGreaterThan(ROUNDS / 4);
	});

	it("is noticed in every block, and only once", async () => {
		const cache = join(work, "every");
		await cp(full, cache, { recursive: true });
		for (const path of files(cache)) flip(path, 0.999);
		const built = await buildWith(work, reference, cache);
		expect(built.digest).toBe(plain.digest);
		expect((await buildWith(work, reference, cache)).report.notices).toEqual(plain.report.notices);
		const store = StoreDirectory.open(cache, { create: false });
		expect(store instanceof StoreDirectory && atOnce(verifyStore(store))).toEqual([]);
	});

	it("is found by verify, file by file", async () => {
		for (const [i, path] of files(full).entries()) {
			const cache = join(work, `verify-${i}`);
			await cp(full, cache, { recursive: true });
			const hurt = path.replace(full, cache);
			flip(hurt, ((i * 37) % 100) / 100);
			const store = StoreDirectory.open(cache, { create: false });
			const removed = store instanceof StoreDirectory ? atOnce(verifyStore(store)) : [];
			expect(removed.map((file) => file.path)).toEqual([hurt]);
			expect(existsSync(hurt)).toBe(false);
			rmSync(cache, { recursive: true });
		}
	});
});
