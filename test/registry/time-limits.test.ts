import type { ServerResponse } from "node:http";
import { createServer as createRawServer } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { openImage } from "../../src/oci/open-image.ts";
import { bareEnvironment } from "../support/registry.ts";
import { type LoopbackServer, listen } from "../support/registry-loopback.ts";
import { startScriptedServer } from "../support/scripted-server.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { blobOf, codeOf, HASTY, openTarget, withOpen } from "./fixtures.ts";

const servers: LoopbackServer[] = [];
/** A byte comes long before `stallMilliseconds`, so only the time for the whole can end this. */
const options = {
	tlsVerify: false,
	environment: bareEnvironment(temporaryDirectory("time")),
	policy: {
		...{ ...HASTY, attempts: 3, responseMilliseconds: 1000, stallMilliseconds: 30_000 },
		...{ documentMilliseconds: 400, refusalMilliseconds: 300, requestMilliseconds: 2500, totalMilliseconds: 1500 },
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
async function inTime(work: () => Promise<unknown>): Promise<string> {
	const started = performance.now();
	const code = await codeOf(work);
	expect(performance.now() - started).toBeLessThan(10_000);
	return code;
}

async function pull(host: string): Promise<string> {
	const opening = () => openImage(`docker://${host}/team/app:1`, { ...options, platform: "linux/amd64" });
	return await inTime(() => withOpen(opening(), () => undefined));
}

async function push(host: string, work: "has" | "upload" | "putManifest" | "mount"): Promise<string> {
	const bytes = Buffer.alloc(3_000_000);
	const blob = blobOf(bytes);
	return await inTime(() =>
		withOpen(openTarget(`${host}/team/cache:1`, options), async (target) => {
			if (work === "has") await target.has(blob);
			else if (work === "mount") await target.mount(blob.digest, "other/cache");
			else if (work === "putManifest") await target.putManifest(bytes, "application/json");
			else await target.upload(blob);
		}),
	);
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

	it.each([
		["a manifest on another host", 307, (other: string) => ({ location: `http://${other}/` })],
		["a token", 401, (other: string) => ({ "www-authenticate": `Bearer realm="http://${other}/"` })],
	])("%s", async (_, status, headers) => {
		const other = await start((__, response) => trickle(response.writeHead(200), LONG));
		const host = await start((__, response) => response.writeHead(status, headers(other)).end());
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
