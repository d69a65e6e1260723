import { mkdirSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { request } from "undici";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type BuildOptions, type BuildReport, buildIso } from "../../src/index.ts";
import { fileDigest } from "../support/cache-build.ts";
import { contractLayers, HOST_GRUB } from "../support/contract-image.ts";
import { type FaultyProxy, startFaultyProxy } from "../support/faulty-proxy.ts";

import { noise } from "../support/noise.ts";
import { writeOciLayout } from "../support/oci-layout.ts";
import { type RegistryFixture, startRegistry } from "../support/registry.ts";
import { skopeoCopy } from "../support/registry-images.ts";
import { requires } from "../support/requires.ts";
import { roundsOf } from "../support/slow.ts";
import { tarArchive } from "../support/tar-fixtures.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { CREDS, faultCampaign, HASTY, HTPASSWD, PASSWORD } from "./fixtures.ts";

const SCHEDULES = roundsOf(60);
const scratch = temporaryDirectory("shared-build");
const storage = join(scratch, "storage");
const out = join(scratch, "out");
const IMAGE = "live/small:1";
const CHANGED = "live/small:2";
const MANIFEST = "application/vnd.oci.image.manifest.v1+json";

describe.skipIf(requires("docker-registry", "skopeo", HOST_GRUB))(
	"builds of a small image that share a cache through a registry",
	() => {
		let registry: RegistryFixture;
		let proxy: FaultyProxy;
		let machines = 0;
		/** Of the test's own; what the first build of the image pushed is there. */
		let tag = "";
		let tags = 0;
		/** What that build pushed. */
		let pushed: Buffer;
		/** What a build without any cache makes, by image. */
		const expected = new Map<string, string>();
		/** Digests of the layers of the images, bottom first. */
		const layers = new Map<string, readonly string[]>();

		beforeAll(async () => {
			registry = await startRegistry({ storage });
			proxy = await startFaultyProxy({ upstream: registry.host });
			mkdirSync(out);
			const data = (name: string, count: number): Buffer =>
				tarArchive(
					Array.from({ length: count }, (_, i) => ({
						...{ type: "file" as const, path: `usr/share/data/${name}-${i}` },
						content: Buffer.concat([
							noise(9000 + 40_000 * (i % 5), `${name} ${i}`),
							Buffer.alloc(3000 * (i % 3), "ab"),
						]),
					})),
				);
			const base = [...contractLayers(), data("base", 40)];
			for (const [name, top] of [
				[IMAGE, data("top", 4)],
				[CHANGED, data("new", 5)],
			] as const) {
				const image = writeOciLayout(join(scratch, name.replace(/\W/g, "-")), {
					layers: [...base, top].map((tar) => ({ tar, compression: "gzip" })),
				});
				await skopeoCopy(image.reference, `docker://${registry.host}/${name}`, "--preserve-digests");
				const digests = image.layers.map(({ digest }) => digest);
				layers.set(name, digests);
				expected.set(name, (await build(name, {}, registry.host)).sum);
			}
			await build(IMAGE, { cache: newMachine(), ...to("cache/small:first") });
			const answer = await request(manifestUrl("first"), { headers: { accept: MANIFEST } });
			pushed = Buffer.from(await answer.body.arrayBuffer());
		});
		afterAll(async () => {
			await proxy.stop();
			await registry.stop();
		});
		beforeEach(async () => {
			tag = `test-${tags++}`;
			await request(manifestUrl(tag), { method: "PUT", headers: { "content-type": MANIFEST }, body: pushed });
			proxy.use(() => ({ kind: "none" }));
		});
		afterEach(() => expect(readdirSync(out)).toEqual([]));

		const manifestUrl = (name: string): string => `http://${registry.host}/v2/cache/small/manifests/${name}`;
		/** The directory of a machine that has built nothing yet. */
		const newMachine = (): string => join(scratch, `machine-${machines++}`);
		async function build(
			image: string,
			options: Partial<BuildOptions>,
			host = proxy.host,
		): Promise<{ sum: string; report: BuildReport; read: readonly number[] }> {
			const output = join(out, "image.iso");
			const report = await buildIso({
				...{ image: `docker://${host}/${image}`, output, comp: "zstd", level: 1, tools: "builtin", tlsVerify: false },
				...{ force: true, transferPolicy: HASTY, ...options },
			});
			const sum = fileDigest(output);
			rmSync(output);
			return { sum, report, read: report.layers.map(({ timesRead }) => timesRead) };
		}
		/** A build on a machine that has nothing: its ISO is right, and it fetched so much of each layer. */
		async function expectFetched(image: string, options: Partial<BuildOptions>, fetched: readonly number[]) {
			proxy.use(() => ({ kind: "none" }));
			const built = await build(image, { cache: newMachine(), ...options });
			// whether a layer is there is asked in any case
			const gets = proxy.requests.filter(({ method }) => method === "GET");
			const counts = layers.get(image)?.map((digest) => gets.filter(({ path }) => path.endsWith(digest)).length);
			expect([built.sum, counts]).toEqual([expected.get(image), fetched]);
			return built;
		}
		const here = (): string => `cache/small:${tag}`;
		const from = (name = here()) => ({ cacheFrom: [`${proxy.host}/${name}`] });
		const to = (name = here()) => ({ cacheTo: `${proxy.host}/${name}` });
		const NONE = [0, 0, 0, 0, 0];
		const ONCE = [1, 1, 1, 1, 1];

		it("fetch the changed layer from the image and the others from the cache", async () => {
			const { report, read } = await expectFetched(CHANGED, { ...from(), ...to() }, [0, 0, 0, 0, 1]);
			expect(read).toEqual([0, 0, 0, 0, 1]);
			expect(report.sharedCache?.to?.problem).toBeUndefined();
			// the third has everything from the second, whose new blocks came to those of the first
			await expectFetched(CHANGED, from(), NONE);
			await expectFetched(IMAGE, from(), NONE);
			await expectFetched(IMAGE, from(`cache/small@${await firstDigest()}`), NONE);
		});

		const firstDigest = async (): Promise<string> => {
			const { headers, body } = await request(manifestUrl("first"), { method: "HEAD", headers: { accept: MANIFEST } });
			await body.dump();
			return String(headers["docker-content-digest"]);
		};

		it("fetch of the cache only what the machine lacks", async () => {
			const cache = newMachine();
			await build(CHANGED, { cache });
			const { report } = await expectFetched(IMAGE, { cache, ...from() }, NONE);
			const [cached] = report.sharedCache?.from ?? [];
			const lacking = report.layers.at(-1)?.reusedBytes ?? 0;
			expect(cached?.fetchedBytes).toBeLessThan(lacking + 0.01 * report.squashfs.byteLength + 8000);
			expect(cached?.layerIndexes).toBe(1);
		});

		it("push nothing twice", async () => {
			const cache = newMachine();
			const first = await build(IMAGE, { cache, ...to("cache/again:1") });
			const { manifestDigest } = first.report.sharedCache?.to ?? {};
			const again = await build(IMAGE, { cache, ...to("cache/again:1") });
			const elsewhere = await build(IMAGE, { cache: newMachine(), ...from("cache/again:1"), ...to("cache/again:1") });
			for (const { report } of [again, elsewhere])
				expect(report.sharedCache?.to).toMatchObject({ manifestDigest, uploadedBytes: 0 });
		});

		it("believe with a key only what was pushed with it, and what others pushed is not used from the store either", async () => {
			const key = (name: string, digits: string): { cacheKeyFile: string } => {
				writeFileSync(join(scratch, name), digits.repeat(4));
				return { cacheKeyFile: join(scratch, name) };
			};
			const mine = key("key", "0123456789abcdef");
			const passing = newMachine();
			const expectRead = async (options: Partial<BuildOptions>, layersRead: readonly number[], isUnsealed: boolean) => {
				const { sum, report, read } = await build(IMAGE, { cache: newMachine(), ...from(), ...options });
				const problem = report.sharedCache?.from[0]?.problem ?? "";
				expect([sum, read, /not sealed/.test(problem)]).toEqual([expected.get(IMAGE), layersRead, isUnsealed]);
			};
			await expectRead({ cache: passing }, NONE, false);
			await expectRead({ cache: passing, ...mine }, ONCE, true);
			// a build with the key leaves nothing at the tag that is not sealed
			await expectRead({ ...to(), ...mine }, ONCE, true);
			await expectRead(mine, NONE, false);
			await expectRead(key("other-key", "fedcba9876543210"), ONCE, true);
		});

		it("do not mix settings", async () => {
			const level = { level: 2 };
			const other = await build(IMAGE, { cache: newMachine(), ...from(), ...to(), ...level });
			expect(other.read).toEqual(ONCE);
			await expectFetched(IMAGE, from(), NONE);
			const same = await build(IMAGE, { cache: newMachine(), ...from(), ...level });
			expect([same.sum, same.read]).toEqual([other.sum, NONE]);
			const small = await build(IMAGE, { cache: newMachine(), ...from(), blockSize: 65536 });
			expect(small.read).toEqual(ONCE);
		});

		it("are the same where blobs of the cache are given whole only, are damaged or gone", async () => {
			proxy.use((path) => (path.includes("/cache/") ? { kind: "ignore-range" } : { kind: "none" }));
			const whole = await build(IMAGE, { cache: newMachine(), ...from() });
			expect([whole.sum, whole.read]).toEqual([expected.get(IMAGE), NONE]);
			const { config, layers: blobs } = JSON.parse(pushed.toString()) as Record<"config", { digest: string }> &
				Record<"layers", { digest: string }[]>;
			for (const [round, { digest }] of [config, ...blobs].entries()) {
				const hex = digest.replace("sha256:", "");
				const path = join(storage, "docker/registry/v2/blobs/sha256", hex.slice(0, 2), hex, "data");
				const intact = readFileSync(path);
				const damaged = Buffer.from(intact);
				const at = (round * 7919) % damaged.byteLength;
				damaged[at] = (damaged[at] ?? 0) ^ 1;
				writeFileSync(path, damaged);
				if (round % 3 === 1) truncateSync(path, at);
				if (round % 3 === 2) rmSync(path);
				proxy.use(() => ({ kind: "none" }));
				const { sum, report } = await build(IMAGE, { cache: newMachine(), ...from() });
				expect(sum).toBe(expected.get(IMAGE));
				if (intact.byteLength > 2) expect(report.notices.join()).toContain("shared cache");
				writeFileSync(path, intact);
			}
		});

		it("are none the worse for a cache that is not there or may not be pushed to, and say so", async () => {
			proxy.use((path, method) =>
				method === "POST" || path.includes("cache/nowhere") ? { kind: "status", status: 403 } : { kind: "none" },
			);
			const { sum, report } = await build(IMAGE, {
				cache: newMachine(),
				...from("cache/nowhere:1"),
				...to("cache/nowhere:1"),
			});
			expect(sum).toBe(expected.get(IMAGE));
			expect(report.notices).toEqual(
				expect.arrayContaining([
					expect.stringMatching(/^the shared cache .* was of no or less use: REGISTRY_DENIED/),
					expect.stringMatching(/^the shared cache was not pushed: REGISTRY_DENIED/),
				]),
			);
		});

		it("identify themselves, and give a password to the image's registry only", async () => {
			const closed = await startRegistry({ htpasswd: HTPASSWD, storage: join(scratch, "closed") });
			try {
				const place = `${closed.host}/a/cache:1`;
				const both = { cacheFrom: [place], cacheTo: place, creds: CREDS };
				const refused = await build(IMAGE, { cache: newMachine(), ...both });
				expect(refused.sum).toBe(expected.get(IMAGE));
				expect(refused.report.notices.filter((text) => text.includes("REGISTRY_UNAUTHORIZED"))).toHaveLength(2);
				expect(JSON.stringify(refused.report)).not.toContain(PASSWORD);
				const authFile = join(scratch, "auth.json");
				const auth = Buffer.from(CREDS).toString("base64");
				writeFileSync(authFile, JSON.stringify({ auths: { [closed.host]: { auth } } }));
				const { report } = await build(IMAGE, { cache: newMachine(), cacheTo: place, authFile });
				expect(report.sharedCache?.to?.problem).toBeUndefined();
				const local = `oci:${join(scratch, IMAGE.replace(/\W/g, "-"))}`;
				for (const options of [{ authFile }, { creds: CREDS, image: local }]) {
					const { sum, read } = await build(IMAGE, { cache: newMachine(), cacheFrom: [place], ...options });
					expect([sum, read]).toEqual([expected.get(IMAGE), NONE]);
				}
			} finally {
				await closed.stop();
			}
		});

		it.each([{ cacheTo: "oci:/tmp/x" }, { cacheFrom: ["dir:/x"] }, { cacheTo: `a/b@sha256:${"0".repeat(64)}` }])(
			"refuse what names no place in a registry: %j",
			async (wrong) => {
				await expect(build(IMAGE, wrong)).rejects.toMatchObject({ code: "REFERENCE_INVALID", exitStatus: 2 });
			},
		);

		it(`make the identical ISO in ${SCHEDULES} schedules of faults`, async () => {
			const source = from();
			const outcomes = await faultCampaign(
				proxy,
				SCHEDULES,
				async (seed) => {
					const own = `cache/faults:${seed}`;
					const { sum, report, read } = await build(CHANGED, {
						...{ cache: newMachine(), ...source, ...to(own) },
						transferPolicy: { ...HASTY, attempts: 4, responseMilliseconds: 1000, stallMilliseconds: 1000 },
					});
					expect(sum).toBe(expected.get(CHANGED));
					const isPushed = report.sharedCache?.to?.problem === undefined;
					proxy.use(() => ({ kind: "none" }));
					if (isPushed && seed % 4 === 0) expect((await build(CHANGED, from(own))).sum).toBe(sum);
					return `${read.reduce((a, b) => a + b)} layers read, ${isPushed ? "pushed" : "not pushed"}`;
				},
				{ rates: [0.05, 0.2, 0.5], hurts: (path) => path.includes("/cache/") },
			);
			expect(outcomes.size).toBeGreaterThan(2);
			expect(outcomes.get("1 layers read, pushed") ?? 0).toBeGreaterThan(SCHEDULES / 5);
		});
	},
);
