import { Oci2isoError } from "../../errors.ts";
import type { Descriptor } from "../descriptor.ts";
import { type Digest, digestOf } from "../digest.ts";
import { type DockerReference, formatDockerReference, withDefaultTag } from "../docker-reference.ts";
import { ACCEPTED_MANIFESTS, OCI_INDEX, OCI_MANIFEST } from "../media-types.ts";
import { referrersWith } from "../referrers.ts";
import { type BlobContent, type UploadResult, uploadBlob } from "./blob-upload.ts";
import { loadRegistriesConf } from "./config-files.ts";
import { findCredentials } from "./credentials.ts";
import { requireUnambiguous, resolveEndpoints } from "./endpoints.ts";
import { registryFailure, retryableFault } from "./fault.ts";
import { hostEnvironment, type RegistryOptions } from "./options.ts";
import { RegistryClient, type RegistryResponse } from "./registry-client.ts";
import { withRetries } from "./retry.ts";
import { DEFAULT_POLICY } from "./retry-policy.ts";
import { first } from "./status.ts";

/** A tag of a repository that is pushed to. */
export interface PushTarget {
	/** The reference written out. */
	readonly name: string;
	/** Whether the repository has the blob. Throws `Oci2isoError` of kind "registry" (exit 4), as the others do. */
	has(descriptor: Pick<Descriptor, "digest">, signal?: AbortSignal): Promise<boolean>;
	/** Sends a blob. */
	upload(content: BlobContent, signal?: AbortSignal): Promise<UploadResult>;
	/** Takes a blob over from another repository of the same registry; false where the registry does not do that. */
	mount(digest: Digest, from: string, signal?: AbortSignal): Promise<boolean>;
	/** What the tag stands for; undefined where there is none. */
	existing(signal?: AbortSignal): Promise<Uint8Array | undefined>;
	/** Makes the tag, or a digest, stand for these bytes, all of whose blobs are there. */
	putManifest(bytes: Uint8Array, mediaType: string, signal?: AbortSignal, digest?: Digest): Promise<Digest>;
	/** Puts a manifest whose `subject` has these bytes, and names it where a registry that does not list such by itself has them listed. */
	attach(manifest: Uint8Array, subject: Uint8Array, signal?: AbortSignal): Promise<void>;
	close(): Promise<void>;
}

export interface PushOptions extends RegistryOptions {
	/** Repositories of the same registry that blobs may be mounted from. */
	readonly mountFrom?: readonly string[] | undefined;
}

/**
 * Where a reference is pushed to: the registry that it names, as registries.conf rewrites it, never a mirror.
 * Throws `Oci2isoError`: exit 4 for configuration and blocked registries, exit 2 for options, digests and ambiguous names.
 */
export async function openPushTarget(
	given: DockerReference,
	text: string,
	options: PushOptions = {},
	signal?: AbortSignal,
): Promise<PushTarget> {
	const environment = options.environment ?? hostEnvironment();
	const conf = await loadRegistriesConf(environment);
	requireUnambiguous(text, given, conf);
	const reference = withDefaultTag(given);
	const { tag } = reference;
	if (tag === undefined || reference.digest !== undefined)
		throw new Oci2isoError({
			code: "REFERENCE_INVALID",
			kind: "usage",
			what: `"${text.slice(0, 300)}" names a digest, which only its own content can have`,
			remedy: "give a tag to push to",
		});
	const name = formatDockerReference(reference);
	const resolved = resolveEndpoints(reference, conf).find(({ primary }) => primary);
	if (resolved === undefined) throw registryFailure("REGISTRY_UNREACHABLE", "registries.conf leaves no registry", name);
	const { authFile, creds, certDir, tlsVerify } = options;
	const endpoint = { ...resolved, insecure: tlsVerify === undefined ? resolved.insecure : !tlsVerify };
	const { credentialHelpers } = conf;
	const credentials = await findCredentials(endpoint, { authFile, creds, credentialHelpers, environment }, signal);
	const policy = { ...DEFAULT_POLICY, ...options.policy };
	const scopes = [
		`repository:${endpoint.repository}:pull,push`,
		...(options.mountFrom ?? []).map((repository) => `repository:${repository}:pull`),
	];
	const client = new RegistryClient({ endpoint, credentials, certDir, environment, policy, scopes });
	const read = async (named: string, interruption: AbortSignal | undefined): Promise<Uint8Array | undefined> => {
		try {
			const headers = { accept: ACCEPTED_MANIFESTS };
			return (await client.document(`manifests/${named}`, headers, name, interruption)).bytes;
		} catch (error) {
			if (error instanceof Oci2isoError && error.code === "IMAGE_NOT_FOUND") return undefined;
			throw error;
		}
	};
	const put = (as: string, bytes: Uint8Array, mediaType: string, interruption: AbortSignal | undefined) =>
		withRetries(policy, `${name} at ${client.host}`, interruption, (limited) =>
			putManifest(client, as, bytes, mediaType, name, limited),
		);
	return {
		name,
		has: ({ digest }, interruption) => client.has(`blobs/${digest}`, `blob ${digest}`, interruption),
		upload: (content, interruption) => uploadBlob(client, content, policy, interruption),
		mount: (digest, from, interruption) =>
			withRetries(policy, `${name} at ${client.host}`, interruption, (limited) =>
				mountBlob(client, digest, from, limited),
			),
		existing: (interruption) => read(tag, interruption),
		async putManifest(bytes, mediaType, interruption, digest) {
			await put(digest ?? tag, bytes, mediaType, interruption);
			return digestOf(bytes);
		},
		async attach(manifest, subject, interruption) {
			const headers = await put(digestOf(manifest), manifest, OCI_MANIFEST, interruption);
			if (headers["oci-subject"] !== undefined) return;
			const list = digestOf(subject).replace(":", "-");
			await put(list, referrersWith(await read(list, interruption), manifest), OCI_INDEX, interruption);
		},
		close: () => client.close(),
	};
}

async function mountBlob(
	client: RegistryClient,
	digest: Digest,
	from: string,
	signal: AbortSignal | undefined,
): Promise<boolean> {
	const where = `blob ${digest} of ${from}`;
	const at = `blobs/uploads/?${new URLSearchParams({ mount: digest, from })}`;
	const response = await client.send({ method: "POST", at, headers: { "content-length": "0" } }, where, signal);
	if (response.statusCode !== 201 && response.statusCode !== 202)
		throw await client.fault(response, "push", where, signal);
	await client.discard(response, signal);
	// 202 opens a session instead, which the registry will drop
	return response.statusCode === 201;
}

/** `as`: a tag or the digest. */
async function putManifest(
	client: RegistryClient,
	as: string,
	body: Uint8Array,
	mediaType: string,
	where: string,
	signal: AbortSignal | undefined,
): Promise<RegistryResponse["headers"]> {
	const headers = { "content-type": mediaType };
	const response = await client.send({ method: "PUT", at: `manifests/${as}`, headers, body }, where, signal);
	if (response.statusCode !== 201 && response.statusCode !== 200)
		throw await client.fault(response, "push", where, signal);
	await client.discard(response, signal);
	const stored = first(response.headers["docker-content-digest"]);
	if (stored !== undefined && stored !== digestOf(body))
		throw retryableFault(
			registryFailure("REGISTRY_PROTOCOL", `${client.host} stored the manifest as ${stored.slice(0, 140)}`, where),
		);
	return response.headers;
}
