import type { IncomingHttpHeaders } from "node:http";
import * as z from "zod";
import { Fault, registryFailure } from "./fault.ts";
import { parseRetryAfter } from "./retry.ts";
import { RETRYABLE_STATUSES } from "./retry-policy.ts";
import type { Secrets } from "./secrets.ts";

/** Distribution-spec, "Error codes". */
const errorsSchema = z.object({
	errors: z.array(z.object({ code: z.string().optional(), message: z.string().nullish() })),
});

/** What an answer means that is neither success nor a redirect nor a challenge. `body` is undefined where it was too long. */
export function statusFault(
	{ statusCode, headers }: { readonly statusCode: number; readonly headers: IncomingHttpHeaders },
	body: Buffer | undefined,
	host: string,
	where: string,
	secrets: Secrets,
	task: "pull" | "push" = "pull",
): Fault {
	const said = explanation(body, secrets);
	const retryAfterMilliseconds = parseRetryAfter(first(headers["retry-after"]), Date.now());
	const wait = retryAfterMilliseconds ? `, to be asked again in ${Math.ceil(retryAfterMilliseconds / 1000)} s` : "";
	const what = `${host} answered ${statusCode}${said === "" ? "" : ` (${said})`}${wait}`;
	const retryable = RETRYABLE_STATUSES.has(statusCode);
	const fault = (code: string, remedy?: string): Fault =>
		new Fault(registryFailure(code, what, `${where} at ${host}`, remedy), { retryable, retryAfterMilliseconds });
	if (task === "push" && PUSH_FAILURES.has(statusCode)) {
		const [code, remedy] = PUSH_FAILURES.get(statusCode) ?? [];
		return fault(code ?? "REGISTRY_ERROR", remedy);
	}
	switch (statusCode) {
		case 401:
			return fault("REGISTRY_UNAUTHORIZED", "check the credentials");
		case 403:
			return fault("REGISTRY_DENIED", "check that the account may pull it");
		case 404:
			return fault(
				"IMAGE_NOT_FOUND",
				"check the name and the tag; some registries say this also where a login is needed",
			);
		case 429:
			return fault("REGISTRY_RATE_LIMITED", "wait, log in, or use a mirror");
		default:
			return fault("REGISTRY_ERROR");
	}
}

const PUSH_FAILURES: ReadonlyMap<number, readonly [code: string, remedy: string]> = new Map([
	[403, ["REGISTRY_DENIED", "check that the account may push to it"]],
	[404, ["REPOSITORY_NOT_FOUND", "check the name; some registries want the repository to be created first"]],
	[405, ["REGISTRY_READ_ONLY", "name a registry that can be pushed to"]],
	[413, ["REGISTRY_QUOTA", "make room in the registry, or raise its limit"]],
	[507, ["REGISTRY_QUOTA", "make room in the registry, or raise its limit"]],
]);

/** The first error that a registry lists, on one line and without secrets. */
function explanation(body: Buffer | undefined, secrets: Secrets): string {
	try {
		const [error] = errorsSchema.parse(JSON.parse(body?.toString("utf8") ?? "")).errors;
		const text = [error?.code, error?.message ?? undefined].filter((part) => part !== undefined).join(": ");
		return secrets.redact(text).replace(/\s+/g, " ").slice(0, 200);
	} catch {
		return "";
	}
}

/** A header that should be there once. */
export function first(value: string | readonly string[] | undefined): string | undefined {
	return typeof value === "string" ? value : value?.[0];
}
