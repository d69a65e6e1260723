import { spawn } from "node:child_process";
import * as z from "zod";
import { throwIfAborted } from "../../errors.ts";
import type { Credentials } from "./auth-file.ts";
import { registryFailure } from "./fault.ts";

const HELPER_MILLISECONDS = 60_000;
const MAX_ANSWER_BYTES = 64 * 1024;

const answerSchema = z.object({ Username: z.string(), Secret: z.string() });

/**
 * Asks `docker-credential-HELPER get` (docker-credential-helpers protocol): the server's name on standard input, JSON on standard output.
 * Undefined where the helper has nothing for the server. Throws `Oci2isoError` CREDENTIAL_HELPER_FAILED (exit 4), which shows nothing of the answer.
 */
export async function askHelper(
	helper: string,
	server: string,
	variables: Readonly<Record<string, string | undefined>>,
	signal?: AbortSignal,
): Promise<Credentials | undefined> {
	const program = `docker-credential-${helper}`;
	const failed = (what: string) => registryFailure("CREDENTIAL_HELPER_FAILED", `${program} ${what}`, server);
	const timeout = AbortSignal.timeout(HELPER_MILLISECONDS);
	const child = spawn(program, ["get"], {
		stdio: ["pipe", "pipe", "ignore"],
		env: { ...variables },
		signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
	});
	const pieces: Buffer[] = [];
	let received = 0;
	child.stdout.on("data", (piece: Buffer) => {
		received += piece.byteLength;
		if (received <= MAX_ANSWER_BYTES) pieces.push(piece);
		else child.kill();
	});
	// a helper may end without having read its input
	child.stdin.on("error", () => {});
	child.stdin.end(server);
	const ended = new Promise<number | null>((resolve, reject) => {
		child.on("close", resolve);
		child.on("error", (error: NodeJS.ErrnoException) => {
			const code = error.code ?? "unknown reason";
			reject(failed(code === "ENOENT" ? "is not installed" : `could not be run (${code})`));
		});
	});
	const status = await ended.catch((error: unknown) => {
		throwIfAborted(signal);
		throw error;
	});
	if (received > MAX_ANSWER_BYTES) throw failed("answered with more than 64 KiB");
	const answer = Buffer.concat(pieces).toString("utf8");
	if (status !== 0) {
		if (/credentials not found/i.test(answer)) return undefined;
		throw failed(`ended with status ${status ?? "of a signal"}`);
	}
	let document: unknown;
	try {
		document = JSON.parse(answer);
	} catch {
		throw failed("did not answer in JSON");
	}
	const result = answerSchema.safeParse(document);
	if (!result.success) throw failed("answered without Username and Secret");
	const { Username: username, Secret: secret } = result.data;
	if (username === "" && secret === "") return undefined;
	return username === "<token>"
		? { kind: "identity-token", token: secret }
		: { kind: "basic", username, password: secret };
}
