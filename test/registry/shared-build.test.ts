import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type BuildOptions, type BuildReport, buildIso } from "../../src/index.ts";
import { oci2iso } from "../support/cli.ts";
import { contractLayers, HOST_GRUB } from "../support/contract-image.ts";
import { drawFault, seeded } from "../support/fault-schedules.ts";
import { type FaultyProxy, startFaultyProxy } from "../support/faulty-proxy.ts";
import { debianFixture, FIXTURE_NEEDS } from "../support/fixture.ts";
import { sha256Of } from "../support/host-tree.ts";
import { noise } from "../support/noise.ts";
import { writeOciLayout } from "../support/oci-layout.ts";
import { type RegistryFixture, startRegistry } from "../support/registry.ts";
import { skopeoCopy } from "../support/registry-images.ts";
import { requires } from "../support/requires.ts";
import { roundsOf } from "../support/slow.ts";
import { tarArchive } from "../support/tar-fixtures.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const SCHEDULES = roundsOf(60);
const scratch = temporaryDirectory("shared-build");
const storage = join(scratch, "storage");
const out = join(scratch, "out");
const IMAGE = "live/small:1";
const CHANGED = "live/small:2";

describe.skipIf(requires("docker-registry", "skopeo"))("builds that share a cache through a registry", () => {
	let registry: RegistryFixture;
	let proxy: FaultyProxy;
	let cache = "";
	let machines = 0;
	/** What a build without any cache makes, by image. */
	const expected = new Map<string, string>();
	/** Digests of the layers of the small images, bottom first. */
	const layers = new Map<string, readonly string[]>();

	beforeAll(async () => {
		registry = await startRegistry({ storage });
		proxy = await startFaultyProxy({ upstream: registry.host });
		mkdirSync(out);
		const data = (name: string, count: number): Buffer =>
			tarArchive(
				Array.from({ length: count }, (_, i) => ({
					...{ type: "file" as const, path: `usr/share/data/${name}-${i}` },
					content: Buffer.concat([noise(9000 + 40_000 * (i % 5), `${name} ${i}`), Buffer.alloc(3000 * (i % 3), "ab")]),
				})),
			);
		if (!existsSync(HOST_GRUB)) return;
		const base = [...contractLayers(), data("base", 40)];
		for (const [name, tars] of [
			[IMAGE, [...base, data("top", 4)]],
			[CHANGED, [...base, data("new", 5)]],
		] as const) {
			const directory = join(scratch, name.replace(/\W/g, "-"));
			const image = writeOciLayout(directory, { layers: tars.map((tar) => ({ tar, compression: "gzip" as const })) });
			await skopeoCopy(image.reference, `docker://${registry.host}/${name}`, "--preserve-digests");
			layers.set(
				name,
				image.layers.map(({ digest }) => digest),
			);
			expected.set(name, (await build(name, {}, registry.host)).sum);
		}
	});
	afterAll(async () => {
		await proxy.stop();
		await registry.stop();
	});
	beforeEach(({ task }) => {
		cache = `cache/${task.id.replace(/[^0-9a-z]+/g, "x")}:main`;
		proxy.use(() => ({ kind: "none" }));
	});
	afterEach(() => expect(readdirSync(out)).toEqual([]));

	/** The directory of a machine that has built nothing yet. */
	const newMachine = (): string => {
		machines++;
		return join(scratch, `machine-${machines}`);
	};
	async function build(
		image: string,
		options: Partial<BuildOptions>,
		host = proxy.host,
	): Promise<{ sum: string; report: BuildReport }> {
		const output = join(out, "image.iso");
		const report = await buildIso({
			...{
				image: `docker://${host}/${image}`,
				output,
				comp: "zstd",
				level: 3,
				tools: "builtin",
				tlsVerify: false,
				force: true,
			},
			transferPolicy: { attempts: 6, backoffMilliseconds: 1, maxBackoffMilliseconds: 4 },
			...options,
		});
		const sum = await sha256Of(output);
		rmSync(output);
		return { sum, report };
	}
	/** How often each layer was fetched; whether it is there is asked in any case. */
	const layerRequests = (image: string): number[] =>
		(layers.get(image) ?? []).map(
			(digest) => proxy.requests.filter(({ method, path }) => method === "GET" && path.endsWith(digest)).length,
		);
	const from = (name = cache) => ({ cacheFrom: [`${proxy.host}/${name}`] });
	const to = (name = cache) => ({ cacheTo: `${proxy.host}/${name}` });

	it.skipIf(requires(...FIXTURE_NEEDS))(
		"are the same on a machine that has nothing, and read no layer there",
		async () => {
			const layout = await debianFixture();
			await skopeoCopy(`oci:${layout}:latest`, `docker://${registry.host}/live/debian:12`, "--preserve-digests");
			const machine = (number: number): NodeJS.ProcessEnv => {
				const home = join(scratch, `home-${number}`);
				mkdirSync(home);
				return { HOME: home, XDG_CACHE_HOME: join(home, "cache") };
			};
			const run = async (env: NodeJS.ProcessEnv, ...options: string[]) => {
				proxy.use(() => ({ kind: "none" }));
				const iso = join(out, "debian.iso");
				const report = join(scratch, "report.json");
				const { status, stderr } = await oci2iso(
					[
						...[
							"build",
							`docker://${proxy.host}/live/debian:12`,
							"-o",
							iso,
							"--overwrite",
							"--comp",
							"zstd",
							"--level",
							"3",
						],
						...["--tls-verify=false", "--report", report, ...options],
					],
					{ env },
				);
				expect([status, stderr]).toEqual([0, expect.anything()]);
				const sum = await sha256Of(iso);
				rmSync(iso);
				const fetched = proxy.requests.filter(({ path, method }) => method === "GET" && path.includes("/live/"));
				return { sum, fetched: fetched.length, report: JSON.parse(readFileSync(report, "utf8")) as BuildReport };
			};
			const plain = await run(machine(1), "--no-cache");
			const first = await run(machine(2), "--cache-to", `${proxy.host}/${cache}`);
			const second = await run(machine(3), "--cache-from", `${proxy.host}/${cache}`);
			const passing = await run(machine(4), "--cache-from", `docker://${proxy.host}/${cache}`, "--no-cache");
			expect([first.sum, second.sum, passing.sum]).toEqual([plain.sum, plain.sum, plain.sum]);
			expect(first.report.sharedCache?.to?.problem).toBeUndefined();
			for (const { fetched, report } of [second, passing]) {
				// manifest and configuration
				expect(fetched).toBe(2);
				expect(report.layers.map(({ timesRead, transfer }) => [timesRead, transfer])).toEqual(
					report.layers.map(() => [0, undefined]),
				);
				// all of the artifact once, and none of it twice
				const uploaded = first.report.sharedCache?.to?.uploadedBytes ?? 0;
				expect(report.sharedCache?.from[0]?.fetchedBytes).toBeLessThanOrEqual(uploaded);
				expect(uploaded).toBeLessThan(1.1 * report.squashfs.byteLength);
			}
			expect(existsSync(join(scratch, "home-4/cache"))).toBe(false);
		},
	);

	describe.skipIf(!existsSync(HOST_GRUB))("of a small image", () => {
		it("fetch the changed layer from the image and the others from the cache", async () => {
			await build(IMAGE, { cache: newMachine(), ...to() });
			proxy.use(() => ({ kind: "none" }));
			const second = newMachine();
			const { sum, report } = await build(CHANGED, { cache: second, ...from(), ...to() });
			expect(sum).toBe(expected.get(CHANGED));
			expect(layerRequests(CHANGED)).toEqual([0, 0, 0, 0, 1]);
			expect(report.layers.map(({ timesRead }) => timesRead)).toEqual([0, 0, 0, 0, 1]);
			expect(report.sharedCache?.to?.problem).toBeUndefined();
			// the third has everything from the second, whose new blocks came to those of the first
			proxy.use(() => ({ kind: "none" }));
			const third = await build(CHANGED, { cache: newMachine(), ...from() });
			expect([third.sum, layerRequests(CHANGED)]).toEqual([expected.get(CHANGED), [0, 0, 0, 0, 0]]);
			const old = await build(IMAGE, { cache: newMachine(), ...from() });
			expect([old.sum, layerRequests(IMAGE)]).toEqual([expected.get(IMAGE), [0, 0, 0, 0, 0]]);
		});

		it("fetch of the cache only what the machine lacks", async () => {
			await build(IMAGE, { cache: newMachine(), ...to() });
			const machine = newMachine();
			await build(CHANGED, { cache: machine });
			proxy.use(() => ({ kind: "none" }));
			const { sum, report } = await build(IMAGE, { cache: machine, ...from() });
			expect([sum, layerRequests(IMAGE)]).toEqual([expected.get(IMAGE), [0, 0, 0, 0, 0]]);
			const top = report.layers.at(-1);
			expect(report.sharedCache?.from[0]?.fetchedBytes).toBeLessThan(
				(top?.reusedBytes ?? 0) + 0.01 * report.squashfs.byteLength + 8000,
			);
			expect(report.sharedCache?.from[0]?.layerIndexes).toBe(1);
		});

		it("push nothing twice", async () => {
			const machine = newMachine();
			const first = await build(IMAGE, { cache: machine, ...to() });
			const again = await build(IMAGE, { cache: machine, ...to() });
			const elsewhere = await build(IMAGE, { cache: newMachine(), ...from(), ...to() });
			const { manifestDigest } = first.report.sharedCache?.to ?? {};
			for (const { report } of [again, elsewhere])
				expect(report.sharedCache?.to).toMatchObject({ manifestDigest, uploadedBytes: 0 });
		});

		it("believe with a key only what was pushed with it, and what others pushed is not used from the store either", async () => {
			const cacheKeyFile = join(scratch, "key");
			writeFileSync(cacheKeyFile, "0123456789abcdef".repeat(4));
			const unread = [0, 0, 0, 0, 0];
			const once = [1, 1, 1, 1, 1];
			const [machine, passing] = [newMachine(), newMachine()];
			const outcomeOf = async (options: Partial<BuildOptions>) => {
				const { sum, report } = await build(IMAGE, options);
				const problem = report.sharedCache?.from[0]?.problem ?? "";
				return [sum, report.layers.map(({ timesRead }) => timesRead), /not sealed/.test(problem)];
			};
			const sum = expected.get(IMAGE);
			await build(IMAGE, { cache: newMachine(), ...to() });
			expect(await outcomeOf({ cache: passing, ...from() })).toEqual([sum, unread, false]);
			expect(await outcomeOf({ cache: passing, ...from(), cacheKeyFile })).toEqual([sum, once, true]);
			// a build with the key leaves nothing at the tag that is not sealed
			expect(await outcomeOf({ cache: machine, ...from(), ...to(), cacheKeyFile })).toEqual([sum, once, true]);
			expect(await outcomeOf({ cache: newMachine(), ...from(), cacheKeyFile })).toEqual([sum, unread, false]);
			const otherKey = join(scratch, "other-key");
			writeFileSync(otherKey, "fedcba9876543210".repeat(4));
			expect(await outcomeOf({ cache: newMachine(), ...from(), cacheKeyFile: otherKey })).toEqual([sum, once, true]);
		});

		it("do not mix settings", async () => {
			await build(IMAGE, { cache: newMachine(), ...to(), level: 1 });
			const { sum } = await build(IMAGE, { cache: newMachine(), ...from(), ...to() });
			expect(sum).toBe(expected.get(IMAGE));
			proxy.use(() => ({ kind: "none" }));
			const both = await build(IMAGE, { cache: newMachine(), ...from() });
			expect([both.sum, layerRequests(IMAGE)]).toEqual([expected.get(IMAGE), [0, 0, 0, 0, 0]]);
			const small = await build(IMAGE, { cache: newMachine(), ...from(), blockSize: 65536 });
			expect(small.report.layers.map(({ timesRead }) => timesRead)).toEqual([1, 1, 1, 1, 1]);
		});

		it("are the same with a registry that gives whole blobs only", async () => {
			await build(IMAGE, { cache: newMachine(), ...to() });
			proxy.use((path) => (path.includes("/cache/") ? { kind: "ignore-range" } : { kind: "none" }));
			const { sum } = await build(IMAGE, { cache: newMachine(), ...from() });
			expect([sum, layerRequests(IMAGE)]).toEqual([expected.get(IMAGE), [0, 0, 0, 0, 0]]);
		});

		it("are the same where blobs of the cache are damaged or gone", async () => {
			await build(IMAGE, { cache: newMachine(), ...to() });
			const [repository = ""] = cache.split(":");
			const links = join(storage, "docker/registry/v2/repositories", repository, "_layers/sha256");
			const random = seeded(11);
			for (const [round, hex] of readdirSync(links).entries()) {
				const path = join(storage, "docker/registry/v2/blobs/sha256", hex.slice(0, 2), hex, "data");
				const intact = readFileSync(path);
				const damaged = Buffer.from(intact);
				const at = Math.floor(random() * damaged.byteLength);
				damaged[at] = (damaged[at] ?? 0) ^ 1;
				writeFileSync(path, damaged);
				if (round % 3 === 1) truncateSync(path, at);
				if (round % 3 === 2) rmSync(path);
				const { sum, report } = await build(IMAGE, { cache: newMachine(), ...from() });
				expect(sum).toBe(expected.get(IMAGE));
				if (intact.byteLength > 2) expect(report.notices.join()).toContain("shared cache");
				writeFileSync(path, intact);
			}
		});

		it("are none the worse for a cache that is not there or may not be pushed to, and say so", async () => {
			proxy.use((path, method) =>
				method === "POST" || path.includes("/manifests/main") ? { kind: "status", status: 403 } : { kind: "none" },
			);
			const { sum, report } = await build(IMAGE, { cache: newMachine(), ...from(), ...to() });
			expect(sum).toBe(expected.get(IMAGE));
			expect(report.notices).toEqual(
				expect.arrayContaining([
					expect.stringMatching(/^the shared cache .* was of no or less use: REGISTRY_DENIED/),
					expect.stringMatching(/^the shared cache was not pushed: REGISTRY_DENIED/),
				]),
			);
		});

		it("identify themselves, and give a password to the image's registry only", async () => {
			const password = "correct horse";
			/** bcrypt, four rounds. */
			const htpasswd = "alice:$2b$04$miZGh/h14Iv3ZD3Ttns6zebTw5WSWUdkhWydz/JQT39b2p7KbuzMq\n";
			const closed = await startRegistry({ htpasswd, storage: join(scratch, "closed") });
			try {
				const [place, creds] = [`${closed.host}/a/cache:1`, `alice:${password}`];
				const refused = await build(IMAGE, { cache: newMachine(), cacheFrom: [place], cacheTo: place, creds });
				expect(refused.sum).toBe(expected.get(IMAGE));
				expect(refused.report.notices.filter((text) => text.includes("REGISTRY_UNAUTHORIZED"))).toHaveLength(2);
				expect(JSON.stringify(refused.report)).not.toContain(password);
				const authFile = join(scratch, "auth.json");
				const auth = Buffer.from(creds).toString("base64");
				writeFileSync(authFile, JSON.stringify({ auths: { [closed.host]: { auth } } }));
				const pushed = await build(IMAGE, { cache: newMachine(), cacheTo: place, authFile });
				expect(pushed.report.sharedCache?.to?.problem).toBeUndefined();
				const local = `oci:${join(scratch, IMAGE.replace(/\W/g, "-"))}`;
				for (const options of [{ authFile }, { creds, image: local }]) {
					const { sum, report } = await build(IMAGE, { cache: newMachine(), cacheFrom: [place], ...options });
					expect(sum).toBe(expected.get(IMAGE));
					expect(report.layers.map(({ timesRead }) => timesRead)).toEqual([0, 0, 0, 0, 0]);
				}
			} finally {
				await closed.stop();
			}
		});

		it("refuse what names no place in a registry", async () => {
			for (const wrong of [
				{ cacheTo: "oci:/tmp/x" },
				{ cacheFrom: ["dir:/x"] },
				{ cacheTo: `a/b@sha256:${"0".repeat(64)}` },
			])
				await expect(build(IMAGE, wrong)).rejects.toMatchObject({ code: "REFERENCE_INVALID", exitStatus: 2 });
		});

		it("pin a cache by its digest", async () => {
			const { report } = await build(IMAGE, { cache: newMachine(), ...to() });
			const digest = report.sharedCache?.to?.manifestDigest ?? "";
			await build(CHANGED, { cache: newMachine(), ...to() });
			proxy.use(() => ({ kind: "none" }));
			const pinned = `${cache.replace(/:main$/, "")}@${digest}`;
			const { sum } = await build(IMAGE, { cache: newMachine(), ...from(pinned) });
			expect([sum, layerRequests(IMAGE)]).toEqual([expected.get(IMAGE), [0, 0, 0, 0, 0]]);
		});

		it(`make the identical ISO in ${SCHEDULES} schedules of faults`, async () => {
			await build(IMAGE, { cache: newMachine(), ...to() });
			const outcomes = new Map<string, number>();
			for (let seed = 0; seed < SCHEDULES; seed++) {
				const random = seeded(seed);
				const rate = [0.05, 0.2, 0.5][seed % 3] ?? 0;
				proxy.use((path) => (path.includes("/cache/") && random() < rate ? drawFault(random) : { kind: "none" }));
				const { sum, report } = await build(CHANGED, {
					...{ cache: newMachine(), ...from(), ...to(`cache/faults:${seed}`) },
					transferPolicy: {
						...{ attempts: 4, backoffMilliseconds: 1, maxBackoffMilliseconds: 4 },
						...{ responseMilliseconds: 300, stallMilliseconds: 300 },
					},
				});
				expect(sum, `schedule ${seed}:\n${proxy.history.join("\n")}`).toBe(expected.get(CHANGED));
				const read = report.layers.reduce((sum, { timesRead }) => sum + timesRead, 0);
				const outcome = `${read} layers read, ${report.sharedCache?.to?.problem === undefined ? "pushed" : "not pushed"}`;
				outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
				proxy.use(() => ({ kind: "none" }));
				if (report.sharedCache?.to?.problem === undefined && seed % 4 === 0)
					expect((await build(CHANGED, { ...from(`cache/faults:${seed}`) })).sum).toBe(expected.get(CHANGED));
			}
			process.stderr.write(`outcomes of ${SCHEDULES} schedules: ${JSON.stringify(Object.fromEntries(outcomes))}\n`);
			expect(outcomes.size).toBeGreaterThan(2);
			expect(outcomes.get("1 layers read, pushed") ?? 0).toBeGreaterThan(SCHEDULES / 5);
		});
	});
});
