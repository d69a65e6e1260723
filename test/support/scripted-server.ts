import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createTlsServer, type ServerOptions } from "node:https";
import { type LoopbackServer, listen } from "./registry-loopback.ts";

export interface ScriptedRequest {
	readonly method: string;
	readonly path: string;
	readonly authorization: string | undefined;
}

export interface ScriptedServer extends LoopbackServer {
	/** Everything that was asked, but for the first `/v2/`, by which clients find out whether TLS is spoken. */
	readonly requests: readonly ScriptedRequest[];
}

/** A server on the loopback interface that answers as `answer` says, and takes down what it was asked. `tls`: by HTTPS. */
export async function startScriptedServer(
	answer: (request: ScriptedRequest, response: ServerResponse) => void,
	tls?: ServerOptions,
): Promise<ScriptedServer> {
	const requests: ScriptedRequest[] = [];
	const serve = (incoming: IncomingMessage, response: ServerResponse): void => {
		const { method = "", url: path = "", headers } = incoming;
		const asked = { method, path, authorization: headers.authorization };
		if (path !== "/v2/") requests.push(asked);
		incoming.resume().on("end", () => answer(asked, response));
	};
	const server = tls === undefined ? createServer(serve) : createTlsServer(tls, serve);
	return { ...(await listen(server)), requests };
}
