import { MiB } from "../../binary/units.ts";
import type { Oci2isoError } from "../../errors.ts";
import type { Digest } from "../digest.ts";
import { throwIfAborted } from "../failures.ts";
import { Fault, registryFailure, transportFault } from "./fault.ts";
import type { TransferPolicy } from "./options.ts";
import type { RegistryClient, RegistryRequest } from "./registry-client.ts";
import { pauseAfter } from "./retry.ts";
import { first } from "./status.ts";
import type { HttpResponse } from "./transport.ts";

/** A blob that is known before it is sent. */
export interface BlobContent {
	readonly digest: Digest;
	/** Bytes. */
	readonly size: number;
	/** Its bytes from `start` up to `end`; may be called again. */
	read(start: number, end: number): AsyncIterable<Uint8Array>;
}

export interface UploadOptions {
	readonly policy: TransferPolicy;
	/** A repository of the same registry that probably has the blob. */
	readonly mountFrom?: string | undefined;
}

export interface UploadResult {
	readonly outcome: "mounted" | "uploaded";
	/** Bytes of bodies that were sent, with what had to be sent again. */
	readonly sentBytes: number;
}

/** A part of a blob where the registry, or a proxy before it, does not take it whole. */
const CHUNK_BYTES = 16 * MiB;
const MAX_CHUNK_BYTES = 1024 * MiB;
/** Statuses by which a session says nothing about the account, the quota or the moment: another session may do better. */
const OF_THE_SESSION = new Set([400, 404, 410, 412, 416]);

/**
 * Sends a blob: one PUT after the POST that opens a session; after a break the rest from where the session says it stands, or all of it in a new
 * session. A registry that finds the whole too large (413) gets parts of 16 MiB, or of the size that it names.
 * Throws `Oci2isoError` of kind "registry" (exit 4), and whatever reading the content throws.
 */
export async function uploadBlob(
	client: RegistryClient,
	content: BlobContent,
	options: UploadOptions,
	signal: AbortSignal | undefined,
): Promise<UploadResult> {
	return await new BlobUpload(client, content, options, signal).run();
}

/** Invariant: `#accepted` bytes are in the session at `#location`; without a session it is 0. */
class BlobUpload {
	readonly #client: RegistryClient;
	readonly #content: BlobContent;
	readonly #options: UploadOptions;
	readonly #signal: AbortSignal | undefined;
	readonly #where: string;
	#location: URL | undefined;
	#accepted = 0;
	#chunkBytes = Number.POSITIVE_INFINITY;
	#minChunkBytes = 0;
	#sentBytes = 0;
	#contentFailure: unknown;

	constructor(client: RegistryClient, content: BlobContent, options: UploadOptions, signal: AbortSignal | undefined) {
		this.#client = client;
		this.#content = content;
		this.#options = options;
		this.#signal = signal;
		this.#where = `upload of blob ${content.digest}`;
	}

