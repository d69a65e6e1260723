import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { createServer, type ServerResponse } from "node:http";
import { join } from "node:path";
import { afterEach, describe, expect, it, vi } from "vitest";
import { engineEndpoint } from "../../../src/oci/engine/endpoint.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";
import { failure } from "./image-places.ts";

type Variables = Record<string, string>;
const work = temporaryDirectory("engine");
let count = 0;
const cleanups: (() => void)[] = [];
afterEach(() => {
	for (const cleanup of cleanups.splice(0)) cleanup();
	vi.unstubAllEnvs();
});

/** A machine with these files in its user's home. */
function machine(variables: Variables, files: Readonly<Record<string, unknown>> = {}) {
	const root = join(work, `${count++}`);
	for (const [name, content] of Object.entries(files)) {
		const path = join(root, "home", name);
		mkdirSync(join(path, ".."), { recursive: true });
		writeFileSync(path, JSON.stringify(content));
	}
	return { variables, home: join(root, "home"), systemRoot: root };
}

async function listenAt(
	path: string,
	answer: (url: string, response: ServerResponse) => void = () => {},
): Promise<void> {
	mkdirSync(join(path, ".."), { recursive: true });
	const server = createServer(({ url = "" }, response) => answer(url, response));
	await new Promise<void>((resolve) => server.listen(path, resolve));
	cleanups.push(() => {
		server.closeAllConnections();
		server.close();
	});
}

const hexOf = (name: string): string => createHash("sha256").update(name).digest("hex");
const context = (host: string) => ({ Endpoints: { docker: { Host: host, SkipTLSVerify: false } } });

describe("where an engine is", () => {
	const named = { currentContext: "mine" };
	const files = {
		".docker/config.json": named,
		[`.docker/contexts/meta/${hexOf("mine")}/meta.json`]: context("unix:///mine.sock"),
		[`.docker/contexts/meta/${hexOf("other")}/meta.json`]: context("tcp://10.0.0.1:2375"),
	};

	it.each<[string, "docker" | "podman", Variables, object, string]>([
		["DOCKER_HOST", "docker", { DOCKER_HOST: "unix:///a b.sock" }, files, "/a b.sock"],
		["DOCKER_HOST before DOCKER_CONTEXT", "docker", { DOCKER_HOST: "unix:///a", DOCKER_CONTEXT: "other" }, files, "/a"],
		["DOCKER_HOST by TCP", "docker", { DOCKER_HOST: "tcp://[::1]:2375" }, {}, "http://[::1]:2375"],
		["the current context", "docker", {}, files, "/mine.sock"],
		["DOCKER_CONTEXT", "docker", { DOCKER_CONTEXT: "other" }, files, "http://10.0.0.1:2375"],
		["CONTAINER_HOST", "podman", { CONTAINER_HOST: "unix:///p.sock", DOCKER_HOST: "unix:///a" }, files, "/p.sock"],
	])("is what %s says", async (_, engine, variables, own, place) => {
		const { socketPath, origin } = await engineEndpoint(engine, "x", machine(variables, { ...own }));
		expect(socketPath ?? origin).toBe(place);
	});

	it("is the usual socket that is there", async () => {
		const host = machine({ XDG_RUNTIME_DIR: join(work, "run") });
		const message = async (engine: "docker" | "podman") =>
			await engineEndpoint(engine, "x:1", host).then(String, (error: Error) => error.message);
		expect(await message("podman")).toMatch(/^ENGINE_UNREACHABLE: .*podman\.sock.*podman\.socket.*podman save/);
		const { systemRoot, variables } = host;
		const places = [
			["podman", join(variables["XDG_RUNTIME_DIR"] ?? "", "podman/podman.sock")],
			["docker", join(variables["XDG_RUNTIME_DIR"] ?? "", "docker.sock")],
			["docker", join(systemRoot, "var/run/docker.sock")],
		] as const;
		for (const [engine, place] of places) {
			await listenAt(place);
			expect((await engineEndpoint(engine, "x", host)).socketPath).toBe(place);
		}
	});

	it.each<[Variables, RegExp]>([
		[
			{ DOCKER_HOST: "ssh://me@far:22/run/x.sock" },
			/^ENGINE_UNSUPPORTED: .*ssh -p 22 me@far docker save x:1 \| oci2iso/,
		],
		[{ DOCKER_HOST: "tcp://h:2376", DOCKER_TLS_VERIFY: "1" }, /^ENGINE_UNSUPPORTED: .*TLS.*docker save x:1 \|/],
		[{ DOCKER_HOST: "npipe:////./pipe/docker" }, /^ENGINE_UNSUPPORTED: .*unix:\/\/\/PATH/],
		[{ DOCKER_HOST: "tcp://h:1/../x y" }, /^ENGINE_UNSUPPORTED/],
		[{ DOCKER_CONTEXT: "gone" }, /^ENGINE_UNSUPPORTED: docker has no context "gone"/],
	])("is not served by %j", async (variables, message) => {
		await expect(engineEndpoint("docker", "x:1", machine(variables, files))).rejects.toThrow(message);
	});
});

