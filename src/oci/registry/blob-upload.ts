import { MiB } from "../../binary/units.ts";
import { type Oci2isoError, throwIfAborted } from "../../errors.ts";
import type { Digest } from "../digest.ts";
import { notComplete } from "./body.ts";
import { type Fault, registryFailure, retryableFault, transportFault } from "./fault.ts";
import type { Place, RegistryClient, RegistryRequest, RegistryResponse } from "./registry-client.ts";
import { pauseAfter, withinTime } from "./retry.ts";
import type { TransferPolicy } from "./retry-policy.ts";
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

export interface UploadResult {
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
	policy: TransferPolicy,
	signal: AbortSignal | undefined,
): Promise<UploadResult> {
	const { totalMilliseconds } = policy;
	const failure = notComplete(totalMilliseconds, `upload of blob ${content.digest} to ${client.host}`);
	return await withinTime(totalMilliseconds, failure, signal, (limited) =>
		new BlobUpload(client, content, policy, limited).run(),
	);
}

/** Invariant: `#accepted` bytes are in the session at `#location`; without a session it is 0. */
class BlobUpload {
	readonly #client: RegistryClient;
	readonly #content: BlobContent;
	readonly #policy: TransferPolicy;
	readonly #signal: AbortSignal;
	readonly #where: string;
	#location: Place | undefined;
	#accepted = 0;
	#chunkBytes = Number.POSITIVE_INFINITY;
	#minChunkBytes = 0;
	#sentBytes = 0;
	#contentFailure: unknown;

	constructor(client: RegistryClient, content: BlobContent, policy: TransferPolicy, signal: AbortSignal) {
		this.#client = client;
		this.#content = content;
		this.#policy = policy;
		this.#signal = signal;
		this.#where = `upload of blob ${content.digest}`;
	}

	async run(): Promise<UploadResult> {
		const policy = this.#policy;
		let isBroken = false;
		for (let failures = 0; ; ) {
			const before = this.#accepted;
			try {
				if (isBroken && this.#location !== undefined) await this.#askProgress(this.#location);
				isBroken = false;
				if (this.#location === undefined) await this.#begin();
				await this.#sendAll();
				return { sentBytes: this.#sentBytes };
			} catch (error) {
				throwIfAborted(this.#signal);
				if (this.#contentFailure !== undefined) throw this.#contentFailure;
				isBroken = true;
				failures = this.#accepted - before >= policy.progressBytes ? 1 : failures + 1;
				await pauseAfter(transportFault(error, this.#client.host, this.#where), failures, policy, this.#signal);
			}
		}
	}

	async #begin(): Promise<void> {
		const at = "blobs/uploads/";
		const response = await this.#send({ method: "POST", at, headers: { "content-length": "0" } });
		if (response.statusCode !== 202) throw await this.#fault(response);
		const minimum = Number(first(response.headers["oci-chunk-min-length"]) ?? 0);
		this.#minChunkBytes = Number.isSafeInteger(minimum) ? Math.min(Math.max(0, minimum), MAX_CHUNK_BYTES) : 0;
		await this.#move(response);
		this.#accepted = 0;
	}

	/** After a break: how far the session got. One that does not know is left for a new one. */
	async #askProgress(location: Place): Promise<void> {
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
		} else await this.#move(response);
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
		await this.#move(response);
		if (accepted !== end) throw retryableFault(this.#failure("REGISTRY_PROTOCOL", `took ${accepted} bytes of ${end}`));
		this.#accepted = end;
	}

	/** The last request, with everything from `start` on. */
	async #finish(start: number): Promise<void> {
		const { digest, size } = this.#content;
		const session = this.#session();
		const at = { ...session, url: new URL(session.url) };
		at.url.searchParams.set("digest", digest);
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
		throw retryableFault(this.#failure("REGISTRY_PROTOCOL", `stored it as ${stored.slice(0, 140)}`));
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

	#session(): Place {
		if (this.#location === undefined) throw new Error("internal invariant broken: upload without a session");
		return this.#location;
	}

	async #move(response: RegistryResponse): Promise<void> {
		await this.#client.discard(response, this.#signal);
		this.#location = this.#client.located(response, this.#where);
	}

	async #send(request: RegistryRequest): Promise<RegistryResponse> {
		return await this.#client.send(request, this.#where, this.#signal);
	}

	async #fault(response: RegistryResponse): Promise<Fault> {
		return await this.#client.fault(response, "push", this.#where, this.#signal);
	}

	/** What a refused part means: too large, a session that is lost, or something that no other session would change. */
	async #sessionFault(response: RegistryResponse): Promise<Fault> {
		const fault = await this.#fault(response);
		const smaller = Math.max(CHUNK_BYTES, this.#minChunkBytes);
		if (response.statusCode === 413 && Math.min(this.#content.size, this.#chunkBytes) > smaller)
			this.#chunkBytes = smaller;
		else if (!OF_THE_SESSION.has(response.statusCode)) return fault;
		this.#location = undefined;
		this.#accepted = 0;
		return retryableFault(fault.failure);
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
