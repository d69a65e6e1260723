import { createServer } from "node:http";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Oci2isoError } from "../../src/errors.ts";
import { type OciImage, type OpenImageOptions, openImage } from "../../src/oci/open-image.ts";
import { type FaultKind, type FaultyProxy, startFaultyProxy } from "../support/faulty-proxy.ts";
import { noise } from "../support/noise.ts";
import { tarOf } from "../support/oci-archive.ts";
import { type LayoutLayer, writeOciLayout } from "../support/oci-layout.ts";
import { bareEnvironment, type RegistryFixture, startRegistry } from "../support/registry.ts";
import { readArchives, skopeoCopy } from "../support/registry-images.ts";
import { type LoopbackServer, listen } from "../support/registry-loopback.ts";
import { requires } from "../support/requires.ts";
import { roundsOf } from "../support/slow.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { faultCampaign, IMPATIENT, withOpen } from "./fixtures.ts";

const SCHEDULES = roundsOf(250);
const LAYER_BYTES = 120_000;
const secretToken = "token-that-nobody-may-see";

const scratch = temporaryDirectory("faults");

describe.skipIf(requires("docker-registry", "skopeo"))("an image behind a faulty network", () => {
	let registry: RegistryFixture;
	let tokens: LoopbackServer;
	let proxy: FaultyProxy;
	let tars: Buffer[] = [];
	let digests: string[] = [];
	let issued = 0;

	beforeAll(async () => {
		tars = await Promise.all(
			["base", "middle", "top"].map((name) => tarOf([{ name, bytes: noise(LAYER_BYTES, name) }])),
		);
		registry = await startRegistry({ storage: join(scratch, "storage") });
		const layers = tars.map((tar, i): LayoutLayer => ({ tar, compression: i === 1 ? "zstd" : "gzip" }));
		const layout = writeOciLayout(join(scratch, "layout"), { layers });
		await skopeoCopy(layout.reference, `docker://${registry.host}/test/image:1`);
		const image = await openImage(`docker://${registry.host}/test/image:1`, options());
		await readArchives(image);
		digests = [image.manifestDigest, ...image.transfers.map(({ digest }) => digest)];
		await image.close();
		tokens = await listen(
			createServer((_, response) => {
				issued++;
				response.end(JSON.stringify({ token: `${secretToken}-${issued}`, expires_in: 300 }));
			}),
		);
		proxy = await startFaultyProxy({
			upstream: registry.host,
			challenge: `Bearer realm="http://${tokens.host}/token",service="test"`,
			requireToken: () => (issued === 0 ? secretToken : `${secretToken}-${issued}`),
		});
	});
	afterAll(async () => {
		await proxy.stop();
		await tokens.stop();
		await registry.stop();
	});

	const options = (policy: OpenImageOptions["policy"] = {}): OpenImageOptions => ({
		platform: "linux/amd64",
		tlsVerify: false,
		environment: bareEnvironment(scratch),
		policy: { ...IMPATIENT, windowBytes: 100_000, ...policy },
	});

	async function pull(policy?: OpenImageOptions["policy"]): Promise<{ archives: Buffer[]; image: OciImage }> {
		const opening = openImage(`docker://${proxy.host}/test/image:1`, options(policy));
		return await withOpen(opening, async (image) => ({ archives: await readArchives(image), image }));
	}

	it(`gives the same bytes or says which blob failed, in ${SCHEDULES} schedules`, async () => {
		const round = async (): Promise<string> => {
			try {
				const { archives } = await pull();
				expect(archives.map((archive, i) => archive.equals(tars[i] ?? Buffer.alloc(0)))).toEqual([true, true, true]);
				return "identical";
			} catch (error) {
				if (!(error instanceof Oci2isoError)) throw error;
				const { message } = error;
				expect([4, 5], message).toContain(error.exitStatus);
				expect([...digests, "/test/image:1"].filter((name) => message.includes(name))).not.toEqual([]);
				if (error.kind === "registry") expect(message).toContain(proxy.host);
				expect(message).not.toContain(secretToken);
				return `${error.exitStatus} ${error.code}`;
			} finally {
				for (const headers of proxy.elsewhere) expect(headers.authorization).toBeUndefined();
			}
		};
		const outcomes = await faultCampaign(proxy, SCHEDULES, round, { rates: [0.1, 0.3, 0.6, 0.95] });
		expect(outcomes.get("identical") ?? 0).toBeGreaterThan(SCHEDULES / 3);
		expect(outcomes.size).toBeGreaterThan(3);
	});

	/** What happens to the first requests for the top layer, which is read first; nothing happens to all others. */
	function onTopLayer(...faults: readonly FaultKind[]): void {
		const left = [...faults];
		const top = digests.at(-3);
		proxy.use((path) => (path.endsWith(`/blobs/${top}`) ? (left.shift() ?? { kind: "none" }) : { kind: "none" }));
	}
	/** A busy machine must not look like a faulty network where the number of retries is asserted. */
	const patient = { responseMilliseconds: 10_000, stallMilliseconds: 10_000 };
	async function topTransfer(policy?: OpenImageOptions["policy"]) {
		const { archives, image } = await pull({ ...patient, ...policy });
		expect(archives.map((archive, i) => archive.equals(tars[i] ?? archive.subarray(1)))).toEqual([true, true, true]);
		const transfer = image.transfers.find(({ digest }) => digest === digests.at(-3));
		const size = image.layers.find(({ digest }) => digest === transfer?.digest)?.compressedBytes ?? 0;
		return { size, ...(transfer ?? { fetchedBytes: 0, resumedBytes: 0, repeatedBytes: 0, retries: 0 }) };
	}

	it("continues where a connection broke", async () => {
		onTopLayer({ kind: "drop", at: 0.5 });
		const { size, fetchedBytes, resumedBytes, repeatedBytes, retries } = await topTransfer();
		expect({ fetchedBytes, repeatedBytes, retries }).toEqual({ fetchedBytes: size, repeatedBytes: 0, retries: 1 });
		expect(resumedBytes).toBeGreaterThan(size / 3);
		expect(resumedBytes).toBeLessThan(size);
		expect(proxy.history.join()).toMatch(/bytes=\d+-\d+/);
	});

	it("continues after an end that came too early, and after a stall", async () => {
		onTopLayer({ kind: "truncate", at: 0.3 }, { kind: "stall", at: 0.5 });
		const { size, fetchedBytes, retries } = await topTransfer({ stallMilliseconds: 500 });
		expect({ fetchedBytes, retries }).toEqual({ fetchedBytes: size, retries: 2 });
	});

	it.each([
		["all of it", { kind: "ignore-range" }],
		["another part", { kind: "wrong-range" }],
		["a part of something longer", { kind: "wrong-total" }],
		["that there is no such part", { kind: "range-not-satisfiable" }],
	] as const)("passes over what it has when the answer to Range is %s", async (_, fault) => {
		onTopLayer({ kind: "drop", at: 0.5 }, fault);
		const { size, fetchedBytes, repeatedBytes } = await topTransfer();
		expect(repeatedBytes).toBeGreaterThan(size / 3);
		expect(fetchedBytes).toBe(size + repeatedBytes);
	});

	it("gets a fresh token in the middle of a blob, and no token gets to another host", async () => {
		const before = issued;
		onTopLayer(
			{ kind: "drop", at: 0.2 },
			{ kind: "expired-token" },
			{ kind: "redirect", expired: true },
			{ kind: "redirect", expired: false },
		);
		const { size, fetchedBytes } = await topTransfer();
		expect(fetchedBytes).toBe(size);
		expect(issued).toBeGreaterThan(before + 1);
		expect(proxy.elsewhere).toHaveLength(2);
		expect(proxy.elsewhere.map(({ range }) => range?.startsWith("bytes="))).toEqual([true, true]);
		expect(proxy.elsewhere.map(({ authorization }) => authorization)).toEqual([undefined, undefined]);
	});

	it("waits as long as a server asks for, within reason", async () => {
		onTopLayer({ kind: "status", status: 429, retryAfter: "1" });
		const started = performance.now();
		await topTransfer();
		expect(performance.now() - started).toBeGreaterThan(990);
		onTopLayer({ kind: "status", status: 429, retryAfter: "21600" });
		await expect(pull()).rejects.toMatchObject({
			code: "REGISTRY_RATE_LIMITED",
			exitStatus: 4,
			message: expect.stringContaining("in 21600 s"),
		});
	});

	it("does not take a slow reader for a slow network", async () => {
		proxy.use(() => ({ kind: "none" }));
		const image = await openImage(
			`docker://${proxy.host}/test/image:1`,
			options({ ...patient, stallMilliseconds: 400, windowBytes: 1000 }),
		);
		let isFirst = true;
		for await (const _ of image.layers[2]?.tar() ?? []) {
			if (isFirst) await new Promise((resolve) => setTimeout(resolve, 1200));
			isFirst = false;
		}
		expect(await readArchives(image)).toHaveLength(3);
		expect(image.transfers.map(({ retries }) => retries)).toEqual([0, 0, 0, 0]);
		await image.close();
	});

	it("is fetched ahead of its reader", async () => {
		proxy.use(() => ({ kind: "none" }));
		const image = await openImage(`docker://${proxy.host}/test/image:1`, options(patient));
		const requested = (): boolean[] =>
			image.layers.map(({ digest }) => proxy.history.some((line) => line.startsWith(digest.slice(0, 20))));
		expect(requested()).toEqual([false, false, false]);
		for await (const _ of image.layers[2]?.tar() ?? []) {
			for (let waits = 0; requested().includes(false) && waits < 200; waits++)
				await new Promise((resolve) => setTimeout(resolve, 50));
			expect(requested()).toEqual([true, true, true]);
		}
		await image.close();
		expect(proxy.history.filter((line) => line.startsWith("sha256:"))).toHaveLength(4);
	});

	it("gives up on a server that trickles", async () => {
		proxy.use((path) => (path.includes("/blobs/") ? { kind: "stall", at: 0.999 } : { kind: "none" }));
		await expect(pull({ attempts: 50, totalMilliseconds: 400 })).rejects.toMatchObject({
			code: "REGISTRY_STALLED",
			exitStatus: 4,
			message: expect.stringContaining("sha256:"),
		});
	});
});
