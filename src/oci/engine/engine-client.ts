import { Readable } from "node:stream";
import { Agent, type Dispatcher, request } from "undici";
import { corrupt, Oci2isoError, throwIfAborted } from "../../errors.ts";
import { errnoOf } from "../failures.ts";
import { MAX_DOCUMENT_BYTES } from "../json-document.ts";
import { type Engine, type EngineEndpoint, unreachable } from "./endpoint.ts";

/** An engine may write a whole archive before it sends the first byte of it. */
const FIRST_BYTE_MILLISECONDS = 3_600_000;
const STALL_MILLISECONDS = 300_000;

/** Asks one engine. Throws `Oci2isoError` ENGINE_UNREACHABLE, ENGINE_DENIED, ENGINE_FAILED, ENGINE_INTERRUPTED (exit 4), INTERRUPTED. */
export class EngineClient {
	readonly #engine: Engine;
	readonly #image: string;
	readonly #endpoint: EngineEndpoint;
	readonly #dispatcher: Dispatcher;

	/** `image` is for errors. */
	constructor(engine: Engine, endpoint: EngineEndpoint, image: string) {
		this.#engine = engine;
		this.#image = image;
		this.#endpoint = endpoint;
		this.#dispatcher = new Agent({
			connect: endpoint.socketPath === undefined ? { timeout: 30_000 } : { socketPath: endpoint.socketPath },
			headersTimeout: FIRST_BYTE_MILLISECONDS,
			bodyTimeout: STALL_MILLISECONDS,
		});
	}

	/** A JSON document of at most 4 MiB as its bytes, or undefined where there is none of that name. */
	async document(path: string, signal: AbortSignal | undefined): Promise<Buffer | undefined> {
		const { statusCode, body } = await this.#get(path, signal);
		const bytes = await this.#whole(body, signal);
		if (statusCode === 404) return undefined;
		if (statusCode !== 200) throw this.#failed(statusCode, bytes);
		return bytes;
	}

	/** The answer's body, which has to be read or destroyed; its errors are `Oci2isoError`s. */
	async stream(path: string, signal: AbortSignal | undefined): Promise<Readable> {
		const { statusCode, body } = await this.#get(path, signal);
		if (statusCode !== 200) throw this.#failed(statusCode, await this.#whole(body, signal));
		return Readable.from(this.#located(body, signal), { objectMode: false });
	}

	async close(): Promise<void> {
		await this.#dispatcher.destroy();
	}

	async #get(path: string, signal: AbortSignal | undefined): Promise<Dispatcher.ResponseData> {
		const { origin, where } = this.#endpoint;
		try {
			const response = await request(`${origin}${path}`, {
				dispatcher: this.#dispatcher,
				headers: { "user-agent": "oci2iso" },
				signal: signal ?? null,
			});
			response.body.on("error", () => {});
			return response;
		} catch (error) {
			throwIfAborted(signal);
			const reason = errnoOf(error) ?? "no answer";
			if (reason !== "EACCES" && reason !== "EPERM")
				throw unreachable(this.#engine, this.#image, `${this.#engine} does not answer: ${reason}`, where, error);
			throw new Oci2isoError({
				code: "ENGINE_DENIED",
				kind: "registry",
				what: `this user may not ask ${this.#engine}`,
				where,
				remedy:
					this.#engine === "docker"
						? "run it as root or as a member of the socket's group"
						: "root's podman is root's; ask your own (systemctl --user start podman.socket), or run it as root",
				cause: error,
			});
		}
	}

	async *#located(body: Readable, signal: AbortSignal | undefined): AsyncGenerator<Uint8Array, void, undefined> {
		try {
			for await (const chunk of body) yield chunk as Uint8Array;
		} catch (error) {
			throwIfAborted(signal);
			throw new Oci2isoError({
				code: "ENGINE_INTERRUPTED",
				kind: "registry",
				what: `${this.#engine} ended its answer early: ${errnoOf(error) ?? "unknown reason"}`,
				where: this.#endpoint.where,
				remedy: `see what ${this.#engine}'s log says`,
				cause: error,
			});
		}
	}

	async #whole(body: Readable, signal: AbortSignal | undefined): Promise<Buffer> {
		const pieces: Uint8Array[] = [];
		let byteLength = 0;
		for await (const piece of this.#located(body, signal)) {
			byteLength += piece.byteLength;
			if (byteLength > MAX_DOCUMENT_BYTES)
				throw corrupt(
					"DOCUMENT_TOO_LARGE",
					"the answer is too long",
					this.#endpoint.where,
					`at most ${MAX_DOCUMENT_BYTES} bytes`,
				);
			pieces.push(piece);
		}
		return Buffer.concat(pieces);
	}

	#failed(status: number, body: Buffer): Oci2isoError {
		return new Oci2isoError({
			code: "ENGINE_FAILED",
			kind: "registry",
			what: `${this.#engine} answers ${status}: ${messageIn(body)}`,
			where: this.#endpoint.where,
		});
	}
}

/** `message` of an error's document, which both engines have; else the text. */
function messageIn(body: Buffer): string {
	const text = body.toString("utf8");
	try {
		const { message } = JSON.parse(text) as { message?: unknown };
		if (typeof message === "string") return message.slice(0, 500);
	} catch {
		// it is text
	}
	return text.trim().slice(0, 500) || "nothing more";
}
