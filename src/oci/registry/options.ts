import { homedir } from "node:os";
import { MiB } from "../../binary/units.ts";

/** What the user may say about registries; the command line's options have the same names. */
export interface RegistryOptions {
	/** The only auth.json to look at. Default: `REGISTRY_AUTH_FILE`, else the places of containers-auth.json(5). */
	readonly authFile?: string | undefined;
	/** `USER:PASSWORD` for the registry that the reference names; mirrors never see it. */
	readonly creds?: string | undefined;
	/** False: accept any certificate, and plain HTTP. Default: as registries.conf says, else true. */
	readonly tlsVerify?: boolean | undefined;
	/** The only directory with `*.crt`, `*.cert` and `*.key`. Default: the places of containers-certs.d(5). */
	readonly certDir?: string | undefined;
	readonly policy?: Partial<TransferPolicy> | undefined;
	readonly environment?: Environment | undefined;
}

/** What the machine says about registries. */
export interface Environment {
	readonly variables: Readonly<Record<string, string | undefined>>;
	/** The user's home directory. */
	readonly home: string;
	/** Below which `etc/containers` and its like are: "/". */
	readonly systemRoot: string;
}

export function hostEnvironment(): Environment {
	return { variables: process.env, home: homeDirectory(), systemRoot: "/" };
}

/** A user id that the machine does not know, as containers often have, has no home. */
function homeDirectory(): string {
	try {
		return homedir();
	} catch {
		return "/";
	}
}

/** Times are in milliseconds. Nothing here changes what is read, only how long it takes and whether it succeeds. */
export interface TransferPolicy {
	/** Tries of one request before its failure counts; a blob's count starts again after each `progressBytes`. */
	readonly attempts: number;
	readonly progressBytes: number;
	/** Wait before the first retry; doubles each time up to the maximum, and up to half of it is left out at random. */
	readonly backoffMilliseconds: number;
	readonly maxBackoffMilliseconds: number;
	/** A server that asks for a longer pause than this is not waited for. */
	readonly maxRetryAfterMilliseconds: number;
	/** From the request to the head of the response, with connecting. */
	readonly responseMilliseconds: number;
	/** Without a byte of an expected body. Time in which nobody wants the next byte does not count. */
	readonly stallMilliseconds: number;
	/** All the waiting for one blob's bytes. */
	readonly totalMilliseconds: number;
	/** For the body of one document: a manifest, a token, an answer without content. */
	readonly documentMilliseconds: number;
	/** For what a refusal says; beyond, it says nothing. */
	readonly refusalMilliseconds: number;
	/** All that one document takes, with redirects, tokens and tries; pauses between tries do not count. */
	readonly requestMilliseconds: number;
	/** Blobs in flight at a time. */
	readonly concurrency: number;
	/** Memory for bytes that have arrived and not been read yet, of all blobs together. */
	readonly windowBytes: number;
}

export const DEFAULT_POLICY: TransferPolicy = {
	attempts: 5,
	progressBytes: MiB,
	backoffMilliseconds: 500,
	maxBackoffMilliseconds: 30_000,
	maxRetryAfterMilliseconds: 300_000,
	responseMilliseconds: 60_000,
	stallMilliseconds: 60_000,
	totalMilliseconds: 6 * 3_600_000,
	documentMilliseconds: 60_000,
	refusalMilliseconds: 10_000,
	requestMilliseconds: 300_000,
	concurrency: 3,
	windowBytes: 64 * MiB,
};
