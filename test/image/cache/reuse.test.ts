import { chmodSync, existsSync, mkdirSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { buildWith, recompressedBytes, reusedBytes, timesRead } from "../../support/cache-build.ts";
import {
	dataLayer,
	imageLayers,
	passedOver,
	spoilLayers,
	storeFiles,
	words,
	writeCacheImage,
} from "../../support/cache-images.ts";
import { HOST_GRUB } from "../../support/contract-image.ts";
import { requires } from "../../support/requires.ts";
import { tarArchive } from "../../support/tar-fixtures.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

const noGrub = requires(HOST_GRUB) !== undefined;

const work = temporaryDirectory("cache");

let caches = 0;
const newCache = (): string => join(work, `cache-${caches++}`);
const image = (name: string, layers: readonly Buffer[]) => {
	const directory = join(work, name);
	rmSync(directory, { recursive: true, force: true });
	return { directory, ...writeCacheImage(directory, layers) };
};

describe.skipIf(noGrub)("a build with a cache", () => {
	it("makes the same bytes without one, cold and warm, and reads no blob of a layer when warm", async () => {
		const cache = newCache();
		const late = passedOver();
		const written = image("warm", imageLayers(dataLayer("a"), late.lower, late.upper, dataLayer("b")));
		const plain = await buildWith(work, written.reference, undefined);
		const cold = await buildWith(work, written.reference, cache);
		expect(cold.digest).toBe(plain.digest);
		expect(reusedBytes(cold)).toBe(0);
		expect(existsSync(storeFiles(cache, "packs"))).toBe(true);
		spoilLayers(written.directory, written);
		const warm = await buildWith(work, written.reference, cache);
		expect(warm.digest).toBe(plain.digest);
		expect(timesRead(warm)).toEqual(warm.report.layers.map(() => 0));
		expect(recompressedBytes(warm)).toBe(0);
		expect(reusedBytes(warm)).toBe(recompressedBytes(cold));
		const facts = (report: typeof warm.report) =>
			report.layers.map(({ entries, tarBytes, storedBytes, skippedBytes }) => [
				entries,
				tarBytes,
				storedBytes,
				skippedBytes,
			]);
		expect(facts(warm.report)).toEqual(facts(cold.report));
		expect(warm.report.notices).toEqual(plain.report.notices);
	});

	it("knows recipes and blocks of other options from those that it needs", async () => {
		const cache = newCache();
		const written = image("options", imageLayers(dataLayer("a"), dataLayer("b")));
		const variants = [
			{},
			{ fragments: false },
			{ alwaysUseFragments: true },
			{ comp: "xz", level: 0, bcj: "x86" },
		] as const;
		const digests = [];
		for (const options of variants) {
			digests.push((await buildWith(work, written.reference, undefined, options)).digest);
			expect((await buildWith(work, written.reference, cache, options)).digest).toBe(digests.at(-1));
		}
		expect(new Set(digests).size).toBe(variants.length);
		spoilLayers(written.directory, written);
		for (const [i, options] of variants.entries())
			expect((await buildWith(work, written.reference, cache, options)).digest).toBe(digests[i]);
	});

	it("holds a layer to --max-layer-bytes although it is not read", async () => {
		const cache = newCache();
		const written = image("bounded", imageLayers(dataLayer("a")));
		const cold = await buildWith(work, written.reference, cache);
		const largest = Math.max(...cold.report.layers.map(({ tarBytes }) => tarBytes));
		const warm = await buildWith(work, written.reference, cache, { maxLayerBytes: largest });
		expect([warm.digest, timesRead(warm)]).toEqual([cold.digest, cold.report.layers.map(() => 0)]);
		const refused = buildWith(work, written.reference, cache, { maxLayerBytes: largest - 1 });
		await expect(refused).rejects.toMatchObject({ code: "LAYER_TOO_LARGE", kind: "corrupt" });
		const uncached = buildWith(work, written.reference, undefined, { maxLayerBytes: largest - 1 });
		await expect(uncached).rejects.toMatchObject({ code: "LAYER_TOO_LARGE", kind: "corrupt" });
	});

	it("fetches what was passed over at first from the cache too", async () => {
		const cache = newCache();
		const written = image("late", [
			...imageLayers(dataLayer("a", 5)),
			tarArchive([
				{ type: "directory", path: "real/" },
				{ type: "symlink", path: "alias", linkTarget: "real" },
			]),
			tarArchive([{ path: "alias/late", content: words("late", 9000) }]),
			tarArchive([{ path: "real/late", type: "symlink", linkTarget: "x" }, { path: "alias/.wh.none" }]),
		]);
		const cold = await buildWith(work, written.reference, cache);
		spoilLayers(written.directory, written);
		expect((await buildWith(work, written.reference, cache)).digest).toBe(cold.digest);
	});

	it("reads only the layer that changed, and compresses only what is new in it", async () => {
		const cache = newCache();
		const base = [dataLayer("a"), dataLayer("b")];
		const top = dataLayer("top");
		const before = image("before", imageLayers(...base, top));
		await buildWith(work, before.reference, cache);
		const changed = top.map((member) =>
			member.path === "data/top/7" ? { ...member, content: words("changed", 3000) } : member,
		);
		const after = image("after", imageLayers(...base, changed));
		const plain = await buildWith(work, after.reference, undefined);
		spoilLayers(after.directory, { ...after, layers: after.layers.slice(0, -1) });
		const warm = await buildWith(work, after.reference, cache);
		expect(warm.digest).toBe(plain.digest);
		expect(timesRead(warm)).toEqual([...after.layers.slice(1).map(() => 0), 1]);
		expect(recompressedBytes(warm)).toBeLessThan(4 * 4096);
		expect(reusedBytes(warm)).toBeGreaterThan(100_000);
	});

	it("packs few tails of a lower layer again when an upper one starts to hide a file, and knows the new packing afterwards", async () => {
		const cache = newCache();
		const layers = [dataLayer("a", 400), dataLayer("b", 20)];
		await buildWith(work, image("shown", imageLayers(...layers)).reference, cache);
		const hiding = image("hiding", imageLayers(...layers, [{ path: "data/a/.wh.101" }, { path: "data/a/.wh.201" }]));
		const plain = await buildWith(work, hiding.reference, undefined);
		spoilLayers(hiding.directory, { ...hiding, layers: hiding.layers.slice(0, -1) });
		const warm = await buildWith(work, hiding.reference, cache);
		expect(warm.digest).toBe(plain.digest);
		expect(timesRead(warm).slice(0, -1)).toEqual(hiding.layers.slice(1).map(() => 0));
		expect(recompressedBytes(warm)).toBeGreaterThan(0);
		expect(recompressedBytes(warm)).toBeLessThan(0.1 * reusedBytes(warm));
		const again = await buildWith(work, hiding.reference, cache);
		expect([again.digest, recompressedBytes(again)]).toEqual([plain.digest, 0]);
	});

	it("reads a layer whose contents were hidden so far", async () => {
		const cache = newCache();
		const layers = [dataLayer("a"), dataLayer("b")];
		const whiteouts = [{ path: "data/a/.wh.large" }, { path: "data/a/.wh.3" }];
		await buildWith(work, image("hidden", imageLayers(...layers, whiteouts)).reference, cache);
		const shown = image("revealed", imageLayers(...layers));
		const plain = await buildWith(work, shown.reference, undefined);
		const warm = await buildWith(work, shown.reference, cache);
		expect(warm.digest).toBe(plain.digest);
		expect(timesRead(warm)).toEqual([0, 0, 0, 1, 0]);
		spoilLayers(shown.directory, shown);
		expect((await buildWith(work, shown.reference, cache)).digest).toBe(plain.digest);
	});

	it("keeps different settings side by side", async () => {
		const cache = newCache();
		const written = image("settings", imageLayers(dataLayer("a")));
		const settings = [
			{ comp: "lz4" },
			{ comp: "zstd", level: 1 },
			{ comp: "zstd", level: 3 },
			{ comp: "zstd", level: 3, blockSize: 8192 },
			{ comp: "none" },
			{ comp: "lz4", exclude: ["data"] },
			{ comp: "lz4", defaultExcludes: false },
		] as const;
		const plain = [];
		for (const options of settings) plain.push((await buildWith(work, written.reference, undefined, options)).digest);
		expect(new Set(plain).size).toBe(settings.length);
		for (const round of ["cold", "warm"])
			for (const [i, options] of settings.entries()) {
				const { digest } = await buildWith(work, written.reference, cache, options);
				expect([round, i, digest]).toEqual([round, i, plain[i]]);
			}
		spoilLayers(written.directory, written);
		for (const [i, options] of settings.slice(0, 5).entries())
			expect((await buildWith(work, written.reference, cache, options)).digest).toBe(plain[i]);
	});

	it("keeps what was compressed when the image does not meet the contract", async () => {
		const cache = newCache();
		const broken = image("broken", [tarArchive(dataLayer("a"))]);
		await expect(buildWith(work, broken.reference, cache)).rejects.toMatchObject({ exitStatus: 3 });
		const whole = image("mended", [...imageLayers(), tarArchive(dataLayer("a"))]);
		expect(timesRead(await buildWith(work, whole.reference, cache))).toEqual([1, 1, 1, 0]);
	});
});

describe.skipIf(noGrub)("a cache", () => {
	const bytesIn = (directory: string): number =>
		readdirSync(directory).reduce((sum, name) => sum + statSync(join(directory, name)).size, 0);
	const names = (cache: string): string[] => readdirSync(storeFiles(cache, "packs")).sort();

	it("stays within its bound, and gives up what was used longest ago", async () => {
		const cache = newCache();
		const first = image("first", imageLayers(dataLayer("first")));
		// nothing in common with the first: a pack that anything is taken from has been used
		const own = dataLayer("second").filter(({ path }) => !path.endsWith("/everywhere"));
		const second = image("second", imageLayers(own));
		await buildWith(work, first.reference, cache);
		const firstPacks = names(cache);
		const oneImage = bytesIn(storeFiles(cache, "packs")) + bytesIn(storeFiles(cache, "layers")) + 20_000;
		const old = new Date("2020-01-01T00:00:00Z");
		for (const kind of ["packs", "layers"] as const)
			for (const name of readdirSync(storeFiles(cache, kind)))
				utimesSync(join(storeFiles(cache, kind), name), old, old);
		await buildWith(work, second.reference, cache, { cacheSize: oneImage });
		expect(bytesIn(storeFiles(cache, "packs")) + bytesIn(storeFiles(cache, "layers"))).toBeLessThanOrEqual(oneImage);
		expect(firstPacks.filter((name) => name.includes(first.diffIds.at(-1)?.slice(7) ?? "?")).length).toBe(1);
		expect(names(cache).some((name) => name.includes(first.diffIds.at(-1)?.slice(7) ?? "?"))).toBe(false);
		expect(timesRead(await buildWith(work, second.reference, cache))).toEqual([0, 0, 0, 0]);
		const tiny = await buildWith(work, second.reference, cache, { cacheSize: 0 });
		expect(names(cache)).toEqual([]);
		expect(tiny.digest).toBe((await buildWith(work, second.reference, undefined)).digest);
	});

	it("is at most a tenth larger than what it stands for", async () => {
		const cache = newCache();
		const written = image("size", imageLayers(dataLayer("a", 400), dataLayer("b", 400)));
		const options = { comp: "zstd", level: 3, blockSize: 131_072 } as const;
		const { report } = await buildWith(work, written.reference, cache, options);
		const kept = bytesIn(storeFiles(cache, "packs")) + bytesIn(storeFiles(cache, "layers"));
		// boot loaders, which the squashfs leaves out, are kept too
		expect(kept - 75_000).toBeLessThan(1.1 * report.squashfs.byteLength);
	});

	it("that others may write to is neither believed nor changed", async () => {
		const cache = newCache();
		const written = image("shared", imageLayers(dataLayer("a")));
		const plain = await buildWith(work, written.reference, undefined);
		mkdirSync(cache);
		chmodSync(cache, 0o777);
		const { digest, report } = await buildWith(work, written.reference, cache);
		expect(digest).toBe(plain.digest);
		expect(report.notices.join()).toMatch(/can be written by other users; building without it/);
	});

	it("whose files others may write to is not believed", async () => {
		const cache = newCache();
		const written = image("files", imageLayers(dataLayer("a")));
		const plain = await buildWith(work, written.reference, cache);
		for (const kind of ["packs", "layers"] as const)
			for (const name of readdirSync(storeFiles(cache, kind))) chmodSync(join(storeFiles(cache, kind), name), 0o666);
		const again = await buildWith(work, written.reference, cache);
		expect([again.digest, reusedBytes(again)]).toEqual([plain.digest, 0]);
	});

	it("that cannot be made or written to is a notice", async () => {
		const written = image("unwritable", imageLayers(dataLayer("a")));
		const plain = await buildWith(work, written.reference, undefined);
		const inTheWay = join(work, "in-the-way");
		writeFileSync(inTheWay, "");
		const unmade = await buildWith(work, written.reference, join(inTheWay, "cache"));
		expect(unmade.digest).toBe(plain.digest);
		expect(unmade.report.notices.join()).toMatch(/cannot be used: ENOTDIR/);
		const cache = newCache();
		mkdirSync(storeFiles(cache, "layers"), { recursive: true });
		writeFileSync(storeFiles(cache, "packs"), "");
		const unkept = await buildWith(work, written.reference, cache);
		expect(unkept.digest).toBe(plain.digest);
		expect(unkept.report.notices.filter((text) => /the cache/.test(text))).toHaveLength(1);
	});
});

describe.skipIf(noGrub || requires("root"))("a cache of another user", () => {
	it("is not believed", async () => {
		const { chownSync } = await import("node:fs");
		const cache = newCache();
		const written = image("foreign", imageLayers(dataLayer("a")));
		const plain = await buildWith(work, written.reference, cache);
		chownSync(cache, 12345, 12345);
		const again = await buildWith(work, written.reference, cache);
		expect(again.digest).toBe(plain.digest);
		expect(again.report.notices.join()).toMatch(/belongs to another user \(uid 12345\)/);
		expect(timesRead(again)).toEqual([1, 1, 1, 1]);
	});
});
