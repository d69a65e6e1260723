import { randomUUID, sign, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage } from "node:http";
import { type LoopbackServer, listen } from "./registry-loopback.ts";

export interface TokenServerOptions {
	readonly service: string;
	readonly issuer: string;
	/** PEM files of an EC P-256 certificate and its key; the registry trusts the certificate. */
	readonly certificate: string;
	readonly key: string;
	readonly users?: Readonly<Record<string, string>>;
	readonly refreshTokens?: readonly string[];
	/** Whether anyone may pull. Default: false. */
	readonly anonymous?: boolean;
	/** Name of the answer's field. Default: "token". */
	readonly field?: "token" | "access_token";
	/** What it says of the token's lifetime. */
	readonly expiresInSeconds?: number;
	/** Status of each request that is to fail, in order, before any is served. */
	readonly failures?: number[];
}

export interface TokenServer extends LoopbackServer {
	readonly realm: string;
	/** One line per request: method and what it identified itself with. */
	readonly requests: readonly string[];
	readonly scopes: readonly string[];
}

/** A token server as the distribution specification describes it: GET with Basic or nothing, POST with a refresh token; signed tokens (JWT, ES256). */
export async function startTokenServer(options: TokenServerOptions): Promise<TokenServer> {
	const requests: string[] = [];
	const scopes: string[] = [];
	const server = createServer(async (request, response) => {
		const url = new URL(request.url ?? "/", "http://localhost");
		const form = request.method === "POST" ? new URLSearchParams(await textOf(request)) : url.searchParams;
		const account = accountOf(request, form, options);
		requests.push(`${request.method} ${account ?? "refused"}`);
		scopes.push(...form.getAll("scope"));
		const failure = options.failures?.shift();
		const status = failure ?? (account === undefined ? 401 : 200);
		response.writeHead(status, { "content-type": "application/json" });
		if (status !== 200 || account === undefined) {
			const echo = `${request.headers.authorization ?? ""} ${form.get("refresh_token") ?? ""}`;
			response.end(JSON.stringify({ errors: [{ code: "DENIED", message: `not with ${echo}` }] }));
			return;
		}
		const token = makeToken(account, form.get("scope") ?? "", options);
		const lifetime = options.expiresInSeconds === undefined ? {} : { expires_in: options.expiresInSeconds };
		response.end(JSON.stringify({ [options.field ?? "token"]: token, ...lifetime }));
	});
	const listening = await listen(server);
	return { ...listening, realm: `http://${listening.host}/auth/here`, requests, scopes };
}

function accountOf(request: IncomingMessage, form: URLSearchParams, options: TokenServerOptions): string | undefined {
	if (form.get("service") !== options.service) return undefined;
	if (request.method === "POST") {
		const known = options.refreshTokens?.includes(form.get("refresh_token") ?? "") === true;
		return known && form.get("grant_type") === "refresh_token" ? "refresh-token" : undefined;
	}
	const [, encoded] = /^Basic (.+)$/.exec(request.headers.authorization ?? "") ?? [];
	if (encoded === undefined) return options.anonymous === true ? "anonymous" : undefined;
	const [user = "", password = ""] = Buffer.from(encoded, "base64").toString().split(":");
	return options.users?.[user] === password ? user : undefined;
}

function makeToken(account: string, scope: string, { service, issuer, certificate, key }: TokenServerOptions): string {
	const now = Math.floor(Date.now() / 1000);
	const [type = "", ...rest] = scope.split(":");
	const actions = rest.at(-1)?.split(",") ?? [];
	const chain = [new X509Certificate(readFileSync(certificate)).raw.toString("base64")];
	const claims = {
		iss: issuer,
		sub: account,
		aud: service,
		exp: now + 300,
		nbf: now - 10,
		iat: now,
		jti: randomUUID(),
		access: [{ type, name: rest.slice(0, -1).join(":"), actions }],
	};
	const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");
	const signed = `${encode({ typ: "JWT", alg: "ES256", x5c: chain })}.${encode(claims)}`;
	const signature = sign("sha256", Buffer.from(signed), { key: readFileSync(key), dsaEncoding: "ieee-p1363" });
	return `${signed}.${signature.toString("base64url")}`;
}

async function textOf(request: IncomingMessage): Promise<string> {
	const pieces: Buffer[] = [];
	for await (const piece of request) pieces.push(Buffer.from(piece as Uint8Array));
	return Buffer.concat(pieces).toString();
}
