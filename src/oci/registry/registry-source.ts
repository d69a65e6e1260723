import { corrupt, Oci2isoError } from "../../errors.ts";
import type { BlobPart, ImageSource } from "../blob-source.ts";
import type { Descriptor } from "../descriptor.ts";
import { type Digest, digestAlgorithm, digestOf, isDigest } from "../digest.ts";
import { type DockerReference, formatDockerReference, withDefaultTag } from "../docker-reference.ts";
import { type ManifestDocument, parseManifest } from "../manifest.ts";
import { ACCEPTED_MANIFESTS, documentKind, isImageConfig } from "../media-types.ts";
import { digestMismatch } from "../verified-blob.ts";
import { downloadBlob } from "./blob-download.ts";
import { loadRegistriesConf } from "./config-files.ts";
import { findCredentials } from "./credentials.ts";
import { type Endpoint, requireUnambiguous, resolveEndpoints } from "./endpoints.ts";
import { hostEnvironment, type RegistryOptions } from "./options.ts";
import { ReadAhead } from "./read-ahead.ts";
import { RegistryClient, type RegistryDocument } from "./registry-client.ts";
import { RepeatedBlobs } from "./repeated-blobs.ts";
import { DEFAULT_POLICY } from "./retry-policy.ts";
import { first } from "./status.ts";
import { type BlobTransfer, TransferLog } from "./transfer.ts";

/** Content types that say nothing about what a document is. */
const GENERIC_TYPES = new Set(["", "application/json", "text/plain", "application/octet-stream"]);

/** An image in a registry. */
export interface RegistrySource extends ImageSource {
	/** The blobs that will be read, in that order, so that they can be fetched ahead; one that is listed twice is fetched once if it is small. */
	announce(descriptors: readonly Descriptor[]): void;
	/** The bytes of a part of a blob, not verified; throws REGISTRY_RANGE_IGNORED (exit 4) where the registry gives whole blobs only. */
	part(descriptor: Descriptor, part: BlobPart, signal?: AbortSignal): AsyncIterable<Uint8Array>;
	/** What was fetched so far. */
	readonly transfers: readonly Readonly<BlobTransfer>[];
}

/**
 * `text` is the reference as the user wrote it. Reads configuration and credentials; the registry itself is asked later.
 * Throws `Oci2isoError`: exit 4 for configuration, exit 2 for options and ambiguous names.
 */
export async function openRegistry(
	reference: DockerReference,
	text: string,
	options: RegistryOptions = {},
	signal?: AbortSignal,
): Promise<RegistrySource> {
	const environment = options.environment ?? hostEnvironment();
	const conf = await loadRegistriesConf(environment);
	requireUnambiguous(text, reference, conf);
	const { credentialHelpers } = conf;
	const { authFile, creds, certDir, tlsVerify } = options;
	const policy = { ...DEFAULT_POLICY, ...options.policy };
	const clients: RegistryClient[] = [];
	for (const resolved of resolveEndpoints(reference, conf)) {
		const endpoint: Endpoint = { ...resolved, insecure: tlsVerify === undefined ? resolved.insecure : !tlsVerify };
		const sources = { authFile, creds, credentialHelpers, environment };
		const credentials = await findCredentials(endpoint, sources, signal);
		clients.push(new RegistryClient({ endpoint, credentials, certDir, environment, policy }));
	}
	return registrySource(withDefaultTag(reference), clients, policy);
}

