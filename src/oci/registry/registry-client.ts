import type { IncomingHttpHeaders } from "node:http";
import { throwIfAborted } from "../../errors.ts";
import { MAX_DOCUMENT_BYTES } from "../json-document.ts";
import type { Credentials } from "./auth-file.ts";
import { Authorizer } from "./authorizer.ts";
import { readSmallBody } from "./body.ts";
import { type Endpoint, endpointHost } from "./endpoints.ts";
import { type Fault, finalFault, isNoTls, registryFailure, retryableFault, transportFault } from "./fault.ts";
import type { Environment } from "./options.ts";
import { withRetries } from "./retry.ts";
import type { TransferPolicy } from "./retry-policy.ts";
import { Secrets } from "./secrets.ts";
import { first, statusFault } from "./status.ts";
import { type HttpRequest, type HttpResponse, Transport } from "./transport.ts";

const MAX_REDIRECTS = 10;
/** 401 answers to one request, each with other credentials or a fresh token, before it counts as refused. */
const MAX_CHALLENGES = 3;
const MAX_REFUSAL_BYTES = 64 * 1024;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);
const KEEP_METHOD = new Set([307, 308]);

interface RegistryClientOptions {
	readonly endpoint: Endpoint;
	readonly credentials: Credentials | undefined;
	readonly certDir: string | undefined;
	readonly environment: Environment;
	readonly policy: TransferPolicy;
	/** Token scopes to ask for from the first; absent: what the registry's challenges name. */
	readonly scopes?: readonly string[] | undefined;
}

/** Where a request goes. Credentials, and answers to challenges, are for places of the registry's own alone. */
export interface Place {
	readonly url: URL;
	/** On the registry's origin, and nobody else had a word in the choice: one that another host has sent us back to is not. */
	readonly isOwn: boolean;
}

/** A request to a registry: `at` is below `/v2/REPOSITORY/`, or where a `Location` led (`located`). */
export interface RegistryRequest extends HttpRequest {
	readonly at: string | Place;
}

/** With the place that it came from, after redirects. */
export interface RegistryResponse extends HttpResponse {
	readonly place: Place;
}

export interface RegistryDocument {
	readonly bytes: Buffer;
	readonly headers: IncomingHttpHeaders;
}

/** Requests of the distribution specification for one repository of one registry or mirror: addresses, authentication, redirects, failures. */
export class RegistryClient {
	readonly endpoint: Endpoint;
	/** `HOST[:PORT]` of the API, for errors and reports. */
	readonly host: string;
	readonly #policy: TransferPolicy;
	readonly #transport: Transport;
	readonly #authorizer: Authorizer;
	readonly #secrets = new Secrets();
	#scheme: Promise<"https" | "http"> | undefined;

