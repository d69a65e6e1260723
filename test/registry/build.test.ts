import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type BuildReport, buildIso, Oci2isoError, planBuild } from "../../src/index.ts";
import { oci2iso } from "../support/cli.ts";
import { contractLayers, HOST_GRUB } from "../support/contract-image.ts";
import { drawFault, seeded } from "../support/fault-schedules.ts";
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

const SCHEDULES = roundsOf(150);
const scratch = temporaryDirectory("registry-build");
const out = join(scratch, "out");

describe.skipIf(requires("docker-registry", "skopeo"))("oci2iso build from a registry", () => {
	let registry: RegistryFixture;
	beforeAll(async () => {
		registry = await startRegistry({ storage: join(scratch, "storage") });
		mkdirSync(out);
	});
	afterAll(async () => {
		await registry.stop();
	});

	it.skipIf(requires(...FIXTURE_NEEDS))(
		"gives the same ISO as from the layout that was pushed, and reports the transfers",
		async () => {
			const layout = `oci:${await debianFixture()}:latest`;
			await skopeoCopy(layout, `docker://${registry.host}/live/debian:12`, "--preserve-digests");
			const [fromLayout, fromRegistry] = [join(out, "layout.iso"), join(out, "registry.iso")];
			await buildIso({ image: layout, output: fromLayout, comp: "lz4" });
			const report = join(scratch, "report.json");
			const pulled = await oci2iso([
				...["build", `docker://${registry.host}/live/debian:12`, "-o", fromRegistry, "--comp", "lz4"],
				...["--tls-verify=false", "--report", report],
			]);
			expect([pulled.status, pulled.stderr]).toEqual([0, expect.stringContaining("label Oci2iso-Live")]);
			expect(await sha256Of(fromRegistry)).toBe(await sha256Of(fromLayout));
			const { layers } = JSON.parse(readFileSync(report, "utf8")) as BuildReport;
			for (const { compressedBytes, transfer } of layers)
				expect(transfer).toMatchObject({
					host: registry.host,
					fetchedBytes: compressedBytes,
					repeatedBytes: 0,
					retries: 0,
				});
			for (const name of readdirSync(out)) rmSync(join(out, name));
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
	}, 120_000);

	describe.skipIf(!existsSync(HOST_GRUB))("behind a faulty network", () => {
		let proxy: FaultyProxy;
		beforeAll(async () => {
			const layers = contractLayers().map((tar, i) => ({
				tar,
				compression: i === 1 ? ("none" as const) : ("gzip" as const),
			}));
			const { reference } = writeOciLayout(join(scratch, "small"), { layers });
			await skopeoCopy(reference, `docker://${registry.host}/live/small:1`);
			proxy = await startFaultyProxy({ upstream: registry.host });
		});
		afterAll(() => proxy.stop());

		const build = async (host: string): Promise<string> => {
			const output = join(out, "small.iso");
			await buildIso({
				...{ image: `docker://${host}/live/small:1`, output, comp: "lz4", tools: "builtin", tlsVerify: false },
				// its kernel is noise
				force: true,
				transferPolicy: {
					...{ attempts: 6, backoffMilliseconds: 1, maxBackoffMilliseconds: 4 },
					...{ responseMilliseconds: 150, stallMilliseconds: 150, windowBytes: 100_000 },
				},
			});
			const sum = await sha256Of(output);
			rmSync(output);
			return sum;
		};

		it(`makes the identical ISO or none at all, in ${SCHEDULES} schedules`, async () => {
			const expected = await build(registry.host);
			const outcomes = new Map<string, number>();
			for (let seed = 0; seed < SCHEDULES; seed++) {
				const random = seeded(1000 + seed);
				const rate = [0.1, 0.3, 0.6][seed % 3] ?? 0;
				proxy.use(() => (random() < rate ? drawFault(random) : { kind: "none" }));
				let outcome = "identical";
				try {
					expect(await build(proxy.host), `schedule ${seed}`).toBe(expected);
				} catch (error) {
					if (!(error instanceof Oci2isoError)) throw error;
					outcome = `${error.exitStatus}`;
					expect([4, 5]).toContain(error.exitStatus);
					expect(error.message).toMatch(/sha256:|\/live\/small/);
				}
				expect(readdirSync(out), `schedule ${seed}`).toEqual([]);
				outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
			}
			expect(outcomes.get("identical") ?? 0).toBeGreaterThan(SCHEDULES / 4);
			expect(outcomes.size).toBeGreaterThan(1);
		});
	});
});