	async run(): Promise<UploadResult> {
		const { policy } = this.#options;
		const started = performance.now();
		let isBroken = false;
		for (let failures = 0; ; ) {
			const before = this.#accepted;
			try {
				if (isBroken && this.#location !== undefined) await this.#askProgress(this.#location);
				isBroken = false;
				if (this.#location === undefined && (await this.#begin()) === "mounted")
					return { outcome: "mounted", sentBytes: this.#sentBytes };
				await this.#sendAll();
				return { outcome: "uploaded", sentBytes: this.#sentBytes };
			} catch (error) {
				throwIfAborted(this.#signal);
				if (this.#contentFailure !== undefined) throw this.#contentFailure;
				isBroken = true;
				failures = this.#accepted - before >= policy.progressBytes ? 1 : failures + 1;
				if (performance.now() - started > policy.totalMilliseconds)
					throw this.#failure(
						"REGISTRY_STALLED",
						`not complete after ${Math.round(policy.totalMilliseconds / 1000)} s`,
					);
				await pauseAfter(transportFault(error, this.#client.host, this.#where), failures, policy, this.#signal);
			}
		}
	}

	/** Opens a session, or finds that the registry takes the blob from its other repository. */
	async #begin(): Promise<"begun" | "mounted"> {
		const { digest } = this.#content;
		const { mountFrom } = this.#options;
		const mount = mountFrom === undefined ? "" : `?${new URLSearchParams({ mount: digest, from: mountFrom })}`;
		const at = `blobs/uploads/${mount}`;
		const response = await this.#send({ method: "POST", at, headers: { "content-length": "0" } });
		if (response.statusCode === 201 && mountFrom !== undefined) {
			await this.#client.discard(response, this.#signal);
			return "mounted";
		}
		if (response.statusCode !== 202) throw await this.#fault(response);
		const minimum = Number(first(response.headers["oci-chunk-min-length"]) ?? 0);
		this.#minChunkBytes = Number.isSafeInteger(minimum) ? Math.min(Math.max(0, minimum), MAX_CHUNK_BYTES) : 0;
		await this.#moveTo(at, response);
		this.#accepted = 0;
		return "begun";
	}

	/** After a break: how far the session got. One that does not know is left for a new one. */
	async #askProgress(location: URL): Promise<void> {
		this.#location = undefined;
		this.#accepted = 0;
		const response = await this.#send({ method: "GET", at: location, headers: {} });
		const end = acceptedOf(response);
		if ((response.statusCode !== 204 && response.statusCode !== 200) || end === undefined || end > this.#content.size) {
			await this.#client.discard(response, this.#signal);
			return;
		}
		if (response.headers["location"] === undefined) {
			await this.#client.discard(response, this.#signal);
			this.#location = location;
		} else await this.#moveTo(location, response);
		this.#accepted = end;
	}

	async #sendAll(): Promise<void> {
		const { size } = this.#content;
		if (this.#accepted === 0 && size <= this.#chunkBytes) {
			await this.#finish(0);
			return;
		}
		while (this.#accepted < size) await this.#sendChunk();
		await this.#finish(size);
	}

	async #sendChunk(): Promise<void> {
		const start = this.#accepted;
		const end = Math.min(this.#content.size, start + this.#chunkBytes);
		const at = this.#session();
		const headers = { "content-type": "application/octet-stream", "content-range": `${start}-${end - 1}` };
		const response = await this.#send({ method: "PATCH", at, headers, body: this.#body(start, end) });
		if (response.statusCode !== 202 && response.statusCode !== 204) throw await this.#sessionFault(response);
		const accepted = acceptedOf(response) ?? end;
		await this.#moveTo(at, response);
		if (accepted !== end)
			throw new Fault(this.#failure("REGISTRY_PROTOCOL", `took ${accepted} bytes of ${end}`), { retryable: true });
		this.#accepted = end;
	}

	/** The last request, with everything from `start` on. */
	async #finish(start: number): Promise<void> {
		const { digest, size } = this.#content;
		const at = new URL(this.#session());
		at.searchParams.set("digest", digest);
		const headers = { "content-type": "application/octet-stream" };
		const response = await this.#send(
			start === size
				? { method: "PUT", at, headers: { ...headers, "content-length": "0" } }
				: { method: "PUT", at, headers, body: this.#body(start, size) },
		);
		if (response.statusCode !== 201 && response.statusCode !== 204) throw await this.#sessionFault(response);
		await this.#client.discard(response, this.#signal);
		const stored = first(response.headers["docker-content-digest"]);
		if (stored === undefined || stored === digest) return;
		this.#location = undefined;
		throw new Fault(this.#failure("REGISTRY_PROTOCOL", `stored it as ${stored.slice(0, 140)}`), { retryable: true });
	}

	#body(start: number, end: number): NonNullable<RegistryRequest["body"]> {
		const self = this;
		return {
			byteLength: end - start,
			async *open() {
				try {
					for await (const piece of self.#content.read(start, end)) {
						self.#sentBytes += piece.byteLength;
						yield piece;
					}
				} catch (error) {
					self.#contentFailure = error;
					throw error;
				}
			},
		};
	}

	#session(): URL {
		if (this.#location === undefined) throw new Error("internal invariant broken: upload without a session");
		return this.#location;
	}

	async #moveTo(at: string | URL, response: HttpResponse): Promise<void> {
		await this.#client.discard(response, this.#signal);
		this.#location = await this.#client.located(at, response, this.#where, this.#signal);
	}

	async #send(request: RegistryRequest): Promise<HttpResponse> {
		return await this.#client.send(request, this.#where, this.#signal);
	}

	async #fault(response: HttpResponse): Promise<Fault> {
		return await this.#client.fault(response, "push", this.#where, this.#signal);
	}

	/** What a refused part means: too large, a session that is lost, or something that no other session would change. */
	async #sessionFault(response: HttpResponse): Promise<Fault> {
		const fault = await this.#fault(response);
		const smaller = Math.max(CHUNK_BYTES, this.#minChunkBytes);
		if (response.statusCode === 413 && Math.min(this.#content.size, this.#chunkBytes) > smaller)
			this.#chunkBytes = smaller;
		else if (!OF_THE_SESSION.has(response.statusCode)) return fault;
		this.#location = undefined;
		this.#accepted = 0;
		return new Fault(fault.failure, { retryable: true });
	}

	#failure(code: string, what: string): Oci2isoError {
		return registryFailure(code, `${this.#client.host} ${what}`, this.#where);
	}
}

/** `Range: 0-LAST` of a session (distribution-spec, "Pushing a blob in chunks"), as the number of bytes that it has; undefined where it says nothing. */
export function acceptedOf({ headers }: Pick<HttpResponse, "headers">): number | undefined {
	const match = /^(?:bytes=)?0-(\d{1,15})$/.exec(first(headers["range"])?.trim() ?? "");
	if (match === null) return undefined;
	const last = Number(match[1]);
	// what registries say of an empty session too
	return last === 0 ? 0 : last + 1;
}
