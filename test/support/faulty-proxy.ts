import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from "node:http";
import { request } from "undici";
import { type LoopbackServer, listen } from "./registry-loopback.ts";

/** What the proxy does to one request. Offsets are fractions of the body. */
export type FaultKind =
	| { readonly kind: "none" }
	/** The connection breaks, before any answer or at a place in the body. */
	| { readonly kind: "refuse" }
	| { readonly kind: "drop"; readonly at: number }
	/** Nothing more comes, but the connection stays. */
	| { readonly kind: "silence" }
	| { readonly kind: "stall"; readonly at: number }
	/** The body ends early and in order, without the length that was announced. */
	| { readonly kind: "truncate"; readonly at: number }
	/** One byte is another. */
	| { readonly kind: "corrupt"; readonly at: number }
	| { readonly kind: "status"; readonly status: number; readonly retryAfter?: string }
	/** A Range header is taken for no Range header. */
	| { readonly kind: "ignore-range" }
	/** A Range request is answered with another part, or with a header that says so. */
	| { readonly kind: "wrong-range" }
	| { readonly kind: "wrong-total" }
	| { readonly kind: "range-not-satisfiable" }
	/** The answer to a valid token: a challenge. */
	| { readonly kind: "expired-token" }
	/** A redirect to the second host, whose signature is good or has expired. */
	| { readonly kind: "redirect"; readonly expired: boolean }
	/** Not HTTP at all. */
	| { readonly kind: "garbage" };

export interface FaultyProxy extends LoopbackServer {
	/** Headers that the second host has seen, one record per request. */
	readonly elsewhere: readonly IncomingMessage["headers"][];
	/** Everything that was done, for messages of failing tests. */
	readonly history: readonly string[];
	/** Every request that got here, as `METHOD PATH [RANGE]`, and what was sent back. */
	readonly requests: readonly ProxiedRequest[];
	/** Sets what happens to the requests to come; called with the request's path and method for each. */
	use(schedule: (path: string, method: string) => FaultKind): void;
}

export interface ProxiedRequest {
	readonly method: string;
	readonly path: string;
	readonly range: string | undefined;
	/** Of the response so far, its head included. */
	readonly sentBytes: number;
}

export interface FaultyProxyOptions {
	/** `HOST:PORT` of the registry, which speaks plain HTTP. */
	readonly upstream: string;
	/** What `expired-token` asks for. */
	readonly challenge?: string;
	/** Sent to the registry in place of the client's, so that the proxy can have authentication of its own. */
	readonly requireToken?: () => string | undefined;
}

/** Stands before a registry and does to requests what networks, caches and registries do. */
export async function startFaultyProxy(options: FaultyProxyOptions): Promise<FaultyProxy> {
	let schedule: (path: string, method: string) => FaultKind = () => ({ kind: "none" });
	const history: string[] = [];
	const requests: ProxiedRequest[] = [];
	const elsewhere: IncomingMessage["headers"][] = [];
	const second = await listen(
		createServer((incoming, response) => {
			elsewhere.push(incoming.headers);
			const url = new URL(incoming.url ?? "/", "http://localhost");
			if (url.searchParams.get("signature") !== "good") {
				response.writeHead(403).end("<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>");
				return;
			}
			pass(options, incoming, response, url.pathname, { kind: "none" }).catch(() => incoming.destroy());
		}),
	);
	const front = await listen(
		createServer((incoming, response) => {
			const path = incoming.url ?? "/";
			const method = incoming.method ?? "GET";
			const fault = path === "/v2/" ? ({ kind: "none" } as const) : schedule(path, method);
			const { socket } = incoming;
			const before = socket.bytesWritten;
			let after: number | undefined;
			requests.push({
				...{ method, path, range: incoming.headers.range },
				get sentBytes() {
					return (after ?? socket.bytesWritten) - before;
				},
			});
			response.on("close", () => {
				after = socket.bytesWritten;
			});
			history.push(
				`${path.replace(/^.*\//, "").slice(0, 20)} ${incoming.headers.range ?? ""} ${JSON.stringify(fault)}`,
			);
			serve(options, incoming, response, fault, second.host).catch(() => incoming.destroy());
		}),
	);
	return {
		host: front.host,
		elsewhere,
		history,
		requests,
		use(next) {
			schedule = next;
			history.length = 0;
			requests.length = 0;
			elsewhere.length = 0;
		},
		async stop() {
			await front.stop();
			await second.stop();
		},
	};
}

async function serve(
	options: FaultyProxyOptions,
	incoming: IncomingMessage,
	response: ServerResponse,
	fault: FaultKind,
	second: string,
): Promise<void> {
	const path = incoming.url ?? "/";
	const needed = options.requireToken?.();
	const challenge = { "www-authenticate": options.challenge ?? "Bearer", "content-type": "application/json" };
	if (needed !== undefined && incoming.headers.authorization !== `Bearer ${needed}`) {
		response.writeHead(401, challenge).end(JSON.stringify({ errors: [{ code: "UNAUTHORIZED" }] }));
		return;
	}
	switch (fault.kind) {
		case "refuse":
			incoming.socket.destroy();
			return;
		case "silence":
			return;
		case "garbage":
			incoming.socket.end("SSH-2.0-OpenSSH_9.2\r\n");
			return;
		case "status":
			response.writeHead(fault.status, fault.retryAfter === undefined ? {} : { "retry-after": fault.retryAfter });
			response.end(JSON.stringify({ errors: [{ code: "TOOMANYREQUESTS", message: "slow down" }] }));
			return;
		case "expired-token":
			response.writeHead(401, challenge).end(JSON.stringify({ errors: [{ code: "UNAUTHORIZED" }] }));
			return;
		case "redirect":
			response
				.writeHead(307, { location: `http://${second}${path}?signature=${fault.expired ? "old" : "good"}` })
				.end();
			return;
		default:
			await pass(options, incoming, response, path, fault);
	}
}

