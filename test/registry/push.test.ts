import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { request } from "undici";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Oci2isoError } from "../../src/errors.ts";
import { digestOf } from "../../src/oci/digest.ts";
import type { BlobContent } from "../../src/oci/registry/blob-upload.ts";
import type { PushOptions, PushTarget } from "../../src/oci/registry/push-target.ts";
import { type FaultyProxy, startFaultyProxy } from "../support/faulty-proxy.ts";
import { noise } from "../support/noise.ts";
import { bareEnvironment, makeCertificates, type RegistryFixture, startRegistry } from "../support/registry.ts";
import { type LoopbackServer, listen } from "../support/registry-loopback.ts";
import { startTokenServer } from "../support/registry-token-server.ts";
import { requires } from "../support/requires.ts";
import { roundsOf } from "../support/slow.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import {
	blobOf,
	CREDS,
	faultCampaign,
	HASTY,
	HTPASSWD,
	IMPATIENT,
	openTarget,
	PASSWORD,
	withOpen,
} from "./fixtures.ts";

const SCHEDULES = roundsOf(120);
const scratch = temporaryDirectory("push");
const MANIFEST = "application/vnd.oci.image.manifest.v1+json";

const open = (text: string, more: PushOptions = {}): Promise<PushTarget> =>
	openTarget(text, { tlsVerify: false, environment: bareEnvironment(scratch), policy: HASTY, ...more });

function manifestOf(...blobs: readonly Uint8Array[]): Buffer {
	const [config, ...layers] = blobs.map((bytes) => ({
		mediaType: "application/octet-stream",
		digest: digestOf(bytes),
		size: bytes.byteLength,
	}));
	return Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: MANIFEST, config, layers }));
}

async function stored(host: string, path: string, headers: Record<string, string> = {}): Promise<Buffer | undefined> {
	const answer = await request(`http://${host}/v2/${path}`, { headers });
	const bytes = Buffer.from(await answer.body.arrayBuffer());
	return answer.statusCode === 200 ? bytes : undefined;
}

/** Pushes the blobs and a manifest of them. */
async function push(text: string, blobs: readonly Uint8Array[], more?: PushOptions): Promise<number> {
	return await withOpen(open(text, more), async (target) => {
		let sentBytes = 0;
		for (const blob of blobs) {
			if (await target.has({ digest: digestOf(blob) })) continue;
			sentBytes += (await target.upload(blobOf(blob))).sentBytes;
		}
		await target.putManifest(manifestOf(...blobs), MANIFEST);
		return sentBytes;
	});
}