describe("an engine that fails", () => {
	const Id = "0".repeat(64);
	const json = (response: ServerResponse, status: number, body: unknown): void =>
		void response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));

	async function messageOf(
		answer: (url: string, response: ServerResponse) => void,
		transport = "podman",
	): Promise<string> {
		const socket = join(work, `${count++}.sock`);
		await listenAt(socket, answer);
		const TMPDIR = temporaryDirectory("engine-tmp");
		vi.stubEnv("TMPDIR", TMPDIR);
		const environment = machine({ CONTAINER_HOST: `unix://${socket}`, DOCKER_HOST: `unix://${socket}` });
		const { message } = await failure(`${transport}:live:1`, { environment });
		expect(readdirSync(TMPDIR)).toEqual([]);
		return message;
	}
	const found = (then: (response: ServerResponse) => void) => (url: string, response: ServerResponse) =>
		url.endsWith("/json") ? json(response, 200, { Id }) : then(response);

	it("lists what is near where the image is not", async () => {
		const images = ["localhost/live:2", "quay.io/x/live@sha256:ab", "other:1", "<none>:<none>"].map((name) => ({
			RepoTags: [name],
		}));
		const answer = (url: string, response: ServerResponse) =>
			url.endsWith("images/json") ? json(response, 200, images) : json(response, 404, { message: "no such image" });
		for (const transport of ["podman", "docker-daemon"])
			expect(await messageOf(answer, transport)).toBe(
				`IMAGE_NOT_FOUND: ${transport === "podman" ? "podman" : "docker"} has no such image (${transport}:live:1): there is localhost/live:2, quay.io/x/live@sha256:ab`,
			);
		expect(await messageOf((_, response) => json(response, 404, { message: 7 }))).toMatch(
			/^IMAGE_NOT_FOUND: .*there is none/,
		);
	});

	it.each<[string, (url: string, response: ServerResponse) => void, RegExp]>([
		[
			"says why",
			(_, r) => json(r, 500, { message: "no space\n\x1b[31m" }),
			/^ENGINE_FAILED: podman answers 500: no space\\x0a\\x1b/,
		],
		["says nothing", (_, r) => void r.writeHead(503).end(), /^ENGINE_FAILED: podman answers 503: nothing more/],
		[
			"says it at length",
			(_, r) => void r.writeHead(500).end("x".repeat(2 ** 20)),
			/^ENGINE_FAILED: podman answers 500: x{500} \(/,
		],
		["never ends an answer", (_, r) => void r.writeHead(200).end(Buffer.alloc(2 ** 23)), /^DOCUMENT_TOO_LARGE/],
		["answers with another document", (_, r) => json(r, 200, { Id: "../../x" }), /^ENGINE_ANSWER_INVALID: .*Id/],
		["hangs up", (_, r) => void r.destroy(), /^ENGINE_UNREACHABLE: podman does not answer: /],
		["refuses to save", found((r) => json(r, 500, { message: "cannot" })), /^ENGINE_FAILED: .*cannot/],
		[
			"hangs up while it saves",
			found((r) => void r.write(Buffer.alloc(1536), () => r.destroy())),
			/^ENGINE_INTERRUPTED/,
		],
		["saves nothing", found((r) => void r.end()), /^ARCHIVE_EMPTY: .*podman:live:1/],
		["saves something else", found((r) => void r.end(Buffer.alloc(4096, "x"))), /^ARCHIVE_INVALID: .*podman:live:1/],
		["saves no image", found((r) => void r.end(Buffer.alloc(1024))), /^IMAGE_NOT_FOUND: .*podman:live:1/],
	])("and %s is told apart, and leaves nothing", async (_, answer, message) => {
		expect(await messageOf(answer)).toMatch(message);
	});
});
