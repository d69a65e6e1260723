import * as z from "zod";
import type { Oci2isoError } from "../../errors.ts";
import type { Credentials } from "./auth-file.ts";
import { readSmallBody } from "./body.ts";
import { type Challenge, parseChallenges } from "./challenge.ts";
import type { Endpoint } from "./endpoints.ts";
import { finalFault, registryFailure, retryableFault, transportFault } from "./fault.ts";
import { withRetries } from "./retry.ts";
import type { TransferPolicy } from "./retry-policy.ts";
import type { Secrets } from "./secrets.ts";
import { statusFault } from "./status.ts";
import { basicAuthorization, type HttpRequest, type Transport } from "./transport.ts";

const MAX_ANSWER_BYTES = 1024 * 1024;
/** Distribution token specification: what an absent `expires_in` means. */
const DEFAULT_LIFETIME_SECONDS = 60;
/** A token is not used any more this long before its end. */
const MARGIN_MILLISECONDS = 5000;

const answerSchema = z.object({
	token: z.string().nullish(),
	access_token: z.string().nullish(),
	expires_in: z.number().nullish(),
});

interface AuthorizerOptions {
	readonly endpoint: Endpoint;
	readonly host: string;
	readonly credentials: Credentials | undefined;
	readonly transport: Transport;
	readonly policy: TransferPolicy;
	readonly secrets: Secrets;
	/** `repository:NAME:ACTIONS`, which every token is to allow besides what a challenge asks for. */
	readonly scopes: readonly string[];
}

interface HeardChallenge extends Challenge {
	readonly isPlain: boolean;
}

interface Authorization {
	readonly header: string;
	/** By `performance.now()`. */
	readonly usableUntil: number;
}

/**
 * Answers a registry's challenges (distribution-spec token authentication; RFC 7617 Basic). Invariant: at most one token request is under way, and
 * every request that needs its result waits for it.
 */
export class Authorizer {
	readonly #options: AuthorizerOptions;
	#current: Authorization | undefined;
	#challenge: HeardChallenge | undefined;
	#renewal: Promise<Authorization> | undefined;

	constructor(options: AuthorizerOptions) {
		this.#options = options;
		const { credentials, secrets } = options;
		if (credentials?.kind === "identity-token") secrets.add(credentials.token);
		if (credentials?.kind === "basic")
			secrets.add(credentials.password, basicAuthorization(credentials.username, credentials.password).slice(6));
	}

