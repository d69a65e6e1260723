import * as z from "zod";
import { throwIfAborted } from "../../errors.ts";
import { archiveSource } from "../archive-source.ts";
import type { ImageSource } from "../blob-source.ts";
import { unsupported } from "../failures.ts";
import { openArchiveStream } from "../file-store.ts";
import { parseDocument } from "../json-document.ts";
import { type Environment, hostEnvironment } from "../registry/options.ts";
import type { SpoolOptions } from "../spool.ts";
import { type Engine, engineEndpoint, pipeline } from "./endpoint.ts";
import { EngineClient } from "./engine-client.ts";

interface EngineOptions extends SpoolOptions {
	readonly environment?: Environment | undefined;
	readonly maxLayerBytes?: number | undefined;
}

/**
 * How each engine is asked. What docker gives is what `docker save` writes. Of podman's formats, the image layout is the one that has every image: podman 4 makes no
 * docker-archive of layers that came compressed with zstd.
 */
const INTERFACES = {
	docker: {
		images: "/images",
		format: "",
		kind: "docker-archive",
		transport: "docker-daemon",
	},
	podman: {
		images: "/v4.0.0/libpod/images",
		format: "?format=oci-archive",
		kind: "oci-archive",
		transport: "podman",
	},
} as const;

const imageSchema = z.object({ Id: z.string().regex(/^(sha256:)?[0-9a-f]{64}$/) });
const names = z.array(z.string()).nullish();
const listSchema = z.array(z.object({ RepoTags: names, Names: names }));

/**
 * An image that docker or podman has, as the archive that it saves, which is kept in the temporary directory until `close`. `image` is a name or an id. Throws
 * `Oci2isoError` IMAGE_NOT_FOUND (exit 2), and as `engineEndpoint`, `EngineClient` and `openArchiveStream`.
 */
export async function engineSource(engine: Engine, image: string, options: EngineOptions): Promise<ImageSource> {
	const { environment = hostEnvironment(), maxLayerBytes, signal } = options;
	const { images, format, kind, transport } = INTERFACES[engine];
	const endpoint = await engineEndpoint(engine, image, environment);
	const client = new EngineClient(engine, endpoint, image);
	const where = `${transport}:${image}`;
	try {
		const found = await client.document(`${images}/${image}/json`, signal);
		if (found === undefined) throw notFound(engine, image, await namesIn(client, images, signal), where);
		const origin = { code: "ENGINE_ANSWER_INVALID", name: `${engine}'s answer`, where };
		// by its id: the name may come to mean another one meanwhile
		const { Id } = parseDocument(found, imageSchema, origin);
		const stream = await client.stream(`${images}/${Id}/get${format}`, signal);
		const store = await openArchiveStream(stream, where, options);
		const notes = [`${where} is ${Id.replace(/^(?!sha256:)/, "sha256:")} of ${endpoint.where}`, ...store.notes];
		return await archiveSource({ ...store, notes }, kind, {}, maxLayerBytes);
	} finally {
		await client.close();
	}
}

const MAX_NAMES = 10;

/** None where they cannot be had: the error is that the image is not there. */
async function namesIn(client: EngineClient, images: string, signal: AbortSignal | undefined): Promise<string[]> {
	try {
		const bytes = (await client.document(`${images}/json`, signal)) ?? Buffer.from("[]");
		const listed = parseDocument(bytes, listSchema, {
			code: "ENGINE_ANSWER_INVALID",
			name: "list of images",
			where: images,
		});
		const all = listed.flatMap(({ RepoTags, Names }) => RepoTags ?? Names ?? []);
		return [...new Set(all)].filter((name) => !name.includes("<none>"));
	} catch {
		throwIfAborted(signal);
		return [];
	}
}

function notFound(engine: Engine, image: string, all: readonly string[], where: string) {
	const stem = (name: string): string => (name.split("/").at(-1) ?? "").split(/[:@]/)[0] ?? "";
	const near = all.filter((name) => stem(name) === stem(image));
	const listed = (near.length > 0 ? near : all).slice(0, MAX_NAMES).join(", ");
	const there = listed === "" ? "there is none" : `there is ${listed}`;
	const others =
		process.getuid?.() === 0
			? "another user's podman has other images: run it as that user"
			: `root's podman has other images: ${pipeline(engine, image, "sudo ")}`;
	const remedy = engine === "podman" && near.length === 0 ? `${there}; ${others}` : there;
	return unsupported("IMAGE_NOT_FOUND", `${engine} has no such image`, where, remedy);
}