function registrySource(
	reference: DockerReference,
	clients: readonly RegistryClient[],
	policy: typeof DEFAULT_POLICY,
): RegistrySource {
	const name = formatDockerReference(reference);
	const log = new TransferLog();
	const notes: string[] = [];
	const repeated = new RepeatedBlobs(policy.windowBytes / 4);
	/** The one that gave the manifest first, then the others. */
	let order = clients;
	const readAhead = new ReadAhead({
		windowBytes: policy.windowBytes,
		concurrency: policy.concurrency,
		open: (descriptor, signal) =>
			downloadBlob(descriptor, { clients: order, policy, transfer: log.of(descriptor.digest) }, signal),
	});

	async function document(path: string, where: string, signal: AbortSignal | undefined): Promise<RegistryDocument> {
		const failures: Oci2isoError[] = [];
		for (const client of order) {
			try {
				const found = await client.document(path, { accept: ACCEPTED_MANIFESTS }, where, signal);
				order = [client, ...clients.filter((other) => other !== client)];
				if (failures.length > 0)
					notes.push(`read ${where} from ${client.host}: ${failures.map(({ what }) => what).join("; ")}`);
				return found;
			} catch (error) {
				if (!(error instanceof Oci2isoError) || error.kind !== "registry") throw error;
				failures.push(error);
			}
		}
		throw combined(failures, where);
	}

	return {
		notes,
		get transfers() {
			return log.all;
		},
		announce(descriptors) {
			repeated.expect(descriptors);
			readAhead.announce(descriptors);
		},
		async root(signal) {
			if (reference.tag !== undefined && reference.digest !== undefined)
				notes.push(`${name}: the digest decides, the tag was not looked at`);
			const { bytes, headers } = await document(`manifests/${reference.digest ?? reference.tag ?? ""}`, name, signal);
			const contentType = mediaTypeOf(first(headers["content-type"]));
			const claimed = first(headers["docker-content-digest"]);
			return parseRoot(bytes, reference.digest, claimed, contentType, name);
		},
		async *blob(descriptor, signal) {
			const { digest, mediaType } = descriptor;
			const kept = repeated.take(digest);
			if (kept !== undefined) {
				log.of(digest).skippedBytes += kept.byteLength;
				yield kept;
			} else if (documentKind(mediaType) !== undefined) {
				const { bytes } = await document(`manifests/${digest}`, `${name}, manifest ${digest}`, signal);
				yield bytes;
			} else {
				const keep = isImageConfig(mediaType) || repeated.isExpected(digest);
				const pieces = readAhead.read(descriptor, signal);
				yield* keep ? repeated.keeping(descriptor, pieces) : pieces;
			}
		},
		part(descriptor, part, signal) {
			return downloadBlob(descriptor, { clients: order, policy, transfer: log.of(descriptor.digest), part }, signal);
		},
		async has({ digest }, signal) {
			for (const client of order) if (await client.has(`blobs/${digest}`, `blob ${digest}`, signal)) return true;
			return false;
		},
		async close() {
			await readAhead.close();
			await Promise.all(clients.map((client) => client.close()));
		},
	};
}

/** A manifest by digest must have it; one by tag has the digest that the registry states, which must be right, or else SHA-256. */
function parseRoot(
	bytes: Buffer,
	wanted: Digest | undefined,
	claimed: string | undefined,
	contentType: string | undefined,
	where: string,
): ManifestDocument {
	const stated = wanted ?? (claimed !== undefined && isDigest(claimed) ? claimed : undefined);
	const digest = digestOf(bytes, stated === undefined ? "sha256" : digestAlgorithm(stated));
	if (stated !== undefined && digest !== stated)
		throw digestMismatch("BLOB_DIGEST_MISMATCH", "manifest", digest, stated, where);
	if (bytes.byteLength === 0) throw corrupt("MANIFEST_INVALID", "image manifest is empty", where);
	return parseManifest(bytes, digest, contentType);
}

function mediaTypeOf(contentType: string | undefined): string | undefined {
	const bare = (contentType ?? "").split(";", 1)[0]?.trim().toLowerCase() ?? "";
	return GENERIC_TYPES.has(bare) ? undefined : bare;
}

function combined(failures: readonly Oci2isoError[], where: string): Oci2isoError {
	const [only] = failures;
	if (only !== undefined && failures.length === 1) return only;
	// the registry itself is the last; its mirrors need not have everything
	const last = failures.at(-1);
	return new Oci2isoError({
		code: last?.code ?? "REGISTRY_UNREACHABLE",
		kind: "registry",
		what: failures.map(({ what }) => what).join("; "),
		where,
		remedy: last?.remedy,
		problems: failures.map(({ code, what, where: at }) => ({ code, what, where: at })),
	});
}
