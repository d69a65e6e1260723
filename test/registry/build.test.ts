import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type BuildReport, buildIso, Oci2isoError, planBuild } from "../../src/index.ts";
import { oci2iso } from "../support/cli.ts";
import { contractLayers, HOST_GRUB } from "../support/contract-image.ts";
import { type FaultyProxy, startFaultyProxy } from "../support/faulty-proxy.ts";
import { debianFixture, FIXTURE_NEEDS } from "../support/fixture.ts";
import { sha256Of } from "../support/host-tree.ts";
import { writeOciLayout } from "../support/oci-layout.ts";
import { type RegistryFixture, startRegistry } from "../support/registry.ts";
import { skopeoCopy } from "../support/registry-images.ts";
import { requires } from "../support/requires.ts";
import { roundsOf } from "../support/slow.ts";
import { tarArchive } from "../support/tar-fixtures.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { faultCampaign, IMPATIENT } from "./fixtures.ts";

const SCHEDULES = roundsOf(100);
const scratch = temporaryDirectory("registry-build");
const out = join(scratch, "out");

describe.skipIf(requires("docker-registry", "skopeo"))("oci2iso build from a registry", () => {
	let registry: RegistryFixture;
	let proxy: FaultyProxy;
	beforeAll(async () => {
		registry = await startRegistry({ storage: join(scratch, "storage") });
		proxy = await startFaultyProxy({ upstream: registry.host });
		mkdirSync(out);
	});
	afterAll(async () => {
		await proxy.stop();
		await registry.stop();
	});

	it.skipIf(requires(...FIXTURE_NEEDS))(
		"gives the ISO of the layout that was pushed, also on a machine that has nothing and reads a shared cache in place of layers",
		async () => {
			const layout = `oci:${await debianFixture()}:latest`;
			await skopeoCopy(layout, `docker://${registry.host}/live/debian:12`, "--preserve-digests");
			const fromLayout = join(scratch, "layout.iso");
			await buildIso({ image: layout, output: fromLayout, comp: "lz4" });
			const sum = await sha256Of(fromLayout);
			const cache = `${proxy.host}/cache/debian:main`;
			const run = async (machine: string, ...options: string[]): Promise<BuildReport & { fetched: number }> => {
				proxy.use(() => ({ kind: "none" }));
				const [iso, report] = [join(out, "debian.iso"), join(scratch, `${machine}.json`)];
				const image = ["build", `docker://${proxy.host}/live/debian:12`, "-o", iso, "--comp", "lz4"];
				const env = { HOME: join(scratch, machine), XDG_CACHE_HOME: join(scratch, machine, "cache") };
				mkdirSync(env.HOME);
				const made = await oci2iso([...image, "--tls-verify=false", "--report", report, ...options], { env });
				expect([made.status, made.stderr]).toEqual([0, expect.stringContaining("label Oci2iso-Live")]);
				expect(await sha256Of(iso)).toBe(sum);
				rmSync(iso);
				const fetched = proxy.requests.filter(({ path, method }) => method === "GET" && path.includes("/live/"));
				return { ...(JSON.parse(readFileSync(report, "utf8")) as BuildReport), fetched: fetched.length };
			};
			const first = await run("first", "--cache-to", cache);
			for (const { compressedBytes: fetchedBytes, transfer } of first.layers)
				expect(transfer).toMatchObject({ host: proxy.host, fetchedBytes, repeatedBytes: 0, retries: 0 });
			expect(first.sharedCache?.to?.problem).toBeUndefined();
			const uploaded = first.sharedCache?.to?.uploadedBytes ?? 0;
			expect(uploaded).toBeLessThan(1.1 * first.squashfs.byteLength);
			const second = await run("second", "--cache-from", cache);
			const passing = await run("passing", "--cache-from", `docker://${cache}`, "--no-cache");
			for (const { fetched, layers, sharedCache } of [second, passing]) {
				// manifest and configuration
				expect(fetched).toBe(2);
				expect(layers.map(({ timesRead, transfer }) => [timesRead, transfer])).toEqual(
					layers.map(() => [0, undefined]),
				);
				// none of the artifact twice
				expect(sharedCache?.from[0]?.fetchedBytes).toBeLessThanOrEqual(uploaded);
			}
			expect(existsSync(join(scratch, "passing/cache"))).toBe(false);
		},
	);

	it.skipIf(!existsSync(HOST_GRUB))(
		"reads the image that was planned, though its tag names another by now",
		async () => {
			const image = `docker://${registry.host}/live/moving:latest`;
			const common = { tlsVerify: false, force: true, overwrite: true } as const;
			const push = async (...layers: Buffer[]): Promise<void> => {
				const directory = join(scratch, `moving-${layers.length}`);
				mkdirSync(directory);
				const all = [...contractLayers(), ...layers];
				writeOciLayout(directory, { layers: all.map((tar) => ({ tar, compression: "gzip" })) });
				await skopeoCopy(`oci:${directory}`, image, "--preserve-digests");
			};
			await push();
			const iso = join(out, "planned.iso");
			const plan = await planBuild({ image, comp: "lz4", tlsVerify: false });
			await buildIso({ ...common, image, comp: "lz4", output: iso });
			const digest = await sha256Of(iso);
			await push(tarArchive([{ type: "file", path: "new", content: Buffer.from("new") }]));
			const { image: read } = await buildIso({ ...common, plan, output: iso });
			expect([read.manifestDigest, await sha256Of(iso)]).toEqual([plan.image.manifestDigest, digest]);
			const { image: moved } = await buildIso({ ...common, image, comp: "lz4", output: iso });
			expect(moved.manifestDigest).not.toBe(plan.image.manifestDigest);
			rmSync(iso);
		},
	);

	it("says with exit 4 that there is no such image, registry or permission", async () => {
		for (const image of [`docker://${registry.host}/no/such:image`, "docker://127.0.0.1:1/a/b:c"]) {
			const { status, stderr } = await oci2iso(["build", image, "-o", join(out, "x.iso"), "--tls-verify=false"]);
			expect([status, stderr]).toEqual([4, expect.not.stringMatching(/^ {4}at /m)]);
			expect(readdirSync(out)).toEqual([]);
		}
	});

	it.skipIf(!existsSync(HOST_GRUB))(`makes the identical ISO or none at all, in ${SCHEDULES} schedules`, async () => {
		const layers = contractLayers().map((tar, i) => ({ tar, compression: i === 1 ? "none" : "gzip" }) as const);
		const { reference } = writeOciLayout(join(scratch, "small"), { layers });
		await skopeoCopy(reference, `docker://${registry.host}/live/small:1`);
		const build = async (host: string): Promise<string> => {
			const output = join(out, "small.iso");
			await buildIso({
				...{ image: `docker://${host}/live/small:1`, output, comp: "lz4", tools: "builtin", tlsVerify: false },
				// its kernel is noise
				force: true,
				transferPolicy: { ...IMPATIENT, windowBytes: 100_000 },
			});
			const sum = await sha256Of(output);
			rmSync(output);
			return sum;
		};
		const expected = await build(registry.host);
		const outcomes = await faultCampaign(
			proxy,
			SCHEDULES,
			async () => {
				let outcome = "identical";
				try {
					expect(await build(proxy.host)).toBe(expected);
				} catch (error) {
					if (!(error instanceof Oci2isoError)) throw error;
					outcome = `${error.exitStatus}`;
					expect([4, 5]).toContain(error.exitStatus);
					expect(error.message).toMatch(/sha256:|\/live\/small/);
				}
				expect(readdirSync(out)).toEqual([]);
				return outcome;
			},
			{ firstSeed: 1000 },
		);
		expect(outcomes.get("identical") ?? 0).toBeGreaterThan(SCHEDULES / 4);
		expect(outcomes.size).toBeGreaterThan(1);
	});
});
