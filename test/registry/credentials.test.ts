import { afterEach, describe, expect, it } from "vitest";
import { openImage } from "../../src/oci/open-image.ts";
import { bareEnvironment } from "../support/registry.ts";
import { type ScriptedServer, startScriptedServer } from "../support/scripted-server.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { blobOf, codeOf, HASTY, openTarget, withOpen } from "./fixtures.ts";

const SECRET = "S3cretPassw0rd";
const creds = `alice:${SECRET}`;
const BASIC = `Basic ${Buffer.from(creds).toString("base64")}`;

type Answer = Parameters<typeof startScriptedServer>[0];
const servers: ScriptedServer[] = [];

async function start(answer: Answer): Promise<ScriptedServer> {
	const server = await startScriptedServer(answer);
	servers.push(server);
	return server;
}

/** A registry that wants a password, and to one that has it answers as `answer` says. */
async function startRegistry(answer: Answer): Promise<ScriptedServer> {
	return await start((request, response) => {
		if (request.authorization !== undefined) answer(request, response);
		else response.writeHead(401, { "www-authenticate": 'Basic realm="registry"' }).end();
	});
}

/** Gives tokens to everyone, and is not to be asked. */
async function startThief(): Promise<ScriptedServer> {
	return await start((_, response) => response.writeHead(200).end('{"token":"stolen"}'));
}

const environment = bareEnvironment(temporaryDirectory("credentials"));
const options = { tlsVerify: false, creds, environment, policy: { ...HASTY, attempts: 2 } };

async function pull(host: string): Promise<string> {
	const opening = () => openImage(`docker://${host}/team/app:1`, { ...options, platform: "linux/amd64" });
	return await codeOf(() => withOpen(opening(), () => undefined), SECRET);
}

async function upload(host: string): Promise<string> {
	const target = () => openTarget(`${host}/team/cache:1`, options);
	return await codeOf(() => withOpen(target(), (opened) => opened.upload(blobOf(Buffer.from("a blob")))), SECRET);
}

const authorizations = ({ requests }: ScriptedServer): (string | undefined)[] =>
	requests.map(({ authorization }) => authorization);

afterEach(async () => {
	for (const server of servers.splice(0)) await server.stop();
});