async function pass(
	options: FaultyProxyOptions,
	incoming: IncomingMessage,
	response: ServerResponse,
	path: string,
	fault: FaultKind,
): Promise<void> {
	const isRead = incoming.method === "GET" || incoming.method === "HEAD";
	if (isRead) await forward(options, incoming, response, path, fault);
	else await forwardUpload(options, incoming, response, fault);
}

/** Passes a request with a body on: all of it, or its beginning before both connections break, or with one byte changed. */
async function forwardUpload(
	{ upstream }: FaultyProxyOptions,
	incoming: IncomingMessage,
	response: ServerResponse,
	fault: FaultKind,
): Promise<void> {
	const pieces: Buffer[] = [];
	for await (const piece of incoming) pieces.push(Buffer.from(piece as Uint8Array));
	const body = Buffer.concat(pieces);
	const cut = "at" in fault ? Math.floor(fault.at * body.byteLength) : body.byteLength;
	if (fault.kind === "corrupt" && body.byteLength > 0) body[Math.min(cut, body.byteLength - 1)] = 0x5a;
	const isBroken = fault.kind === "drop" || fault.kind === "truncate" || fault.kind === "stall";
	const { authorization: _, ...headers } = incoming.headers;
	await new Promise<void>((resolve, reject) => {
		const onward = httpRequest(
			`http://${upstream}${incoming.url ?? "/"}`,
			{ method: incoming.method, headers: { ...headers, host: upstream, "content-length": body.byteLength } },
			(answer) => {
				const { location } = answer.headers;
				const moved = location?.replace(upstream, incoming.headers.host ?? upstream);
				response.writeHead(answer.statusCode ?? 500, {
					...answer.headers,
					...(moved === undefined ? {} : { location: moved }),
				});
				answer.pipe(response);
				answer.on("end", resolve);
			},
		);
		onward.on("error", reject);
		if (!isBroken) onward.end(body);
		else
			onward.write(body.subarray(0, cut), () => {
				setTimeout(() => {
					onward.destroy();
					if (fault.kind !== "stall") incoming.socket.destroy();
					resolve();
				}, 5);
			});
	});
}

/** Gets the registry's answer whole and passes it on as the fault wants it. */
async function forward(
	{ upstream }: FaultyProxyOptions,
	incoming: IncomingMessage,
	response: ServerResponse,
	path: string,
	fault: FaultKind,
): Promise<void> {
	const { accept, range } = incoming.headers;
	const ignored = fault.kind === "ignore-range" || fault.kind === "wrong-range" || fault.kind === "wrong-total";
	const answer = await request(`http://${upstream}${path}`, {
		method: incoming.method === "HEAD" ? "HEAD" : "GET",
		headers: { ...(accept === undefined ? {} : { accept }), ...(range === undefined || ignored ? {} : { range }) },
	});
	let body: Buffer = Buffer.from(await answer.body.arrayBuffer());
	let { statusCode } = answer;
	const headers: Record<string, string> = {};
	for (const name of ["content-type", "content-range", "docker-content-digest", "www-authenticate", "range"]) {
		const value = answer.headers[name];
		if (typeof value === "string") headers[name] = value;
	}
	const { location } = answer.headers;
	if (typeof location === "string") headers["location"] = location.replace(upstream, incoming.headers.host ?? upstream);
	if (range !== undefined && fault.kind === "range-not-satisfiable") {
		response.writeHead(416, { "content-range": `bytes */${body.byteLength}` }).end();
		return;
	}
	if (range !== undefined && statusCode === 200 && fault.kind === "wrong-range") {
		const first = body.byteLength >> 2;
		headers["content-range"] = `bytes ${first}-${body.byteLength - 1}/${body.byteLength}`;
		body = body.subarray(first);
		statusCode = 206;
	}
	if (range !== undefined && statusCode === 200 && fault.kind === "wrong-total") {
		const first = Number(/\d+/.exec(range)?.[0] ?? 0);
		headers["content-range"] = `bytes ${first}-${body.byteLength + 6}/${body.byteLength + 7}`;
		body = Buffer.concat([body.subarray(first), Buffer.alloc(7)]);
		statusCode = 206;
	}
	const cut = "at" in fault ? Math.min(body.byteLength - 1, Math.floor(fault.at * body.byteLength)) : body.byteLength;
	if (fault.kind === "corrupt" && body.byteLength > 0) body[cut] = (body[cut] ?? 0) ^ 0xff;
	if (incoming.method === "HEAD") {
		response.writeHead(statusCode, headers).end();
		return;
	}
	// without a length, an early end looks like the end
	if (fault.kind === "truncate") response.writeHead(statusCode, headers);
	else response.writeHead(statusCode, { ...headers, "content-length": String(body.byteLength) });
	if (fault.kind === "drop" || fault.kind === "stall") {
		await new Promise<void>((resolve) => response.write(body.subarray(0, cut), () => resolve()));
		if (fault.kind === "drop") incoming.socket.destroy();
	} else response.end(fault.kind === "truncate" ? body.subarray(0, cut) : body);
}
