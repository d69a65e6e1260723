import { describe, expect, it } from "vitest";
import { Oci2isoError } from "../../../src/errors.ts";
import { Fault, isNoTls, StallError, transportFault } from "../../../src/oci/registry/fault.ts";
import { withRetries } from "../../../src/oci/registry/retry.ts";
import { DEFAULT_POLICY } from "../../../src/oci/registry/retry-policy.ts";

const coded = (code: string, message = "GET https://host/?signature=s3cret"): Error =>
	Object.assign(new Error(message), { code });

describe("a failure of the transport", () => {
	it.each([
		["ECONNRESET", "REGISTRY_UNREACHABLE", true],
		["EAI_AGAIN", "REGISTRY_UNREACHABLE", true],
		["UND_ERR_SOCKET", "REGISTRY_UNREACHABLE", true],
		["ENOTFOUND", "REGISTRY_UNREACHABLE", false],
		["CERT_HAS_EXPIRED", "REGISTRY_CERTIFICATE", false],
		["DEPTH_ZERO_SELF_SIGNED_CERT", "REGISTRY_CERTIFICATE", false],
		["ERR_TLS_CERT_ALTNAME_INVALID", "REGISTRY_CERTIFICATE", false],
		["UNABLE_TO_GET_ISSUER_CERT_LOCALLY", "REGISTRY_CERTIFICATE", false],
		["ERR_SSL_WRONG_VERSION_NUMBER", "REGISTRY_TLS", false],
	])("%s is %s", (code, ours, retryable) => {
		for (const error of [coded(code), new Error("outer", { cause: coded(code) }), new AggregateError([coded(code)])]) {
			const fault = transportFault(error, "reg.test:5000", "blob x");
			expect(fault).toMatchObject({ failure: { code: ours, exitStatus: 4 }, retryable });
			expect(fault.failure.message).toContain("reg.test:5000");
			expect(fault.failure.message).not.toContain("s3cret");
			expect(fault.failure.cause).toBeUndefined();
		}
	});

	it("without a code is a bug of ours, and stays one", () => {
		expect(() => transportFault(new TypeError("x is not a function"), "h", "w")).toThrow(TypeError);
	});

	it("of ours is passed on", () => {
		const failure = new Oci2isoError({ code: "X", kind: "usage", what: "x" });
		expect(transportFault(failure, "h", "w")).toMatchObject({ failure, retryable: false });
		expect(transportFault(new StallError("nothing came"), "h", "w")).toMatchObject({
			failure: { code: "REGISTRY_STALLED" },
			retryable: true,
		});
	});

	it("may mean that there is no TLS", () => {
		expect(["EPROTO", "ERR_SSL_WRONG_VERSION_NUMBER", "ECONNREFUSED"].map((code) => isNoTls(coded(code)))).toEqual([
			true,
			true,
			true,
		]);
		expect(isNoTls(coded("CERT_HAS_EXPIRED"))).toBe(false);
		expect(isNoTls(new StallError("late"))).toBe(false);
	});
});

describe("retries", () => {
	const policy = { ...DEFAULT_POLICY, attempts: 3, backoffMilliseconds: 1 };
	const failure = new Oci2isoError({ code: "LAST", kind: "registry", what: "it" });
	async function tried(fault: Fault, signal?: AbortSignal): Promise<[number, unknown]> {
		let attempts = 0;
		const error = await withRetries(policy, "x", signal, () => {
			attempts++;
			return Promise.reject(fault);
		}).catch((caught: unknown) => caught);
		return [attempts, error];
	}
	it("end after as many attempts as there may be, with the failure itself", async () => {
		expect(await tried(new Fault(failure, { retryable: true }))).toEqual([3, failure]);
		expect(await tried(new Fault(failure, { retryable: false }))).toEqual([1, failure]);
		const tooLong = { retryable: true, retryAfterMilliseconds: policy.maxRetryAfterMilliseconds + 1 };
		expect(await tried(new Fault(failure, tooLong))).toEqual([1, failure]);
	});
	it("end at once when interrupted, also while waiting", async () => {
		const abort = new AbortController();
		setTimeout(() => abort.abort(), 20);
		const fault = new Fault(failure, { retryable: true, retryAfterMilliseconds: 200_000 });
		const [attempts, error] = await tried(fault, abort.signal);
		expect(attempts).toBe(1);
		expect(error).toMatchObject({ code: "INTERRUPTED" });
	});
	it("pass on what is no fault", async () => {
		await expect(withRetries(policy, "x", undefined, () => Promise.reject(new RangeError("bug")))).rejects.toThrow(
			RangeError,
		);
	});
});
