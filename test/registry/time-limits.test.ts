import type { ServerResponse } from "node:http";
import { createServer as createRawServer } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { Oci2isoError } from "../../src/errors.ts";
import { digestOf } from "../../src/oci/digest.ts";
import { parseDockerReference } from "../../src/oci/docker-reference.ts";
import { openImage } from "../../src/oci/open-image.ts";
import { openPushTarget } from "../../src/oci/registry/push-target.ts";
import { bareEnvironment } from "../support/registry.ts";
import { type LoopbackServer, listen } from "../support/registry-loopback.ts";
import { startScriptedServer } from "../support/scripted-server.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const scratch = temporaryDirectory("time");
const servers: LoopbackServer[] = [];
/** A byte comes long before `stallMilliseconds`, so only the time for the whole can end this. */
const options = {
	tlsVerify: false,
	environment: bareEnvironment(scratch),
	policy: {
		attempts: 3,
		backoffMilliseconds: 1,
		maxBackoffMilliseconds: 2,
		responseMilliseconds: 1000,
		stallMilliseconds: 30_000,
		documentMilliseconds: 400,
		refusalMilliseconds: 300,
		requestMilliseconds: 2500,
		totalMilliseconds: 1500,
	},
};

type Answer = Parameters<typeof startScriptedServer>[0];

async function start(answer: Answer): Promise<string> {
	const server = await startScriptedServer(answer);
	servers.push(server);
	return server.host;
}

function trickle(response: ServerResponse, bytes: Buffer): void {
	let at = 0;
	const next = setInterval(() => {
		if (response.destroyed || at === bytes.byteLength) clearInterval(next);
		else response.write(bytes.subarray(at, ++at));
	}, 20);
	response.on("close", () => clearInterval(next));
}

/** The code that it ends with, within ten seconds. */
async function codeOf(work: () => Promise<unknown>): Promise<string> {
	const started = performance.now();
	try {
		await work();
		return "";
	} catch (error) {
		if (!(error instanceof Oci2isoError)) throw error;
		return error.code;
	} finally {
		expect(performance.now() - started).toBeLessThan(10_000);
	}
}

async function pull(host: string): Promise<string> {
	return await codeOf(async () => {
		const image = await openImage(`docker://${host}/team/app:1`, { ...options, platform: "linux/amd64" });
		await image.close();
	});
}

async function push(host: string, work: "has" | "upload" | "putManifest" | "mount"): Promise<string> {
	const bytes = Buffer.alloc(3_000_000);
	return await codeOf(async () => {
		const text = `${host}/team/cache:1`;
		const target = await openPushTarget(parseDockerReference(text), text, options);
		const digest = digestOf(bytes);
		try {
			if (work === "has") await target.has({ digest });
			else if (work === "mount") await target.mount(digest, "other/cache");
			else if (work === "putManifest") await target.putManifest(bytes, "application/json");
			else
				await target.upload({
					digest,
					size: bytes.byteLength,
					async *read(from, to) {
						for (let at = from; at < to; at += 65_536) yield bytes.subarray(at, Math.min(to, at + 65_536));
					},
				});
		} finally {
			await target.close();
		}
	});
}

afterEach(async () => {
	for (const server of servers.splice(0)) await server.stop();
});

const LONG = Buffer.alloc(10_000, " ");

describe("a registry that trickles", () => {
	it.each([
		["a manifest whose length is known", { "content-length": String(LONG.byteLength) }],
		["a manifest in chunks", {}],
	])("%s is not waited for", async (_, headers) => {
		const host = await start((__, response) => trickle(response.writeHead(200, headers), LONG));
		expect(await pull(host)).toBe("REGISTRY_STALLED");
	});

	it("a manifest on another host", async () => {
		const other = await start((_, response) => trickle(response.writeHead(200), LONG));
		const host = await start((_, response) => response.writeHead(307, { location: `http://${other}/` }).end());
		expect(await pull(host)).toBe("REGISTRY_STALLED");
	});

	it("a token", async () => {
		const tokens = await start((_, response) => trickle(response.writeHead(200), LONG));
		const host = await start((_, response) =>
			response.writeHead(401, { "www-authenticate": `Bearer realm="http://${tokens}/"` }).end(),
		);
		expect(await pull(host)).toBe("REGISTRY_STALLED");
	});

	it.each([
		[404, {}, "IMAGE_NOT_FOUND"],
		[403, {}, "REGISTRY_DENIED"],
		[401, { "www-authenticate": "Basic" }, "REGISTRY_UNAUTHORIZED"],
		[307, { location: "/again" }, "REGISTRY_STALLED"],
		[503, {}, "REGISTRY_ERROR"],
	])("what it says with status %d", async (status, headers, code) => {
		const host = await start((_, response) => trickle(response.writeHead(status, headers), LONG));
		expect(await pull(host)).toBe(code);
	});

	it("the head of an answer", async () => {
		const server = await listen(
			createRawServer((socket) => {
				const next = setInterval(() => socket.write("H".slice(0, 1)), 20);
				socket.once("data", () => socket.write("HTTP/1.1 200 OK\r\nX-Long: "));
				socket.on("close", () => clearInterval(next));
			}),
		);
		servers.push(server);
		expect(await pull(server.host)).toMatch(/^REGISTRY_(STALLED|UNREACHABLE)$/);
	});

	it("redirects without end, each of them late", async () => {
		const host = await start((_, response) => {
			setTimeout(() => response.writeHead(307, { location: `/${Math.random()}` }).end(), 700);
		});
		expect(await pull(host)).toBe("REGISTRY_STALLED");
	});

	it.each(["has", "mount", "putManifest"] as const)("its answer to %s", async (work) => {
		const host = await start(({ method }, response) => {
			if (method === "HEAD") setTimeout(() => response.writeHead(503).end(), 900);
			else trickle(response.writeHead(507), LONG);
		});
		expect(await push(host, work)).toMatch(work === "has" ? /^REGISTRY_(STALLED|ERROR)$/ : /^REGISTRY_QUOTA$/);
	});

	it("its reading of an upload", async () => {
		const server = await listen(
			createRawServer((socket) => {
				socket.once("data", (head) => {
					if (head.toString().startsWith("POST"))
						socket.write("HTTP/1.1 202 Accepted\r\nLocation: /upload/1\r\nContent-Length: 0\r\n\r\n");
					// reads a little now and then
					socket.on("data", () => {
						socket.pause();
						setTimeout(() => socket.resume(), 400);
					});
				});
			}),
		);
		servers.push(server);
		expect(await push(server.host, "upload")).toBe("REGISTRY_STALLED");
	});
});
