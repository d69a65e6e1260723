import { Readable } from "node:stream";
import { createSecureContext, type SecureContext } from "node:tls";
import { Agent, type Dispatcher, ProxyAgent, request } from "undici";
import { throwIfAborted } from "../../errors.ts";
import { type Certificates, loadCertificates, systemAuthorities } from "./certificates.ts";
import { registryFailure, StallError } from "./fault.ts";
import type { Environment } from "./options.ts";
import { proxyFor } from "./proxy.ts";
import type { TransferPolicy } from "./retry-policy.ts";

interface TransportOptions {
	/** `HOST[:PORT]` of the registry's API. */
	readonly host: string;
	/** The same as references and directories of certificates name it. */
	readonly domain: string;
	readonly insecure: boolean;
	readonly certDir: string | undefined;
	readonly environment: Environment;
	readonly policy: TransferPolicy;
}

export interface HttpRequest {
	readonly method: "GET" | "HEAD" | "POST" | "PUT" | "PATCH";
	readonly headers: Readonly<Record<string, string>>;
	readonly body?: string | Uint8Array | StreamedBody;
}

/** A body that is too large to be held: read anew for every time that it is sent. */
interface StreamedBody {
	readonly byteLength: number;
	open(): AsyncIterable<Uint8Array>;
}

export type HttpResponse = Dispatcher.ResponseData;

/** Connections to one registry and to the hosts that it sends us on to. Follows no redirect and repeats no request by itself. */
export class Transport {
	readonly #options: TransportOptions;
	readonly #dispatchers = new Map<string, Promise<Dispatcher>>();
	#certificates: Promise<{ system: string[]; registry: Certificates }> | undefined;

	constructor(options: TransportOptions) {
		this.#options = options;
	}

	/**
	 * Resolves with the head of the response; its body has to be read to the end or destroyed. Rejects with what `transportFault` understands.
	 * The time for an answer starts again with every piece of a streamed body that is sent.
	 */
	async send(url: URL, { method, headers, body }: HttpRequest, signal: AbortSignal | undefined): Promise<HttpResponse> {
		const { responseMilliseconds } = this.#options.policy;
		const dispatcher = await this.#dispatcher(url);
		const late = new AbortController();
		const timer = setTimeout(
			() => late.abort(new StallError(`no answer within ${responseMilliseconds / 1000} s`)),
			responseMilliseconds,
		);
		const forward = (): void => late.abort(signal?.reason);
		const sent = body === undefined ? undefined : sendable(body, () => timer.refresh());
		signal?.addEventListener("abort", forward, { once: true });
		try {
			if (signal?.aborted === true) forward();
			const response = await request(url, {
				dispatcher,
				method,
				headers: { "user-agent": "oci2iso", "accept-encoding": "identity", ...headers, ...sent?.headers },
				body: sent?.body ?? null,
				signal: late.signal,
				// both are timed here, where waiting for the reader can be told from waiting for the network
				headersTimeout: 0,
				bodyTimeout: 0,
			});
			// whoever reads it sees its errors; a body that is given up must not end the process
			response.body.on("error", () => {});
			return response;
		} catch (error) {
			throwIfAborted(signal);
			throw late.signal.reason instanceof StallError ? late.signal.reason : error;
		} finally {
			clearTimeout(timer);
			signal?.removeEventListener("abort", forward);
		}
	}

	async close(): Promise<void> {
		const dispatchers = await Promise.allSettled(this.#dispatchers.values());
		for (const result of dispatchers) if (result.status === "fulfilled") await result.value.destroy();
		this.#dispatchers.clear();
	}

	#dispatcher(url: URL): Promise<Dispatcher> {
		const known = this.#dispatchers.get(url.origin);
		if (known !== undefined) return known;
		const made = this.#connect(url);
		this.#dispatchers.set(url.origin, made);
		return made;
	}

	async #connect(url: URL): Promise<Dispatcher> {
		const { environment, insecure, policy } = this.#options;
		const tls = {
			...(url.protocol === "https:" ? { secureContext: await this.#secureContext(url) } : {}),
			rejectUnauthorized: !insecure,
			timeout: policy.responseMilliseconds,
		};
		const proxy = proxyFor(url, environment.variables);
		if (proxy === undefined) return new Agent({ connect: tls, allowH2: false });
		const { username, password } = proxy;
		proxy.username = "";
		proxy.password = "";
		const system = createSecureContext({ ca: (await this.#loaded()).system });
		return new ProxyAgent({
			uri: proxy.href,
			requestTls: tls,
			proxyTls: { secureContext: system, timeout: policy.responseMilliseconds },
			// proxies seldom let anyone tunnel to port 80
			proxyTunnel: url.protocol === "https:",
			allowH2: false,
			...(username === ""
				? {}
				: { token: basicAuthorization(decodeURIComponent(username), decodeURIComponent(password)) }),
		});
	}

	async #secureContext(url: URL): Promise<SecureContext> {
		const { system, registry } = await this.#loaded();
		const isRegistry = url.origin === new URL(`https://${this.#options.host}`).origin;
		const client = isRegistry ? registry.client : [];
		try {
			return createSecureContext({
				// reading all the authorities takes a while, and is in vain where none is asked
				...(this.#options.insecure ? {} : { ca: [...system, ...registry.authorities] }),
				...(client.length === 0
					? {}
					: { cert: client.map(({ certificate }) => certificate), key: client.map(({ key }) => key) }),
			});
		} catch (error) {
			const code = error instanceof Error && "code" in error ? String(error.code) : "unknown reason";
			throw registryFailure("CERTIFICATE_INVALID", `a certificate or key cannot be used (${code})`, this.#options.host);
		}
	}

	#loaded(): Promise<{ system: string[]; registry: Certificates }> {
		const { domain, certDir, environment } = this.#options;
		this.#certificates ??= Promise.all([
			systemAuthorities(environment),
			loadCertificates(domain, certDir, environment),
		]).then(([system, registry]) => ({ system, registry }));
		return this.#certificates;
	}
}

interface Sendable {
	readonly body: string | Uint8Array | Readable;
	readonly headers: Readonly<Record<string, string>>;
}

function sendable(body: string | Uint8Array | StreamedBody, onPiece: () => void): Sendable {
	if (typeof body === "string" || body instanceof Uint8Array) return { body, headers: {} };
	async function* pieces(opened: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
		for await (const piece of opened) {
			onPiece();
			yield piece;
		}
	}
	return {
		body: Readable.from(pieces(body.open()), { objectMode: false }),
		headers: { "content-length": String(body.byteLength) },
	};
}

/** RFC 7617. */
export function basicAuthorization(username: string, password: string): string {
	return `Basic ${Buffer.from(`${username}:${password}`, "utf8").toString("base64")}`;
}
