import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, request as httpRequest, type IncomingHttpHeaders, type RequestListener } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { digestOf } from "../../src/oci/digest.ts";
import { type OpenImageOptions, openImage } from "../../src/oci/open-image.ts";
import { noise } from "../support/noise.ts";
import { tarOf } from "../support/oci-archive.ts";
import { bareEnvironment, makeCertificates, type TestCertificates } from "../support/registry.ts";
import { readArchives } from "../support/registry-images.ts";
import { type LoopbackServer, listen } from "../support/registry-loopback.ts";
import { requires } from "../support/requires.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { withOpen } from "./fixtures.ts";

const scratch = temporaryDirectory("documents");

interface Answer {
	readonly status?: number;
	readonly headers?: Readonly<Record<string, string>>;
	readonly body?: string | Buffer;
}

/** What a registry answers, by the path below `/v2/REPOSITORY/`. */
type Answers = Readonly<Record<string, Answer>>;

const MANIFEST = "application/vnd.oci.image.manifest.v1+json";
const CONFIG = "application/vnd.oci.image.config.v1+json";
const LAYER = "application/vnd.oci.image.layer.v1.tar+gzip";

describe.skipIf(requires("openssl"))("what a registry may answer", () => {
	const servers: LoopbackServer[] = [];
	let certificates: TestCertificates;
	let image: { readonly answers: Answers; readonly manifest: Buffer; readonly tar: Buffer };

	beforeAll(async () => {
		certificates = makeCertificates(join(scratch, "certificates"));
		image = await imageAnswers();
	});
	afterAll(async () => {
		for (const server of servers) await server.stop();
	});

	async function imageAnswers() {
		const tar = await tarOf([{ name: "file", bytes: noise(50_000, "documents") }]);
		const blob = gzipSync(tar);
		const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
		const described = (mediaType: string, bytes: Buffer) => ({
			mediaType,
			digest: digestOf(bytes),
			size: bytes.byteLength,
		});
		const rootfs = { type: "layers", diff_ids: [digestOf(tar)] };
		const config = json({ architecture: "amd64", os: "linux", config: {}, rootfs });
		const parts = { config: described(CONFIG, config), layers: [described(LAYER, blob)] };
		const manifest = json({ schemaVersion: 2, mediaType: MANIFEST, ...parts });
		const answers: Answers = {
			"manifests/1": { headers: { "content-type": MANIFEST }, body: manifest },
			[`blobs/${digestOf(config)}`]: { body: config },
			[`blobs/${digestOf(blob)}`]: { body: blob },
		};
		return { answers, manifest, tar };
	}
	const listener =
		(answers: Answers, seen: IncomingHttpHeaders[] = []): RequestListener =>
		(incoming, response) => {
			const url = incoming.url ?? "";
			seen.push(incoming.headers);
			const { status = 200, headers = {}, body } = answers[url.replace("/v2/test/image/", "")] ?? { status: 404 };
			response.writeHead(status, {
				...(body === undefined ? {} : { "content-length": Buffer.byteLength(body) }),
				...headers,
			});
			response.end(body);
		};
	async function serve(answers: Answers, seen?: IncomingHttpHeaders[], tls = false): Promise<string> {
		const files = { cert: readFileSync(certificates.certificate), key: readFileSync(certificates.key) };
		const server = tls ? createTlsServer(files, listener(answers, seen)) : createServer(listener(answers, seen));
		const listening = await listen(server);
		servers.push(listening);
		return listening.host;
	}
	const options = (more: OpenImageOptions = {}): OpenImageOptions => ({
		platform: "linux/amd64",
		tlsVerify: false,
		environment: bareEnvironment(scratch),
		policy: { attempts: 2, backoffMilliseconds: 1 },
		...more,
	});
	/** "read", or the error's message. */
	async function pull(host: string, more?: OpenImageOptions): Promise<string> {
		try {
			const [archive] = await withOpen(openImage(`docker://${host}/test/image:1`, options(more)), readArchives);
			return archive?.equals(image.tar) === true ? "read" : "other bytes";
		} catch (error) {
			return error instanceof Error ? error.message : String(error);
		}
	}
	const withManifest = (answer: Answer) => serve({ ...image.answers, "manifests/1": answer });

	it("is a manifest with the right, with a vague or with no media type", async () => {
		expect(await pull(await serve(image.answers))).toBe("read");
		for (const type of [`${MANIFEST}; charset=utf-8`, "application/json", "text/plain; charset=utf-8"])
			expect(await pull(await withManifest({ headers: { "content-type": type }, body: image.manifest }))).toBe("read");
		expect(await pull(await withManifest({ body: image.manifest }))).toBe("read");
		const digest = digestOf(image.manifest, "sha512");
		const stated = await withManifest({ headers: { "docker-content-digest": digest }, body: image.manifest });
		const opening = openImage(`docker://${stated}/test/image:1`, options());
		expect(await withOpen(opening, ({ manifestDigest }) => manifestDigest)).toBe(digest);
	});

	it.each([
		["a web page", { headers: { "content-type": "text/html" }, body: "<html>log in</html>" }, /^MANIFEST_INVALID/],
		["nothing", { body: "" }, /^MANIFEST_INVALID: .*empty/],
		["schema 1", { body: '{"schemaVersion":1,"fsLayers":[],"signatures":[]}' }, /^MANIFEST_SCHEMA_1/],
		["more than 4 MiB", { body: Buffer.alloc(5_000_000, " ") }, /^DOCUMENT_TOO_LARGE/],
		[
			"another digest",
			{ headers: { "docker-content-digest": digestOf(Buffer.from("x")) }, body: "{}" },
			/^BLOB_DIGEST_MISMATCH/,
		],
	])("is refused when it is %s", async (_, answer: Answer, message) => {
		expect(await pull(await withManifest(answer))).toMatch(message);
	});

	it("is no image: an artifact, encrypted or foreign layers", async () => {
		const base = JSON.parse(image.manifest.toString()) as { config: object; layers: object[] };
		const changed = async (change: (manifest: typeof base) => unknown): Promise<string> =>
			await pull(await withManifest({ headers: { "content-type": MANIFEST }, body: JSON.stringify(change(base)) }));
		const layer = base.layers[0] ?? {};
		expect(
			await changed((m) => ({ ...m, config: { ...m.config, mediaType: "application/vnd.oci.empty.v1+json" } })),
		).toMatch(/^IMAGE_IS_ARTIFACT/);
		expect(await changed((m) => ({ ...m, layers: [{ ...layer, mediaType: `${LAYER}+encrypted` }] }))).toMatch(
			/^LAYER_ENCRYPTED/,
		);
		const foreign = { ...layer, mediaType: "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip" };
		// this one the registry does hold
		expect(await changed((m) => ({ ...m, layers: [foreign] }))).toBe("read");
		const elsewhere = { ...foreign, digest: digestOf(Buffer.from("elsewhere")) };
		const held = await serve({
			...image.answers,
			"manifests/1": { body: JSON.stringify({ ...base, layers: [elsewhere] }) },
			[`blobs/${elsewhere.digest}`]: { status: 307, headers: { location: "http://127.0.0.1:1/" } },
		});
		expect(await pull(held)).toMatch(/^REGISTRY_UNREACHABLE: .*blob sha256/);
		const absent = { ...foreign, digest: digestOf(Buffer.from("absent")) };
		expect(await changed((m) => ({ ...m, layers: [absent] }))).toMatch(/^LAYER_FOREIGN/);
	});

	it("is a redirect, which gets no credentials, and never leads from https to http", async () => {
		const seen: IncomingHttpHeaders[] = [];
		const elsewhere = await serve(image.answers, seen);
		const redirecting = (to: string): Answers =>
			Object.fromEntries(
				Object.keys(image.answers).map((path) => [
					path,
					{ status: 302, headers: { location: `${to}/v2/test/image/${path}` } },
				]),
			);
		const own: IncomingHttpHeaders[] = [];
		const challenge = { status: 401, headers: { "www-authenticate": "Basic realm=test" } };
		const plain = await listen(
			createServer((incoming, response) => {
				const answers = incoming.headers.authorization === undefined ? {} : redirecting(`http://u:p@${elsewhere}`);
				const wrapped =
					incoming.headers.authorization === undefined
						? { [incoming.url?.replace("/v2/test/image/", "") ?? ""]: challenge }
						: answers;
				listener(wrapped, own)(incoming, response);
			}),
		);
		servers.push(plain);
		expect(await pull(plain.host, { creds: "alice:s3cret" })).toBe("read");
		expect(own.some(({ authorization }) => authorization !== undefined)).toBe(true);
		expect(seen).toHaveLength(3);
		expect(seen.map(({ authorization }) => authorization)).toEqual([undefined, undefined, undefined]);
		const safe = await serve(redirecting(`http://${elsewhere}`), [], true);
		const environment = bareEnvironment(join(scratch, "safe"), { SSL_CERT_FILE: certificates.authority });
		expect(await pull(safe, { tlsVerify: true, environment })).toMatch(
			/^REGISTRY_PROTOCOL: .*from https to plain http/,
		);
		const round = await serve({ "manifests/1": { status: 307, headers: { location: "1" } } });
		expect(await pull(round)).toMatch(/^REGISTRY_PROTOCOL: .*more than 10 times/);
		for (const location of ["file:///etc/passwd", "http://"])
			expect(await pull(await serve({ "manifests/1": { status: 307, headers: { location } } }))).toMatch(
				/^REGISTRY_PROTOCOL: .*to no URL/,
			);
	});

	it("is reached through a proxy, http by forwarding and https by a tunnel", async () => {
		const lines: string[] = [];
		const authorizations = new Set<string | undefined>();
		const hosts = new Map<string, string>();
		const target = (host: string | undefined): { hostname: string; port: number } => {
			const [hostname = "", port = ""] = (hosts.get(host ?? "") ?? "").split(":");
			return { hostname, port: Number(port) };
		};
		const server = createServer((incoming, response) => {
			lines.push(`${incoming.method} ${incoming.url}`);
			authorizations.add(incoming.headers["proxy-authorization"]);
			const url = new URL(incoming.url ?? "");
			const { "proxy-authorization": _, ...headers } = incoming.headers;
			httpRequest({ ...target(url.host), path: url.pathname, headers }, (answer) => {
				response.writeHead(answer.statusCode ?? 500, answer.headers);
				answer.pipe(response);
			}).end();
		});
		server.on("connect", (incoming, socket: Socket) => {
			lines.push(`CONNECT ${incoming.url}`);
			authorizations.add(incoming.headers["proxy-authorization"]);
			const { hostname, port } = target(incoming.url);
			if (port === 0) {
				socket.end("HTTP/1.1 502 Bad Gateway\r\n\r\n");
				return;
			}
			const through = connect(port, hostname, () => {
				socket.write("HTTP/1.1 200 OK\r\n\r\n");
				through.pipe(socket).pipe(through);
			});
			for (const end of [through, socket]) end.on("error", () => socket.destroy());
		});
		const proxy = await listen(server);
		servers.push(proxy);
		hosts.set("plain.test", await serve(image.answers));
		hosts.set("safe.test:443", await serve(image.answers, [], true));
		const variables = {
			http_proxy: `http://user:p%40ss@${proxy.host}`,
			HTTPS_PROXY: `http://user:p%40ss@${proxy.host}`,
			NODE_EXTRA_CA_CERTS: certificates.authority,
		};
		const environment = bareEnvironment(join(scratch, "proxied"), variables);
		expect(await pull("plain.test", { environment, tlsVerify: false })).toBe("read");
		expect(lines).toContain("GET http://plain.test/v2/test/image/manifests/1");
		// the certificate is for 127.0.0.1
		expect(await pull("safe.test", { environment, tlsVerify: true })).toMatch(/^REGISTRY_CERTIFICATE: .*safe\.test/);
		expect(await pull("safe.test", { environment, tlsVerify: false })).toBe("read");
		expect(lines).toContain("CONNECT safe.test:443");
		expect(await pull("absent.test", { environment, tlsVerify: true })).toMatch(
			/^REGISTRY_UNREACHABLE: the proxy gives no connection to absent\.test/,
		);
		expect([...authorizations]).toEqual([`Basic ${Buffer.from("user:p@ss").toString("base64")}`]);
	});

	it("is a refusal by a mirror, which never sees the credentials for the registry", async () => {
		const seen: IncomingHttpHeaders[] = [];
		const refused = { status: 401, headers: { "www-authenticate": "Basic realm=mirror" } };
		const mirror = await serve({ "manifests/1": refused }, seen);
		const own: IncomingHttpHeaders[] = [];
		const registry = await serve(image.answers, own);
		const environment = bareEnvironment(join(scratch, "mirrored"));
		mkdirSync(join(environment.home, ".config/containers/registries.conf.d"), { recursive: true });
		writeFileSync(
			join(environment.home, ".config/containers/registries.conf.d/50-mirror.conf"),
			`[[registry]]\nlocation = "${registry}"\n[[registry.mirror]]\nlocation = "${mirror}"\n`,
		);
		expect(await pull(registry, { environment, creds: "alice:s3cret" })).toBe("read");
		expect(seen.length).toBeGreaterThan(0);
		expect(seen.every(({ authorization }) => authorization === undefined)).toBe(true);
		expect(own).toHaveLength(3);
	});
});