	constructor({ endpoint, credentials, certDir, environment, policy, scopes = [] }: RegistryClientOptions) {
		this.endpoint = endpoint;
		this.host = endpointHost(endpoint);
		this.#policy = policy;
		const { domain, insecure } = endpoint;
		this.#transport = new Transport({ host: this.host, domain, insecure, certDir, environment, policy });
		this.#authorizer = new Authorizer({
			endpoint,
			host: this.host,
			credentials,
			transport: this.#transport,
			policy,
			secrets: this.#secrets,
			scopes,
		});
	}

	/** `path` is below `/v2/REPOSITORY/`; `where` is for errors. Retries; throws `Oci2isoError` (exit 4). */
	async document(
		path: string,
		headers: Readonly<Record<string, string>>,
		where: string,
		signal: AbortSignal | undefined,
	): Promise<RegistryDocument> {
		const { stallMilliseconds, documentMilliseconds: totalMilliseconds } = this.#policy;
		const limits = { maxBytes: MAX_DOCUMENT_BYTES, stallMilliseconds, totalMilliseconds };
		const at = `${where} at ${this.host}`;
		return await withRetries(this.#policy, at, signal, async (limited) => {
			const response = await this.get(path, headers, where, limited);
			try {
				const bytes = await readSmallBody(response.body, limits, at, limited);
				if (bytes === undefined) throw registryFailure("DOCUMENT_TOO_LARGE", "answer has more than 4 MiB", at);
				return { bytes, headers: response.headers };
			} catch (error) {
				throwIfAborted(limited);
				throw transportFault(error, this.host, where);
			}
		});
	}

	/** Whether the registry has it. Retries; throws `Oci2isoError` (exit 4). */
	async has(path: string, where: string, signal: AbortSignal | undefined): Promise<boolean> {
		return await withRetries(this.#policy, `${where} at ${this.host}`, signal, async (limited) => {
			const response = await this.send({ method: "HEAD", at: path, headers: {} }, where, limited);
			const said = await this.#refusal(response, limited);
			if (response.statusCode === 404) return false;
			// where it is kept somewhere else, that place may not answer HEAD
			if (response.statusCode === 200 || REDIRECTS.has(response.statusCode)) return true;
			throw statusFault(response, said, this.host, where, this.#secrets);
		});
	}

	/** One attempt: a response with status 200 or 206 whose body is still to be read, or a `Fault`. */
	async get(
		path: string,
		headers: Readonly<Record<string, string>>,
		where: string,
		signal: AbortSignal | undefined,
	): Promise<RegistryResponse> {
		const response = await this.send({ method: "GET", at: path, headers }, where, signal);
		if (response.statusCode === 200 || response.statusCode === 206) return response;
		throw await this.fault(response, "pull", where, signal);
	}

	/** What an answer means that is no success; reads its body. */
	async fault(
		response: RegistryResponse,
		task: "pull" | "push",
		where: string,
		signal: AbortSignal | undefined,
	): Promise<Fault> {
		const said = await this.#refusal(response, signal);
		const { isOwn, url } = response.place;
		if (response.statusCode !== 401 || isOwn) return statusFault(response, said, this.host, where, this.#secrets, task);
		const what = `${url.host}, where ${this.host} sent us, asks for credentials, and ours are for ${this.host} alone`;
		return finalFault(registryFailure("REGISTRY_UNAUTHORIZED", what, `${where} at ${this.host}`));
	}

	/** Reads what nobody wants to know, so that the connection can be used again. */
	async discard(response: HttpResponse, signal: AbortSignal | undefined): Promise<void> {
		await this.#refusal(response, signal);
	}

	/** One attempt with authentication and redirects: a response of any status whose body is still to be read, or a `Fault`. */
	async send(
		{ at, ...request }: RegistryRequest,
		where: string,
		signal: AbortSignal | undefined,
	): Promise<RegistryResponse> {
		try {
			const start = typeof at === "string" ? await this.#ownPlace(at, signal) : at;
			for (let challenges = 0; ; challenges++) {
				const authorization = start.isOwn ? await this.#authorizer.header(signal) : undefined;
				const response = await this.#follow(start, request, authorization, where, signal);
				const { place, statusCode, headers } = response;
				const challenge = joined(headers["www-authenticate"]);
				if (statusCode !== 401 || !place.isOwn || challenge === "" || challenges >= MAX_CHALLENGES) return response;
				await this.#refusal(response, signal);
				const heard = { used: authorization, isPlain: place.url.protocol === "http:" };
				await this.#authorizer.answer(challenge, heard, where, signal);
			}
		} catch (error) {
			throwIfAborted(signal);
			throw transportFault(error, this.host, where);
		}
	}

	/** Where the `Location` of an answer leads. Throws a final `Fault` where that is no place to go. */
	located({ place, headers }: RegistryResponse, where: string): Place {
		return this.#redirected(place, first(headers["location"]), 0, where);
	}

	async close(): Promise<void> {
		await this.#transport.close();
	}

	/** Follows the redirects of a GET, and others that keep the method; `authorization` is for places of the registry's own. */
	async #follow(
		start: Place,
		request: HttpRequest,
		authorization: string | undefined,
		where: string,
		signal: AbortSignal | undefined,
	): Promise<RegistryResponse> {
		let place = start;
		for (let redirects = 0; ; redirects++) {
			const { url, isOwn } = place;
			const headers = isOwn && authorization !== undefined ? { ...request.headers, authorization } : request.headers;
			let response: HttpResponse;
			try {
				response = await this.#transport.send(url, { ...request, headers }, signal);
			} catch (error) {
				throwIfAborted(signal);
				throw transportFault(error, url.host, where);
			}
			if (!isFollowed(request.method, response.statusCode)) {
				if (
					!isOwn &&
					request.method === "GET" &&
					response.statusCode >= 400 &&
					response.statusCode < 500 &&
					![408, 416, 425, 429].includes(response.statusCode)
				) {
					// a signed URL that has expired: the registry will sign another
					await this.#refusal(response, signal);
					const what = `${url.host}, where ${this.host} sent us, answered ${response.statusCode}`;
					throw retryableFault(registryFailure("REGISTRY_DENIED", what, `${where} at ${this.host}`));
				}
				return { ...response, place };
			}
			await this.#refusal(response, signal);
			place = this.#redirected(place, first(response.headers["location"]), redirects, where);
		}
	}

	#redirected({ url: from, isOwn }: Place, location: string | undefined, redirects: number, where: string): Place {
		const refused = (what: string): Fault =>
			finalFault(registryFailure("REGISTRY_PROTOCOL", what, `${where} at ${this.host}`));
		if (redirects >= MAX_REDIRECTS) throw refused(`${this.host} redirects more than ${MAX_REDIRECTS} times`);
		const url = location !== undefined && URL.canParse(location, from.href) ? new URL(location, from) : undefined;
		if (url === undefined || !/^https?:$/.test(url.protocol)) throw refused(`${from.host} redirects to no URL`);
		if (url.protocol === "http:" && from.protocol === "https:" && !this.endpoint.insecure)
			throw refused(`${from.host} redirects from https to plain http on ${url.host}`);
		url.username = "";
		url.password = "";
		return { url, isOwn: isOwn && url.origin === from.origin };
	}

	/** Reads what a failed request says, so that its connection can be used again; undefined where it is too long or breaks off. */
	async #refusal({ body }: HttpResponse, signal: AbortSignal | undefined): Promise<Buffer | undefined> {
		const { stallMilliseconds, refusalMilliseconds: totalMilliseconds } = this.#policy;
		const limits = { maxBytes: MAX_REFUSAL_BYTES, stallMilliseconds, totalMilliseconds };
		try {
			return await readSmallBody(body, limits, this.host, signal);
		} catch {
			throwIfAborted(signal);
			return undefined;
		}
	}

	async #ownPlace(path: string, signal: AbortSignal | undefined): Promise<Place> {
		return { url: new URL(`${await this.#base(signal)}/v2/${this.endpoint.repository}/${path}`), isOwn: true };
	}

	async #base(signal: AbortSignal | undefined): Promise<string> {
		if (!this.endpoint.insecure) return `https://${this.host}`;
		this.#scheme ??= this.#findScheme(signal).catch((error: unknown) => {
			this.#scheme = undefined;
			throw error;
		});
		return `${await this.#scheme}://${this.host}`;
	}

	/** An insecure registry may speak either; https is tried first. */
	async #findScheme(signal: AbortSignal | undefined): Promise<"https" | "http"> {
		try {
			await this.#refusal(await this.#transport.send(new URL(`https://${this.host}/v2/`), PING, signal), signal);
			return "https";
		} catch (error) {
			throwIfAborted(signal);
			if (isNoTls(error)) return "http";
			throw error;
		}
	}
}

function isFollowed(method: HttpRequest["method"], statusCode: number): boolean {
	return method === "GET" ? REDIRECTS.has(statusCode) : method !== "HEAD" && KEEP_METHOD.has(statusCode);
}

const PING: HttpRequest = { method: "GET", headers: {} };

function joined(value: string | string[] | undefined): string {
	return typeof value === "string" ? value : (value ?? []).join(", ");
}
