import { errors } from "undici";
import { Oci2isoError } from "../../errors.ts";
import { errnoOf } from "../failures.ts";

/** One attempt at a request failed: what to report if it was the last one, and whether another makes sense. */
export class Fault extends Error {
	override readonly name = "Fault";
	readonly failure: Oci2isoError;
	readonly retryable: boolean;
	/** What the server asked for. */
	readonly retryAfterMilliseconds: number | undefined;

	constructor(failure: Oci2isoError, retry: { retryable: boolean; retryAfterMilliseconds?: number | undefined }) {
		super(failure.message);
		this.failure = failure;
		this.retryable = retry.retryable;
		this.retryAfterMilliseconds = retry.retryAfterMilliseconds;
	}
}

/** No other attempt makes sense. */
export function finalFault(failure: Oci2isoError): Fault {
	return new Fault(failure, { retryable: false });
}

/** Another attempt makes sense. */
export function retryableFault(failure: Oci2isoError): Fault {
	return new Fault(failure, { retryable: true });
}

/** A failure on the way to or in a registry (exit 4). */
export function registryFailure(code: string, what: string, where: string, remedy?: string): Oci2isoError {
	return new Oci2isoError({ code, kind: "registry", what, where, remedy });
}

/** Nothing came for too long. */
export class StallError extends Error {
	override readonly name = "StallError";
}

const CERTIFICATE = /^(CERT_|UNABLE_TO_|DEPTH_ZERO_SELF_SIGNED|SELF_SIGNED|ERR_TLS_CERT|HOSTNAME_MISMATCH|CRL_)/;
const HANDSHAKE = /^(EPROTO|ERR_SSL_|ERR_TLS_)/;

/** A proxy that answers CONNECT with a refusal; the HTTP library has no other use for it that gets here. */
const TUNNEL_REFUSED = "UND_ERR_ABORTED";

const NO_TLS = new Set(["EPROTO", "ECONNRESET", "ECONNREFUSED", "UND_ERR_SOCKET", TUNNEL_REFUSED]);

/** Whether an error says that the other side does not speak TLS, or drops or refuses the attempt to. */
export function isNoTls(error: unknown): boolean {
	const code = innermostCode(error);
	return NO_TLS.has(code) || code.startsWith("ERR_SSL_");
}

/**
 * What a failed connection or a broken body means. Messages of the HTTP library are left out: they may hold URLs.
 * Throws what has no error code, for that is a bug of ours.
 */
export function transportFault(error: unknown, host: string, where: string): Fault {
	if (error instanceof Fault) return error;
	if (error instanceof Oci2isoError) return finalFault(error);
	const at = `${where} at ${host}`;
	if (error instanceof StallError) return retryableFault(registryFailure("REGISTRY_STALLED", error.message, at));
	const code = innermostCode(error);
	if (code === "") throw error;
	if (CERTIFICATE.test(code)) {
		const remedy = "put the authority's certificate into /etc/containers/certs.d/HOST:PORT/ca.crt or give --cert-dir";
		const what = `the certificate of ${host} is not accepted (${code})`;
		return finalFault(registryFailure("REGISTRY_CERTIFICATE", what, at, remedy));
	}
	if (HANDSHAKE.test(code)) {
		const remedy = "for a registry that speaks plain HTTP give --tls-verify=false";
		const failure = registryFailure("REGISTRY_TLS", `no TLS connection to ${host} (${code})`, at, remedy);
		return new Fault(failure, { retryable: code === "EPROTO" });
	}
	if (code === "ENOTFOUND") return finalFault(registryFailure("REGISTRY_UNREACHABLE", `there is no host ${host}`, at));
	const what =
		code === TUNNEL_REFUSED ? `the proxy gives no connection to ${host}` : `connection to ${host} failed (${code})`;
	return retryableFault(registryFailure("REGISTRY_UNREACHABLE", what, at));
}

function innermostCode(error: unknown): string {
	let code = "";
	let inner: unknown = error;
	for (let depth = 0; depth < 5 && inner instanceof Error; depth++) {
		// the one error of the HTTP library that may come without a code
		code = errnoOf(inner) ?? (inner instanceof errors.HTTPParserError ? "not HTTP/1.1" : code);
		inner = inner instanceof AggregateError ? inner.errors[0] : inner.cause;
	}
	return code;
}
