import { createHash } from "node:crypto";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import * as z from "zod";
import { Oci2isoError } from "../../errors.ts";
import { unsupported } from "../failures.ts";
import { parseDocument } from "../json-document.ts";
import { readIfThere } from "../registry/config-files.ts";
import type { Environment } from "../registry/options.ts";

/** A program that builds and keeps images, and gives them through an HTTP interface. */
export type Engine = "docker" | "podman";

/** Where an engine answers. */
export interface EngineEndpoint {
	/** Of a Unix socket; undefined for TCP. */
	readonly socketPath: string | undefined;
	/** `http://HOST[:PORT]` */
	readonly origin: string;
	/** For errors: the place, and who names it. */
	readonly where: string;
}

const contextSchema = z.object({ Endpoints: z.object({ docker: z.object({ Host: z.string() }) }) });
const configSchema = z.object({ currentContext: z.string().nullish() });

/**
 * Where docker's and podman's own clients would look: `DOCKER_HOST`, the context that `DOCKER_CONTEXT` or docker's config.json names, or `CONTAINER_HOST`; else the first
 * socket there is of the usual places, the user's before the system's for podman. Throws `Oci2isoError` ENGINE_UNSUPPORTED (exit 2) for ssh and TLS,
 * ENGINE_UNREACHABLE (exit 4) where there is no socket.
 */
export async function engineEndpoint(engine: Engine, image: string, environment: Environment): Promise<EngineEndpoint> {
	const { variables } = environment;
	const variable = engine === "docker" ? "DOCKER_HOST" : "CONTAINER_HOST";
	const host = variables[variable];
	if (host) return endpointOf(host, variable, engine, image, variables);
	const context = engine === "docker" ? await contextHost(environment) : undefined;
	if (context !== undefined) return endpointOf(context.host, context.name, engine, image, variables);
	const places = usualSockets(engine, environment);
	for (const socketPath of places)
		if (await isThere(socketPath)) return { socketPath, origin: "http://localhost", where: socketPath };
	throw unreachable(
		engine,
		image,
		`no socket of ${engine} is there`,
		`looked for ${places.join(" and ")}; ${variable} is not set`,
	);
}

/** Whoever runs no service can still pipe the image. */
export function unreachable(engine: Engine, image: string, what: string, where: string, cause?: unknown): Oci2isoError {
	const start =
		engine === "docker"
			? "systemctl start docker"
			: process.getuid?.() === 0
				? "systemctl start podman.socket"
				: "systemctl --user start podman.socket";
	const store = engine === "podman" ? `containers-storage:${image}, or ` : "";
	const remedy = `start it (${start}), or do without: ${store}${pipeline(engine, image)}`;
	return new Oci2isoError({ code: "ENGINE_UNREACHABLE", kind: "registry", what, where, remedy, cause });
}

export function pipeline(engine: Engine, image: string, before = ""): string {
	return engine === "docker"
		? `${before}docker save ${image} | oci2iso build docker-archive:-`
		: `${before}podman save --format oci-archive ${image} | oci2iso build oci-archive:-`;
}

function endpointOf(
	host: string,
	namedBy: string,
	engine: Engine,
	image: string,
	variables: Environment["variables"],
): EngineEndpoint {
	const where = `${host.slice(0, 300)}, from ${namedBy}`;
	const [, scheme, rest = ""] = /^([a-z]+):\/\/(.*)$/s.exec(host) ?? [];
	if (scheme === "unix" && rest.startsWith("/")) return { socketPath: rest, origin: "http://localhost", where };
	if (scheme === "ssh") {
		const [login = ""] = rest.split("/");
		const colon = login.lastIndexOf(":");
		const ssh = colon < 0 ? `ssh ${login} ` : `ssh -p ${login.slice(colon + 1)} ${login.slice(0, colon)} `;
		const remedy = `pipe the image: ${pipeline(engine, image, ssh)}`;
		throw unsupported("ENGINE_UNSUPPORTED", "engines are not reached through ssh", where, remedy);
	}
	if (scheme === "tcp" || scheme === "http") {
		if (variables["DOCKER_TLS_VERIFY"] && engine === "docker")
			throw unsupported(
				"ENGINE_UNSUPPORTED",
				"engines are not reached through TLS, which DOCKER_TLS_VERIFY asks for",
				where,
				`pipe the image: ${pipeline(engine, image)}`,
			);
		if (/^[A-Za-z0-9._-]+(:\d{1,5})?$|^\[[0-9a-fA-F:]+\](:\d{1,5})?$/.test(rest.replace(/\/$/, "")))
			return { socketPath: undefined, origin: `http://${rest.replace(/\/$/, "")}`, where };
	}
	throw unsupported(
		"ENGINE_UNSUPPORTED",
		"no address of an engine that is understood",
		where,
		`set ${engine === "docker" ? "DOCKER_HOST" : "CONTAINER_HOST"} to unix:///PATH or tcp://HOST:PORT`,
	);
}

/** Docker's context, unless it is the default one. */
async function contextHost({ variables, home }: Environment): Promise<{ host: string; name: string } | undefined> {
	const directory = variables["DOCKER_CONFIG"] || join(home, ".docker");
	const name =
		variables["DOCKER_CONTEXT"] || (await documentAt(join(directory, "config.json"), configSchema))?.currentContext;
	if (!name || name === "default") return undefined;
	const file = join(directory, "contexts/meta", createHash("sha256").update(name).digest("hex"), "meta.json");
	const context = await documentAt(file, contextSchema);
	if (context === undefined)
		throw unsupported("ENGINE_UNSUPPORTED", `docker has no context "${name.slice(0, 100)}"`, file, "set DOCKER_HOST");
	return { host: context.Endpoints.docker.Host, name: `docker's context "${name.slice(0, 100)}"` };
}

async function documentAt<Schema extends z.ZodType>(
	path: string,
	schema: Schema,
): Promise<z.infer<Schema> | undefined> {
	const text = await readIfThere(path);
	const origin = { code: "CONFIGURATION_INVALID", name: "docker's configuration", where: path };
	return text === undefined ? undefined : parseDocument(Buffer.from(text), schema, origin);
}

function usualSockets(engine: Engine, { variables, home, systemRoot }: Environment): string[] {
	const user = process.getuid?.() ?? 0;
	const runtime = variables["XDG_RUNTIME_DIR"] || (user === 0 ? undefined : `/run/user/${user}`);
	const own = (name: string): string[] => (runtime === undefined ? [] : [join(runtime, name)]);
	if (engine === "docker")
		return [join(systemRoot, "var/run/docker.sock"), ...own("docker.sock"), join(home, ".docker/run/docker.sock")];
	const system = join(systemRoot, "run/podman/podman.sock");
	return user === 0 ? [system, ...own("podman/podman.sock")] : [...own("podman/podman.sock"), system];
}

async function isThere(path: string): Promise<boolean> {
	return await stat(path).then(
		(status) => status.isSocket(),
		() => false,
	);
}
