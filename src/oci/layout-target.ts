import { existsSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import * as z from "zod";
import { Oci2isoError } from "../errors.ts";
import { MadeDirectories } from "../output/directories.ts";
import { outputError } from "../output/file-target.ts";
import { REF_NAME } from "./descriptor.ts";
import { type Digest, digestOf } from "./digest.ts";
import { MAX_DOCUMENT_BYTES } from "./json-document.ts";
import { layoutPath } from "./layout-source.ts";
import { referrerDescriptor } from "./referrers.ts";
import type { PushTarget } from "./registry/push-target.ts";

const INDEX = "index.json";
const indexSchema = z.looseObject({
	manifests: z.array(z.looseObject({ digest: z.string(), annotations: z.record(z.string(), z.string()).optional() })),
});
type LayoutIndex = z.infer<typeof indexSchema>;

/**
 * A tag of an image layout (OCI image-spec image-layout.md) in a directory, which is made where there is none. What was sent is removed again unless the tag
 * is put. Throws `Oci2isoError` of kind "output" (exit 6), OUTPUT_EXISTS for a directory that is something else.
 */
export function openLayoutTarget(directory: string, tag: string): Omit<PushTarget, "mount"> {
	const sent: string[] = [];
	const guarded = <Result>(work: () => Result): Result => {
		try {
			return work();
		} catch (cause) {
			throw failure(directory, cause);
		}
	};
	const made = new MadeDirectories();
	if (existsSync(directory) && !existsSync(join(directory, "oci-layout"))) {
		if (guarded(() => readdirSync(directory)).length > 0) throw notALayout(directory);
	}
	const put = (bytes: Uint8Array, digest: Digest): void => {
		const path = join(directory, layoutPath(digest));
		if (existsSync(path)) return;
		made.make(dirname(path));
		replace(path, bytes);
		sent.push(path);
	};
	const list = (entry: LayoutIndex["manifests"][number], isReplaced: (other: typeof entry) => boolean): void => {
		const index = readIndex(directory);
		const manifests = [...index.manifests.filter((other) => !isReplaced(other)), entry];
		writeFileSync(join(directory, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
		replace(join(directory, INDEX), Buffer.from(JSON.stringify({ ...index, manifests })));
		sent.length = 0;
	};
	return {
		name: `oci:${directory}:${tag}`,
		async has({ digest }) {
			return existsSync(join(directory, layoutPath(digest)));
		},
		async upload({ digest, size, read }) {
			const path = join(directory, layoutPath(digest));
			const partial = `${path}.partial`;
			sent.push(partial);
			made.make(dirname(path));
			try {
				await writeFile(partial, read(0, size));
				renameSync(partial, path);
			} catch (cause) {
				throw failure(directory, cause);
			}
			sent.push(path);
			return { sentBytes: size };
		},
		async existing() {
			const found = guarded(() => readIndex(directory)).manifests.find(
				(entry) => entry.annotations?.[REF_NAME] === tag,
			);
			return found && guarded(() => readFileSync(join(directory, layoutPath(found.digest as Digest))));
		},
		async putManifest(bytes, mediaType, _signal, digest) {
			const own = digestOf(bytes);
			guarded(() => {
				put(bytes, own);
				if (digest !== undefined) return;
				const entry = { mediaType, digest: own, size: bytes.byteLength, annotations: { [REF_NAME]: tag } };
				list(entry, (other) => other.annotations?.[REF_NAME] === tag);
			});
			return own;
		},
		async attach(manifest) {
			const entry = referrerDescriptor(manifest);
			guarded(() => {
				put(manifest, entry.digest);
				list(entry, (other) => other.digest === entry.digest);
			});
		},
		async close() {
			for (const path of sent) rmSync(path, { force: true });
			made.discard();
		},
	};
}

function readIndex(directory: string): LayoutIndex {
	const path = join(directory, INDEX);
	if (!existsSync(path)) return { schemaVersion: 2, manifests: [] };
	if (statSync(path).size > MAX_DOCUMENT_BYTES) throw notALayout(directory);
	const text = readFileSync(path, "utf8");
	try {
		return indexSchema.parse(JSON.parse(text));
	} catch {
		throw notALayout(directory);
	}
}

/** Nobody sees half of it. */
function replace(path: string, bytes: Uint8Array): void {
	writeFileSync(`${path}.partial`, bytes);
	renameSync(`${path}.partial`, path);
}

function failure(directory: string, cause: unknown): Oci2isoError {
	return cause instanceof Oci2isoError ? cause : outputError(directory, cause);
}

function notALayout(where: string): Oci2isoError {
	return new Oci2isoError({
		code: "OUTPUT_EXISTS",
		kind: "output",
		what: "the directory holds something else than an image layout",
		where,
		remedy: "name another one, or one that is not there yet",
	});
}