describe("a password for a registry", () => {
	const bearer = (thief: string): string => `Bearer realm="http://${thief}/token"`;
	it.each([
		[301, "Basic", () => 'Basic realm="registry"'],
		[302, "Bearer", (thief: string) => `${bearer(thief)},service="x",scope="repository:team/app:pull"`],
		[307, "several", (thief: string) => `Negotiate, Basic realm="a, b", ${bearer(thief)}`],
		[308, "Bearer", bearer],
	])("is not for a host that it redirects to (%d) and that asks for it (%s)", async (status, _, challenge) => {
		const thief = await startThief();
		const other = await start((__, response) => {
			response.writeHead(401, { "www-authenticate": challenge(thief.host) }).end();
		});
		const registry = await startRegistry(({ path }, response) => {
			response.writeHead(status, { location: `http://${other.host}${path}` }).end();
		});
		expect(await pull(registry.host)).toBe("REGISTRY_DENIED");
		expect(authorizations(registry)).toContain(BASIC);
		expect(new Set(authorizations(other))).toEqual(new Set([undefined]));
		expect(thief.requests).toEqual([]);
	});

	it.each([
		["says where the upload goes on", 202, (host: string) => `http://${host}/upload/1`],
		["says so with a password of its own", 202, (host: string) => `http://mallory:secret@${host}/upload/1`],
		["redirects the request that opens it", 307, (host: string) => `http://${host}/upload/1`],
		["redirects it for good", 308, (host: string) => `http://${host}/upload/1`],
	])("is not for the host of an upload, where the registry %s", async (_, status, location) => {
		const thief = await startThief();
		const other = await start((__, response) => {
			const challenge = `Bearer realm="http://${thief.host}/steal",service="x"`;
			response.writeHead(401, { "www-authenticate": challenge }).end();
		});
		const registry = await startRegistry((__, response) => {
			response.writeHead(status, { location: location(other.host) }).end();
		});
		expect(await upload(registry.host)).toBe("REGISTRY_UNAUTHORIZED");
		expect(authorizations(registry)).toEqual([undefined, BASIC]);
		expect(authorizations(other)).toEqual([undefined]);
		expect(thief.requests).toEqual([]);
	});

	it("does not go with a PUT that is redirected", async () => {
		const other = await start((_, response) => response.writeHead(201).end());
		const registry = await startRegistry(({ method }, response) => {
			if (method === "POST") response.writeHead(202, { location: "/v2/team/cache/blobs/uploads/1?state=2" }).end();
			else response.writeHead(307, { location: `http://${other.host}/store` }).end();
		});
		expect(await upload(registry.host)).toBe("");
		expect(other.requests.map(({ method, authorization }) => [method, authorization])).toEqual([["PUT", undefined]]);
	});

	it("is not sent to a place of the registry that another host has chosen", async () => {
		const home = { host: "" };
		const back = (): { location: string } => ({ location: `http://${home.host}/v2/private/uploads/9` });
		const isBroken = { next: false };
		const other = await start(({ method, path }, response) => {
			if (path.startsWith("/redirects")) response.writeHead(307, back()).end();
			// a session that breaks, and is said to go on elsewhere
			else if (method === "GET") response.writeHead(204, { range: "0-0", ...back() }).end();
			else response.destroy();
		});
		const registry = await startRegistry(({ method, path }, response) => {
			const isPull = method === "GET" && path.includes("/manifests/");
			const location = `http://${other.host}/${isPull || !isBroken.next ? "redirects" : "session"}`;
			response.writeHead(isPull ? 307 : 202, { location }).end();
		});
		home.host = registry.host;
		expect(await pull(registry.host)).toBe("REGISTRY_DENIED");
		expect(await upload(registry.host)).toBe("REGISTRY_UNAUTHORIZED");
		isBroken.next = true;
		expect(await upload(registry.host)).toBe("REGISTRY_UNAUTHORIZED");
		const sentBack = registry.requests.filter(({ path }) => path.startsWith("/v2/private/"));
		expect(sentBack.map(({ method }) => method)).toEqual(["GET", "GET", "PUT", "PUT"]);
		expect(sentBack.every(({ authorization }) => authorization === undefined)).toBe(true);
		expect(authorizations(other).every((authorization) => authorization === undefined)).toBe(true);
	});

	it("goes to a token server that the registry itself names, without what the realm says of users", async () => {
		const tokens = await start((_, response) => response.writeHead(200).end('{"token":"t"}'));
		const registry = await start(({ authorization }, response) => {
			if (authorization === "Bearer t") response.writeHead(404).end();
			else {
				const realm = `http://mallory:secret@${tokens.host}/token?a=b`;
				response.writeHead(401, { "www-authenticate": `Bearer realm="${realm}",service="x"` }).end();
			}
		});
		expect(await pull(registry.host)).toBe("IMAGE_NOT_FOUND");
		expect(authorizations(tokens)).toEqual([BASIC]);
		expect(tokens.requests[0]?.path).toMatch(
			/^\/token\?a=b&service=x&scope=repository%3Ateam%2Fapp%3Apull&account=alice$/,
		);
	});

	it("does not follow a token server's redirect", async () => {
		const thief = await startThief();
		const tokens = await start((_, response) =>
			response.writeHead(307, { location: `http://${thief.host}/token` }).end(),
		);
		const registry = await start((_, response) =>
			response.writeHead(401, { "www-authenticate": `Bearer realm="http://${tokens.host}/"` }).end(),
		);
		expect(await pull(registry.host)).toBe("REGISTRY_ERROR");
		expect(thief.requests).toEqual([]);
	});

	it.each(["ftp://127.0.0.1/", "file:///etc/passwd", "/token", "javascript:0", "//host/token", ""])(
		"goes to no token server at %s",
		async (realm) => {
			const registry = await start((_, response) =>
				response.writeHead(401, { "www-authenticate": `Bearer realm="${realm}"` }).end(),
			);
			expect(await pull(registry.host)).toBe("REGISTRY_PROTOCOL");
		},
	);
});
