import { readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { atOnce } from "../../src/binary/turns.ts";
import { BlockStore } from "../../src/cache/block-store.ts";
import { layerIndexName, originIn } from "../../src/cache/layer-index-store.ts";
import { storedBytes } from "../../src/cache/pack-format.ts";
import { type ArtifactEntry, decodeArtifact } from "../../src/cache/remote/artifact.ts";
import { type CacheDestination, type CacheExport, exportCache } from "../../src/cache/remote/cache-sink.ts";
import { CacheSource } from "../../src/cache/remote/cache-source.ts";
import type { StoreDirectory } from "../../src/cache/store-directory.ts";
import { createDecompressor } from "../../src/codec/decompressor.ts";
import { digestHex } from "../../src/oci/digest.ts";
import { parseDockerReference } from "../../src/oci/docker-reference.ts";
import { openRegistry, type RegistrySource } from "../../src/oci/registry/registry-source.ts";
import { fillStore, openStore, TEST_SETTINGS, type TestLayer, testLayer } from "../support/cache-store.ts";
import { seeded } from "../support/fault-schedules.ts";
import { type FaultyProxy, startFaultyProxy } from "../support/faulty-proxy.ts";
import { bareEnvironment, type RegistryFixture, startRegistry } from "../support/registry.ts";
import { requires } from "../support/requires.ts";
import { roundsOf } from "../support/slow.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { faultCampaign, HASTY, IMPATIENT, openTarget, withOpen } from "./fixtures.ts";

const SCHEDULES = roundsOf(100);
const scratch = temporaryDirectory("shared-cache");
const storage = join(scratch, "storage");
const base = testLayer("base", 60);
const middle = testLayer("middle", 20);
const top = testLayer("top", 12);
const NO_LIMIT = Number.MAX_SAFE_INTEGER;

describe.skipIf(requires("docker-registry"))("a cache shared through a registry", () => {
	let registry: RegistryFixture;
	let proxy: FaultyProxy;
	let stores = 0;
	let tags = 0;
	let tag = "";
	const environment = bareEnvironment(scratch);

	beforeAll(async () => {
		registry = await startRegistry({ storage });
		proxy = await startFaultyProxy({ upstream: registry.host });
	});
	afterAll(async () => {
		await proxy.stop();
		await registry.stop();
	});
	beforeEach(() => {
		proxy.use(() => ({ kind: "none" }));
		tags++;
		tag = `cache/of-test-${tags}:1`;
	});

	const newStore = (): string => {
		stores++;
		return join(scratch, `store-${stores}`);
	};
	const optionsOf = (policy = HASTY) => ({ tlsVerify: false, environment, policy });
	const openSource = (text: string, policy = HASTY): Promise<RegistrySource> =>
		openRegistry(parseDockerReference(text), text, optionsOf(policy));
	const destination = (host: string, name = tag, policy = HASTY): CacheDestination => ({
		reference: `${host}/${name}`,
		open: () => openTarget(`${host}/${name}`, optionsOf(policy)),
		openExisting: () => openSource(`${host}/${name}`, policy),
	});
	const exportOf = (
		{ directory, packNames }: { directory: StoreDirectory; packNames: readonly string[] },
		layers: readonly TestLayer[],
		more: Partial<CacheExport> = {},
	): CacheExport => ({
		...{ directory, packNames, layers: layers.map(({ digest }) => digest), settings: TEST_SETTINGS },
		...{ maxBytes: NO_LIMIT, neighbours: [], ...more },
	});
	/** Pushes the layers of a new machine. */
	async function push(layers: readonly TestLayer[], more?: Partial<CacheExport>, name?: string) {
		return await exportCache(exportOf(fillStore(newStore(), layers), layers, more), destination(proxy.host, name));
	}
	const entriesAt = (name = tag): Promise<readonly ArtifactEntry[]> =>
		withOpen(openSource(`${registry.host}/${name}`), async (source) => {
			const manifest = await source.root();
			return manifest.kind === "manifest" ? (decodeArtifact(manifest.config, manifest.layers) ?? []) : [];
		});
	/** Fetches indexes and blocks of the layers into a new machine's store. */
	const pull = (layers: readonly TestLayer[], wanted: (layer: TestLayer) => TestLayer["blocks"], name = tag) =>
		withOpen(CacheSource.open([`${proxy.host}/${name}`], openSource), async (source) => {
			const directory = openStore(newStore());
			const indexes = [];
			for (const layer of layers) indexes.push((await source.layerIndex(layer, TEST_SETTINGS))?.bytes);
			const ids = new Set(layers.map(({ diffId }) => diffId));
			const fetched = await source.fetch(layers.flatMap(wanted), directory, TEST_SETTINGS, ids);
			return { indexes, ...fetched, directory, report: source.reports[0] };
		});
	const all = ({ blocks }: TestLayer): TestLayer["blocks"] => blocks;

	/** Every block that the store gives is the right one; returns how many it has. */
	function checkBlocks(directory: StoreDirectory, layers: readonly TestLayer[]): number {
		const origins = atOnce(directory.listing()).flatMap(({ name }) => originIn(name) ?? []);
		const decompressor = createDecompressor("zstd");
		const store = atOnce(BlockStore.opening(directory, TEST_SETTINGS, decompressor, [...new Set(origins)]));
		let found = 0;
		for (const { kind, key, rawBytes, bytes } of layers.flatMap(all)) {
			if (!(kind === "block" ? store.hasBlock(key) : store.hasFragment(key))) continue;
			const block = kind === "block" ? store.block(key, rawBytes) : store.fragment(key, rawBytes);
			expect(Buffer.compare(bytes, block.read())).toBe(0);
			found++;
		}
		store.close();
		return found;
	}

	it("gives another machine the same indexes and packs", async () => {
		const layers = [base, middle, top];
		const first = fillStore(newStore(), layers);
		const report = await exportCache(exportOf(first, layers), destination(proxy.host));
		expect(report).toMatchObject({ uploadedBlobs: 7, keptBlobs: 0 });
		const { indexes, names, isComplete, directory } = await pull(layers, all);
		expect(isComplete).toBe(true);
		const atHome = (name: string): string => name.replace(/\.from-[0-9a-f]{16}/, "");
		expect(names.map(atHome).toSorted()).toEqual(first.packNames.toSorted());
		const same = (a: Buffer | undefined, b: Buffer | undefined): boolean => a !== undefined && b?.equals(a) === true;
		const fileIn = (store: StoreDirectory, kind: "layer" | "pack", name: string) =>
			atOnce(store.readingFile(kind, name, NO_LIMIT));
		for (const name of names)
			expect(same(fileIn(directory, "pack", name), fileIn(first.directory, "pack", atHome(name)))).toBe(true);
		for (const [i, { digest }] of layers.entries())
			expect(same(indexes[i], fileIn(first.directory, "layer", layerIndexName(digest, TEST_SETTINGS)))).toBe(true);
	});

	it("is the same artifact whoever pushes it, and is sent once", async () => {
		const { manifestDigest } = await push([base, top]);
		const again = await push([base, top]);
		expect(again).toMatchObject({ manifestDigest, uploadedBlobs: 0, uploadedBytes: 0, keptBlobs: 5 });
		expect(again.problem).toBeUndefined();
		const elsewhere = await push([base, top], {}, "cache/elsewhere:1");
		expect(elsewhere.manifestDigest).toBe(manifestDigest);
	});

	it("fetches the blocks that are wanted and little else", async () => {
		await push([base, middle]);
		const wanted = base.blocks.filter((_, i) => i < 10 || i === 40);
		proxy.use(() => ({ kind: "none" }));
		const { isComplete, directory, report } = await pull([base], () => wanted);
		expect(isComplete).toBe(true);
		expect(checkBlocks(directory, [base])).toBe(wanted.length);
		const needed = wanted.reduce((sum, block) => sum + storedBytes(block), 0);
		const heads = 60 * 88 + 20 * 88 + 1000;
		expect(report?.fetchedBytes).toBeLessThan(needed + heads + 1000);
		const blobs = proxy.requests.filter(({ path }) => path.includes("/blobs/"));
		expect(blobs.filter(({ range }) => range === undefined)).toHaveLength(1);
		expect(blobs.filter(({ range }) => range !== undefined)).toHaveLength(3);
	});

	it("fetches nothing where something of what is needed is nowhere", async () => {
		await push([base]);
		proxy.use(() => ({ kind: "none" }));
		const { isComplete, names, report } = await pull([base], ({ blocks }) => [...blocks, ...top.blocks]);
		expect([isComplete, names]).toEqual([false, []]);
		expect(report?.fetchedBytes).toBeLessThan(60 * 88 + 2000);
	});

	it("does not send again what came from there", async () => {
		await push([base, middle]);
		const { directory, names } = await pull([base, middle], ({ blocks }) => blocks.slice(3));
		const { packNames } = fillStore(join(directory.path, ".."), [top]);
		const layers = [middle, top];
		const report = await exportCache(
			exportOf({ directory, packNames: [...names, ...packNames] }, layers),
			destination(proxy.host),
		);
		expect(report.uploadedBlobs).toBe(2);
		expect(await entriesAt()).toHaveLength(6);
	});

	it("does not send what another tag or another repository of the registry has", async () => {
		await push([base, middle], {}, "cache/main:1");
		const { directory, names } = await pull([base, middle], ({ blocks }) => blocks.slice(3), "cache/main:1");
		for (const [repository, mountFrom] of [
			["cache/main", undefined],
			["cache/other", "cache/main"],
		] as const) {
			const source = await openSource(`${proxy.host}/cache/main:1`);
			const entries = await entriesAt("cache/main:1");
			const neighbours = [{ source, entries, mountFrom }];
			const build = exportOf({ directory, packNames: names }, [], { neighbours });
			const report = await exportCache(build, destination(proxy.host, `${repository}:branch`));
			await source.close();
			expect(report.problem).toBeUndefined();
			// the configuration only
			expect(report.uploadedBlobs).toBe(mountFrom === undefined ? 0 : 1);
			expect(await entriesAt(`${repository}:branch`)).toEqual(entries.filter(({ kind }) => kind === "pack"));
		}
	});

	it("keeps what other images put at the tag, the newest first, up to its bound", async () => {
		await push([base]);
		await push([middle]);
		await push([top]);
		const names = (entries: readonly ArtifactEntry[]): string[] =>
			entries.map((entry) => `${entry.kind} ${entry.kind === "pack" ? entry.diffId : entry.layer}`);
		const of = ({ digest, diffId }: TestLayer): string[] => [`index ${digest}`, `pack ${diffId}`];
		expect(names(await entriesAt())).toEqual([...of(top), ...of(middle), ...of(base)]);
		const { size = 0 } =
			(await entriesAt()).find((entry) => entry.kind === "pack" && entry.diffId === middle.diffId) ?? {};
		await push([top], { maxBytes: 2 * size });
		const [baseIndex] = of(base);
		expect(names(await entriesAt())).toEqual([...of(top), ...of(middle), baseIndex]);
		const lz4 = { ...TEST_SETTINGS, codec: "lz4" } as const;
		await exportCache(exportOf(fillStore(newStore(), [top], lz4), [top], { settings: lz4 }), destination(proxy.host));
		expect(names(await entriesAt())).toEqual([...of(top), `pack ${top.diffId}`, ...of(middle), baseIndex]);
	});

	it("pushes without the entries that the registry has lost", async () => {
		await push([base]);
		const [lost] = (await entriesAt()).filter(({ kind }) => kind === "pack");
		const other = "cache/somewhere:1";
		await push([middle], {}, other);
		if (lost === undefined) throw new Error("no pack");
		const links = join(storage, "docker/registry/v2/repositories", tag.replace(/:1$/, ""), "_layers/sha256");
		rmSync(join(links, digestHex(lost.digest)), { recursive: true });
		const report = await push([top]);
		expect(report.problem).toBeUndefined();
		expect((await entriesAt()).map((entry) => (entry.kind === "pack" ? entry.diffId : entry.layer))).toEqual([
			top.digest,
			top.diffId,
		]);
	});

	it("works with a registry that gives whole blobs only", async () => {
		await push([base, top]);
		proxy.use((path) => (path.includes("/blobs/") ? { kind: "ignore-range" } : { kind: "none" }));
		const wanted = (layer: TestLayer) => layer.blocks.filter((_, i) => i % 3 === 1);
		const { isComplete, directory } = await pull([base, top], wanted);
		expect(isComplete).toBe(true);
		expect(checkBlocks(directory, [base, top])).toBe(24);
	});

	it("is not believed where its bytes are not what was pushed", async () => {
		const random = seeded(7);
		await push([base, top]);
		const entries = await entriesAt();
		for (let round = 0; round < 24; round++) {
			const entry = entries[round % entries.length];
			if (entry === undefined) throw new Error("no entry");
			const hex = digestHex(entry.digest);
			const path = join(storage, "docker/registry/v2/blobs/sha256", hex.slice(0, 2), hex, "data");
			const intact = readFileSync(path);
			const damaged = Buffer.from(intact);
			const at = Math.floor(
				random() * (round % 3 === 0 && entry.kind === "pack" ? entry.headBytes : intact.byteLength),
			);
			damaged[at] = (damaged[at] ?? 0) ^ (1 + Math.floor(random() * 255));
			writeFileSync(path, damaged);
			if (round % 5 === 4) truncateSync(path, at);
			try {
				const { indexes, isComplete, directory, report } = await pull([base, top], all);
				if (entry.kind === "pack") expect(isComplete).toBe(false);
				else expect(indexes).toContain(undefined);
				expect(report?.problem).toBeDefined();
				checkBlocks(directory, [base, top]);
			} finally {
				writeFileSync(path, intact);
			}
		}
		expect((await pull([base, top], all)).isComplete).toBe(true);
	});

	it("takes another reference for what the first has lost", async () => {
		await push([base]);
		await push([base], {}, "cache/second:1");
		const source = await CacheSource.open([`${proxy.host}/${tag}`, `${registry.host}/cache/second:1`], openSource);
		proxy.use((path) => (path.includes("/blobs/") ? { kind: "status", status: 404 } : { kind: "none" }));
		const directory = openStore(newStore());
		const fetched = await source.fetch(base.blocks, directory, TEST_SETTINGS, new Set());
		expect(fetched.isComplete).toBe(true);
		expect(await source.layerIndex(base, TEST_SETTINGS)).toBeDefined();
		expect(source.reports.map(({ blocks, problem }) => [blocks, problem === undefined])).toEqual([
			[0, false],
			[60, true],
		]);
		await source.close();
	});

	it("is nothing where there is no such artifact, registry or permission, and says why", async () => {
		const names = [`${registry.host}/no/such:1`, "127.0.0.1:1/a/b:1"];
		const source = await CacheSource.open(names, openSource);
		expect(await source.layerIndex(base, TEST_SETTINGS)).toBeUndefined();
		expect(source.reports.map(({ problem }) => problem)).toEqual([
			expect.stringContaining("IMAGE_NOT_FOUND"),
			expect.stringContaining("REGISTRY_UNREACHABLE"),
		]);
		await source.close();
		proxy.use((_, method) => (method === "POST" ? { kind: "status", status: 403 } : { kind: "none" }));
		expect(await push([base])).toMatchObject({ problem: expect.stringContaining("REGISTRY_DENIED") });
		await expect(CacheSource.open(["a/b@sha256:1"], openSource)).rejects.toMatchObject({ exitStatus: 2 });
	});

	it(`gives right blocks or none, and pushes whole artifacts or none, in ${SCHEDULES} schedules`, async () => {
		await push([base, middle]);
		const outcomes = await faultCampaign(proxy, SCHEDULES, async (seed) => {
			const layer = testLayer(`layer ${seed}`, 4);
			const name = `cache/faulty:${seed}`;
			const source = await CacheSource.open([`${proxy.host}/${tag}`], (text) => openSource(text, IMPATIENT));
			const directory = openStore(newStore());
			const index = await source.layerIndex(base, TEST_SETTINGS);
			const { isComplete } = await source.fetch(base.blocks, directory, TEST_SETTINGS, new Set([base.diffId]));
			await source.close();
			const found = checkBlocks(directory, [base]);
			if (isComplete) expect(found).toBe(60);
			else expect(source.reports[0]?.problem).toBeDefined();
			const mine = exportOf(fillStore(newStore(), [layer]), [layer]);
			const { problem } = await exportCache(mine, destination(proxy.host, name, IMPATIENT));
			proxy.use(() => ({ kind: "none" }));
			if (problem === undefined) expect((await pull([layer], all, name)).isComplete).toBe(true);
			const isThere = (what: boolean, name: string): string => (what ? name : `not ${name}`);
			return `${isThere(isComplete, "fetched")} ${index === undefined ? "no index" : "index"} ${isThere(problem === undefined, "pushed")}`;
		});
		expect(outcomes.get("fetched index pushed") ?? 0).toBeGreaterThan(SCHEDULES / 4);
		expect(outcomes.size).toBeGreaterThan(2);
	});
});
