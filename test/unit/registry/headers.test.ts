import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { mergedScopes } from "../../../src/oci/registry/authorizer.ts";
import { acceptedOf } from "../../../src/oci/registry/blob-upload.ts";
import { parseChallenges } from "../../../src/oci/registry/challenge.ts";
import { parseContentRange } from "../../../src/oci/registry/content-range.ts";
import { backoffMilliseconds, parseRetryAfter } from "../../../src/oci/registry/retry.ts";
import { DEFAULT_POLICY } from "../../../src/oci/registry/retry-policy.ts";
import { Secrets } from "../../../src/oci/registry/secrets.ts";
import { statusFault } from "../../../src/oci/registry/status.ts";

const challenges = (header: string) =>
	parseChallenges(header).map(({ scheme, parameters }) => [scheme, Object.fromEntries(parameters)]);

describe("WWW-Authenticate", () => {
	it("is read as registries write it", () => {
		expect(
			challenges(
				'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull,push"',
			),
		).toEqual([
			[
				"bearer",
				{ realm: "https://auth.docker.io/token", service: "registry.docker.io", scope: "repository:a/b:pull,push" },
			],
		]);
		expect(challenges("Basic realm=Registry")).toEqual([["basic", { realm: "Registry" }]]);
		expect(challenges("BEARER Realm = https://x/t , SERVICE=y")).toEqual([
			["bearer", { realm: "https://x/t", service: "y" }],
		]);
	});
	it("may hold several challenges and quoted characters", () => {
		expect(challenges('Negotiate, Basic realm="a, \\"b\\" = c", Bearer realm="d"')).toEqual([
			["negotiate", {}],
			["basic", { realm: 'a, "b" = c' }],
			["bearer", { realm: "d" }],
		]);
	});
	it("gives back what was put in", () => {
		const value = fc.string({ unit: "grapheme-ascii", maxLength: 40 });
		fc.assert(
			fc.property(value, value, (realm, scope) => {
				const quote = (text: string): string => `"${text.replace(/["\\]/g, "\\$&")}"`;
				expect(challenges(`Bearer realm=${quote(realm)},scope=${quote(scope)}`)).toEqual([
					["bearer", { realm, scope }],
				]);
			}),
			{ seed: 2, numRuns: 500 },
		);
	});
});

describe("Content-Range", () => {
	it.each([
		["bytes 5-9/10", { first: 5, last: 9, total: 10 }],
		["bytes 0-0/1", { first: 0, last: 0, total: 1 }],
		["bytes 5-9/*", { first: 5, last: 9, total: undefined }],
		["bytes 9-5/10", undefined],
		["bytes 5-10/10", undefined],
		["bytes */10", undefined],
		["bytes=5-9/10", undefined],
		["", undefined],
		[undefined, undefined],
	])("%s", (text, range) => expect(parseContentRange(text)).toEqual(range));
});

describe("Retry-After", () => {
	const now = Date.UTC(2026, 0, 1);
	it.each([
		["120", 120_000],
		["0", 0],
		["Thu, 01 Jan 2026 00:01:00 GMT", 60_000],
		["Thu, 01 Jan 2015 00:00:00 GMT", 0],
		["-5", undefined],
		["soon", undefined],
		["1.5", undefined],
		[undefined, undefined],
	])("%s", (text, milliseconds) => expect(parseRetryAfter(text, now)).toBe(milliseconds));
});

describe("backoff", () => {
	it("doubles up to its limit, and varies by half", () => {
		const pauses = [1, 2, 3, 7, 8, 60].map((failures) => backoffMilliseconds(failures, DEFAULT_POLICY, 0));
		expect(pauses).toEqual([500, 1000, 2000, 30_000, 30_000, 30_000]);
		expect(backoffMilliseconds(3, DEFAULT_POLICY, 0.999)).toBeCloseTo(1001);
	});
});

describe("what a registry says of an error", () => {
	const fault = (statusCode: number, message: string, headers = {}) => {
		const secrets = new Secrets();
		secrets.add("hunter2!", "abc");
		const body = Buffer.from(JSON.stringify({ errors: [{ code: "DENIED", message }] }));
		return statusFault({ statusCode, headers }, body, "reg.test", "blob x", secrets);
	};
	it("is passed on without secrets, on one line and shortened", () => {
		const { failure } = fault(403, `no ${"hunter2!"}\n\u001b[31m for abc ${"x".repeat(1000)}`);
		expect(failure.message).toContain("DENIED: no [secret]");
		expect(failure.message).not.toContain("hunter2");
		// too short to be taken for a secret
		expect(failure.message).toContain("for abc");
		expect(failure.message).not.toMatch(/\p{Cc}/u);
		expect(failure.message.length).toBeLessThan(400);
	});
	it.each([
		[401, "REGISTRY_UNAUTHORIZED", false],
		[403, "REGISTRY_DENIED", false],
		[404, "IMAGE_NOT_FOUND", false],
		[416, "REGISTRY_ERROR", false],
		[429, "REGISTRY_RATE_LIMITED", true],
		[500, "REGISTRY_ERROR", true],
		[503, "REGISTRY_ERROR", true],
	])("%d is %s", (status, code, retryable) => {
		expect(fault(status, "")).toMatchObject({ failure: { code, exitStatus: 4 }, retryable });
	});
	it("is nothing where it is no JSON", () => {
		const { failure } = statusFault({ statusCode: 500, headers: {} }, Buffer.from("<html>"), "h", "w", new Secrets());
		expect(failure.what).toBe("h answered 500");
	});
});

describe("the Range of an upload session", () => {
	it.each([
		["0-9", 10],
		["bytes=0-9", 10],
		["0-0", 0],
		["5-9", undefined],
		["0-", undefined],
		[undefined, undefined],
	])("%s", (range, accepted) => {
		expect(acceptedOf({ headers: range === undefined ? {} : { range } })).toBe(accepted);
	});
});

describe("scopes of tokens", () => {
	it("name each resource once, with all its actions", () => {
		expect(mergedScopes(["repository:a/b:pull", "repository:a/b:pull,push", "repository:c:pull"])).toBe(
			"repository:a/b:pull,push repository:c:pull",
		);
		expect(mergedScopes(["registry:catalog:* repository:host:5000/a:pull"])).toBe(
			"registry:catalog:* repository:host:5000/a:pull",
		);
	});
});