describe.skipIf(requires("docker-registry", "openssl"))("pushing to a registry", () => {
	let registry: RegistryFixture;
	const blobs = [noise(500, "config"), noise(700_000, "pack"), Buffer.alloc(0), noise(40_000, "index")];
	const totalBytes = blobs.reduce((sum, { byteLength }) => sum + byteLength, 0);

	beforeAll(async () => {
		registry = await startRegistry({ storage: join(scratch, "storage") });
	});
	afterAll(() => registry.stop());

	it("stores blobs and a tag, and sends nothing twice", async () => {
		expect(await push(`${registry.host}/some/cache:main`, blobs)).toBe(totalBytes);
		for (const blob of blobs)
			expect((await stored(registry.host, `some/cache/blobs/${digestOf(blob)}`))?.equals(blob)).toBe(true);
		const manifest = await stored(registry.host, "some/cache/manifests/main", { accept: MANIFEST });
		expect(manifest?.equals(manifestOf(...blobs))).toBe(true);
		expect(await push(`${registry.host}/some/cache:other`, blobs)).toBe(0);
	});

	it("mounts a blob that another repository of the registry has", async () => {
		const blob = noise(100_000, "mounted");
		await push(`${registry.host}/some/origin:1`, [blob]);
		const target = await open(`${registry.host}/some/copy:1`, { mountFrom: ["some/origin"] });
		expect(await target.mount(digestOf(blob), "some/origin")).toBe(true);
		expect(await target.has({ digest: digestOf(blob) })).toBe(true);
		expect(await target.mount(digestOf(noise(1000, "not there")), "some/origin")).toBe(false);
		await target.close();
	});

	it("refuses a digest as destination, a blocked registry and a content that is another", async () => {
		const digest = digestOf(Buffer.alloc(1));
		await expect(open(`${registry.host}/some/cache@${digest}`)).rejects.toMatchObject({
			code: "REFERENCE_INVALID",
			exitStatus: 2,
		});
		const environment = bareEnvironment(join(scratch, "blocked"));
		mkdirSync(join(environment.systemRoot, "etc/containers"), { recursive: true });
		const conf = `[[registry]]\nprefix = "${registry.host}/no"\nblocked = true\n[[registry]]\nprefix = "${registry.host}/mirrored"\n`;
		const mirror = `[[registry.mirror]]\nlocation = "127.0.0.1:1/elsewhere"\ninsecure = true\n`;
		writeFileSync(join(environment.systemRoot, "etc/containers/registries.conf"), conf + mirror);
		await expect(open(`${registry.host}/no/cache:1`, { environment })).rejects.toMatchObject({
			code: "REGISTRY_BLOCKED",
			exitStatus: 4,
		});
		await push(`${registry.host}/mirrored/cache:1`, [noise(10, "not to the mirror")], { environment });
		expect(await stored(registry.host, "mirrored/cache/manifests/1", { accept: MANIFEST })).toBeDefined();
		const target = await open(`${registry.host}/some/cache:1`);
		const lie = { ...blobOf(noise(1000, "one")), digest: digestOf(noise(1000, "two")) };
		await expect(target.upload(lie)).rejects.toMatchObject({ exitStatus: 4 });
		expect(await target.has(lie)).toBe(false);
		await target.close();
	});

	it("throws what reading the content throws, at once", async () => {
		const target = await open(`${registry.host}/some/cache:1`);
		const failure = new Oci2isoError({ code: "GONE", kind: "output", what: "the file is gone" });
		const content: BlobContent = {
			...blobOf(noise(200_000, "vanishing")),
			async *read(start, end) {
				yield noise(200_000, "vanishing").subarray(start, end - 100_000);
				throw failure;
			},
		};
		await expect(target.upload(content)).rejects.toBe(failure);
		await target.close();
	});

	it("is interrupted", async () => {
		const controller = new AbortController();
		const target = await open(`${registry.host}/some/cache:1`);
		const content: BlobContent = {
			...blobOf(noise(200_000, "interrupted")),
			async *read() {
				yield noise(1000, "interrupted");
				controller.abort();
				await new Promise(() => {});
			},
		};
		await expect(target.upload(content, controller.signal)).rejects.toMatchObject({ exitStatus: 130 });
		await target.close();
	});

	it("identifies itself over TLS with a password, and says when it may not", async () => {
		const { authority, certificate, key } = makeCertificates(join(scratch, "certificates"));
		const tls = { certificate, key };
		const closed = await startRegistry({ tls, htpasswd: HTPASSWD, storage: join(scratch, "closed") });
		try {
			const certDir = join(scratch, "certs");
			mkdirSync(certDir);
			writeFileSync(join(certDir, "ca.crt"), readFileSync(authority));
			const trusting = { certDir, tlsVerify: true };
			expect(await push(`${closed.host}/a/b:1`, blobs, { ...trusting, creds: CREDS })).toBe(totalBytes);
			for (const creds of [undefined, "alice:wrong"])
				await expect(push(`${closed.host}/a/b:1`, blobs, { ...trusting, creds })).rejects.toMatchObject({
					code: "REGISTRY_UNAUTHORIZED",
					exitStatus: 4,
					message: expect.not.stringContaining("wrong"),
				});
			await expect(push(`${closed.host}/a/b:1`, blobs, { tlsVerify: true, creds: "x:y" })).rejects.toMatchObject({
				code: "REGISTRY_CERTIFICATE",
			});
		} finally {
			await closed.stop();
		}
	});

	it("asks a token server for pull and push once", async () => {
		const { certificate, key } = makeCertificates(join(scratch, "token-certificates"));
		const identity = { service: "test registry", issuer: "test issuer" };
		const tokens = await startTokenServer({ ...identity, certificate, key, users: { alice: PASSWORD } });
		const token = { ...identity, realm: tokens.realm, certificates: certificate };
		const guarded = await startRegistry({ storage: join(scratch, "guarded"), token });
		try {
			expect(await push(`${guarded.host}/a/b:1`, blobs, { creds: CREDS })).toBe(totalBytes);
			expect(tokens.scopes).toEqual(["repository:a/b:pull,push"]);
		} finally {
			await guarded.stop();
			await tokens.stop();
		}
	});

	describe("behind a faulty network", () => {
		let proxy: FaultyProxy;
		beforeAll(async () => {
			proxy = await startFaultyProxy({ upstream: registry.host });
		});
		afterAll(() => proxy.stop());

		it(`stores the right bytes or says what failed, in ${SCHEDULES} schedules`, async () => {
			const outcomes = await faultCampaign(proxy, SCHEDULES, async (seed) => {
				const mine = [noise(200, `config ${seed}`), noise(50_000, `pack ${seed}`)];
				let outcome = "stored";
				try {
					await push(`${proxy.host}/faulty/cache:${seed}`, mine, { policy: IMPATIENT });
				} catch (error) {
					if (!(error instanceof Oci2isoError)) throw error;
					expect(error.exitStatus).toBe(4);
					outcome = error.code;
				}
				const manifest = await stored(registry.host, `faulty/cache/manifests/${seed}`, { accept: MANIFEST });
				if (outcome === "stored") expect(manifest?.equals(manifestOf(...mine))).toBe(true);
				for (const blob of manifest === undefined ? [] : mine)
					expect((await stored(registry.host, `faulty/cache/blobs/${digestOf(blob)}`))?.equals(blob)).toBe(true);
				return outcome;
			});
			expect(outcomes.get("stored") ?? 0).toBeGreaterThan(SCHEDULES / 2);
			expect(outcomes.size).toBeGreaterThan(1);
		});

		it.each([
			[403, "REGISTRY_DENIED"],
			[405, "REGISTRY_READ_ONLY"],
			[404, "REPOSITORY_NOT_FOUND"],
			[413, "REGISTRY_QUOTA"],
			[507, "REGISTRY_QUOTA"],
			[500, "REGISTRY_ERROR"],
		])("says what %d means", async (status, code) => {
			proxy.use((_, method) => (method === "POST" || method === "PUT" ? { kind: "status", status } : { kind: "none" }));
			await expect(push(`${proxy.host}/refused/cache:1`, [noise(100, "refused")])).rejects.toMatchObject({
				code,
				exitStatus: 4,
				message: expect.stringContaining(proxy.host),
			});
		});
	});

	describe("that keeps what it has of a broken upload", () => {
		let server: LoopbackServer;
		const session = {
			pieces: [] as Buffer[],
			bytes: 0,
			breakAt: 0,
			limit: Number.POSITIVE_INFINITY,
			log: [] as string[],
		};
		const done = new Map<string, Buffer>();
		beforeAll(async () => {
			server = await listen(
				createServer(async (incoming, response) => {
					const url = new URL(incoming.url ?? "/", "http://localhost");
					const range = incoming.headers["content-range"];
					session.log.push(`${incoming.method} ${range ?? ""}`.trim());
					const location = `/v2/a/b/blobs/uploads/session?state=${session.bytes}`;
					const length = Number(incoming.headers["content-length"] ?? 0);
					if (length > session.limit) {
						response.writeHead(413, { connection: "close" }).end();
						return;
					}
					if (incoming.method === "POST") Object.assign(session, { pieces: [], bytes: 0 });
					for await (const piece of incoming) {
						session.pieces.push(Buffer.from(piece as Uint8Array));
						session.bytes += session.pieces.at(-1)?.byteLength ?? 0;
						if (session.breakAt > 0 && session.bytes >= session.breakAt) {
							session.breakAt = 0;
							incoming.socket.destroy();
							return;
						}
					}
					const has = {
						location: location.replace(/\d+$/, String(session.bytes)),
						range: `0-${session.bytes - 1}`,
					};
					const digest = (): string => digestOf(Buffer.concat(session.pieces));
					if (incoming.method === "HEAD") response.writeHead(404).end();
					else if (incoming.method === "GET") response.writeHead(204, has).end();
					else if (incoming.method !== "PUT" || url.pathname.includes("/manifests/"))
						response.writeHead(incoming.method === "PUT" ? 201 : 202, { ...has, "oci-chunk-min-length": "1000" }).end();
					else if (url.searchParams.get("digest") !== digest()) response.writeHead(400).end();
					else {
						done.set(digest(), Buffer.concat(session.pieces));
						response.writeHead(201, { "docker-content-digest": digest() }).end();
					}
				}),
			);
		});
		afterAll(() => server.stop());

		it("sends the rest only", async () => {
			Object.assign(session, { breakAt: 2_000_000, log: [] });
			const blob = noise(3_000_000, "resumed");
			const { sentBytes } = await withOpen(open(`${server.host}/a/b:1`), (target) => target.upload(blobOf(blob)));
			expect(done.get(digestOf(blob))?.equals(blob)).toBe(true);
			expect(session.log).toEqual(["POST", "PUT", "GET", expect.stringMatching(/^PATCH \d{7}-2999999$/), "PUT"]);
			expect(sentBytes).toBeLessThan(5_000_000);
		});

		it("sends parts where the whole is too large", async () => {
			Object.assign(session, { limit: 20_000_000, log: [] });
			const blob = Buffer.alloc(34_000_000, noise(999, "in parts"));
			await withOpen(open(`${server.host}/a/b:1`), (target) => target.upload(blobOf(blob)));
			expect(done.get(digestOf(blob))?.equals(blob)).toBe(true);
			expect(session.log.slice(-5)).toEqual([
				"POST",
				...["PATCH 0-16777215", "PATCH 16777216-33554431", "PATCH 33554432-33999999", "PUT"],
			]);
		});
	});
});