	/** The `Authorization` for the next request; undefined where none has been asked for yet. */
	async header(signal: AbortSignal | undefined): Promise<string | undefined> {
		if (this.#challenge === undefined) return undefined;
		if (this.#current === undefined || performance.now() > this.#current.usableUntil)
			return (await this.#renew(this.#challenge, signal)).header;
		return this.#current.header;
	}

	/**
	 * After a 401 of the registry itself to a request with `used` (or none): makes `header` give another. `isPlain`: it came over plain HTTP.
	 * Throws a final `Fault` where there is nothing else to try.
	 */
	async answer(
		wwwAuthenticate: string,
		{ used, isPlain }: { readonly used: string | undefined; readonly isPlain: boolean },
		where: string,
		signal: AbortSignal | undefined,
	): Promise<void> {
		// another request has renewed it meanwhile
		if (this.#current !== undefined && used !== this.#current.header) return;
		const challenges = parseChallenges(wwwAuthenticate);
		const challenge =
			challenges.find(({ scheme, parameters }) => scheme === "bearer" && parameters.has("realm")) ??
			challenges.find(({ scheme }) => scheme === "basic");
		if (challenge === undefined)
			throw finalFault(
				registryFailure("REGISTRY_PROTOCOL", `${this.#options.host} asks for authentication in no known way`, where),
			);
		if (
			challenge.scheme === "basic" &&
			(this.#options.credentials?.kind !== "basic" || used?.startsWith("Basic ") === true)
		)
			throw finalFault(this.#unauthorized(where));
		this.#challenge = { ...challenge, isPlain };
		this.#current = undefined;
		await this.#renew(this.#challenge, signal);
	}

	#unauthorized(where: string): Oci2isoError {
		const { credentials, endpoint, host } = this.#options;
		const what =
			credentials === undefined ? "asks for credentials, and there are none" : "does not accept the credentials";
		return registryFailure(
			"REGISTRY_UNAUTHORIZED",
			`${host} ${what}`,
			where,
			`run \`skopeo login ${endpoint.domain}\`, or give --authfile or --creds`,
		);
	}

	#renew(challenge: HeardChallenge, signal: AbortSignal | undefined): Promise<Authorization> {
		this.#renewal ??= this.#authorize(challenge, signal)
			.then((authorization) => {
				this.#current = authorization;
				return authorization;
			})
			.finally(() => {
				this.#renewal = undefined;
			});
		return this.#renewal;
	}

	async #authorize(challenge: HeardChallenge, signal: AbortSignal | undefined): Promise<Authorization> {
		const { credentials } = this.#options;
		if (challenge.scheme === "basic" && credentials?.kind === "basic")
			return {
				header: basicAuthorization(credentials.username, credentials.password),
				usableUntil: Number.POSITIVE_INFINITY,
			};
		try {
			const { policy, endpoint } = this.#options;
			const where = `token for ${endpoint.domain}/${endpoint.repository}`;
			return await withRetries(policy, where, signal, (limited) => this.#requestToken(challenge, where, limited));
		} catch (error) {
			// it has been tried often enough
			throw error instanceof Error && error.name === "Oci2isoError" ? finalFault(error as Oci2isoError) : error;
		}
	}

	async #requestToken(challenge: HeardChallenge, where: string, signal: AbortSignal): Promise<Authorization> {
		const { transport, secrets, policy } = this.#options;
		const realm = this.#realm(challenge);
		const started = performance.now();
		let bytes: Buffer | undefined;
		let statusCode: number;
		try {
			const { url, request } = this.#tokenRequest(challenge, realm);
			const response = await transport.send(url, request, signal);
			statusCode = response.statusCode;
			const { stallMilliseconds, documentMilliseconds: totalMilliseconds } = policy;
			const limits = { maxBytes: MAX_ANSWER_BYTES, stallMilliseconds, totalMilliseconds };
			bytes = await readSmallBody(response.body, limits, `${where} at ${realm.host}`, signal);
			if (statusCode === 401 || statusCode === 403) throw finalFault(this.#unauthorized(`${where} at ${realm.host}`));
			if (statusCode !== 200) throw statusFault(response, bytes, realm.host, where, secrets);
		} catch (error) {
			throw transportFault(error, realm.host, where);
		}
		const answer = parseAnswer(bytes);
		const token = answer?.token || answer?.access_token || "";
		if (!/^[\x21-\x7e]+$/.test(token))
			throw retryableFault(registryFailure("REGISTRY_PROTOCOL", `${realm.host} answered without a token`, where));
		secrets.add(token);
		const lifetime = Math.max(answer?.expires_in ?? 0, DEFAULT_LIFETIME_SECONDS) * 1000;
		return { header: `Bearer ${token}`, usableUntil: started + lifetime - MARGIN_MILLISECONDS };
	}

	/** Where tokens are given out: any host that the registry names, but over plain HTTP only where the registry itself was asked so. */
	#realm({ parameters, isPlain }: HeardChallenge): URL {
		const { endpoint, host } = this.#options;
		const text = parameters.get("realm") ?? "";
		const url = URL.canParse(text) ? new URL(text) : undefined;
		const isAllowed = url?.protocol === "https:" || (url?.protocol === "http:" && isPlain);
		if (url === undefined || !isAllowed)
			throw finalFault(
				registryFailure(
					"REGISTRY_PROTOCOL",
					`${host} names a token server that is not reached by https`,
					`${endpoint.domain}/${endpoint.repository}`,
				),
			);
		url.username = "";
		url.password = "";
		return url;
	}

	#tokenRequest({ parameters }: Challenge, realm: URL): { url: URL; request: HttpRequest } {
		const { credentials, endpoint } = this.#options;
		const service = parameters.get("service");
		const asked = parameters.get("scope") || `repository:${endpoint.repository}:pull`;
		const scope = this.#options.scopes.length === 0 ? asked : mergedScopes([asked, ...this.#options.scopes]);
		const accept = { accept: "application/json" };
		if (credentials?.kind === "identity-token") {
			const form = new URLSearchParams({ grant_type: "refresh_token", client_id: "oci2iso", scope });
			if (service !== undefined) form.set("service", service);
			form.set("refresh_token", credentials.token);
			const headers = { ...accept, "content-type": "application/x-www-form-urlencoded" };
			return { url: realm, request: { method: "POST", headers, body: form.toString() } };
		}
		const url = new URL(realm);
		if (service !== undefined) url.searchParams.set("service", service);
		for (const part of scope.split(" ").filter((item) => item !== "")) url.searchParams.append("scope", part);
		if (credentials === undefined) return { url, request: { method: "GET", headers: accept } };
		url.searchParams.set("account", credentials.username);
		const authorization = basicAuthorization(credentials.username, credentials.password);
		return { url, request: { method: "GET", headers: { ...accept, authorization } } };
	}
}

/** Distribution token scopes, separated by spaces: one for each resource, with all the actions that any of them names for it. */
export function mergedScopes(scopes: readonly string[]): string {
	const actions = new Map<string, Set<string>>();
	for (const scope of scopes
		.join(" ")
		.split(" ")
		.filter((item) => item !== "")) {
		const colon = scope.lastIndexOf(":");
		const resource = scope.slice(0, Math.max(0, colon));
		const known = actions.get(resource) ?? new Set();
		for (const action of scope.slice(colon + 1).split(",")) known.add(action);
		actions.set(resource, known);
	}
	return [...actions].map(([resource, allowed]) => `${resource}:${[...allowed].join(",")}`).join(" ");
}

function parseAnswer(bytes: Buffer | undefined): z.infer<typeof answerSchema> | undefined {
	try {
		return answerSchema.safeParse(JSON.parse(bytes?.toString("utf8") ?? "")).data;
	} catch {
		return undefined;
	}
}
