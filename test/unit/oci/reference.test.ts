import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatDockerReference, parseDockerReference } from "../../../src/oci/docker-reference.ts";
import { parseReference } from "../../../src/oci/reference.ts";
import { codeOf } from "../../support/error-code.ts";

const hex = "0123456789abcdef".repeat(4);
const digest = `sha256:${hex}` as const;

describe("parseDockerReference", () => {
	it.each([
		["debian", "docker.io/library/debian"],
		["debian:12", "docker.io/library/debian:12"],
		["library/debian:12", "docker.io/library/debian:12"],
		["docker.io/debian", "docker.io/library/debian"],
		["index.docker.io/debian", "docker.io/library/debian"],
		["index.docker.io/library/debian:x", "docker.io/library/debian:x"],
		["user/image", "docker.io/user/image"],
		["localhost/image", "localhost/image"],
		["localhost:5000/image:1.0", "localhost:5000/image:1.0"],
		["LOCALHOST/image", "LOCALHOST/image"],
		["quay.io/a/b/c", "quay.io/a/b/c"],
		["host:443/a", "host:443/a"],
		["[::1]/a:tag", "[::1]/a:tag"],
		["[2001:db8::1]:5000/a/b", "[2001:db8::1]:5000/a/b"],
		["127.0.0.1:5000/a", "127.0.0.1:5000/a"],
		["Example.COM/a", "Example.COM/a"],
		["xn--n3h.example/a", "xn--n3h.example/a"],
		["a/b__c.d-e--f_g", "docker.io/a/b__c.d-e--f_g"],
		[`debian@${digest}`, `docker.io/library/debian@${digest}`],
		[`debian:12@${digest}`, `docker.io/library/debian:12@${digest}`],
		[`host:5000/a:_T.a-g@sha512:${hex}${hex}`, `host:5000/a:_T.a-g@sha512:${hex}${hex}`],
		[`${hex}:tag`.slice(1), `docker.io/library/${hex.slice(1)}:tag`],
	])("reads %s as %s", (text, expected) => {
		expect(formatDockerReference(parseDockerReference(text))).toBe(expected);
	});

	it.each([
		"",
		":tag",
		"a:",
		"Debian",
		"a/Debian",
		"a//b",
		"/a",
		"a/",
		"a..b",
		"a___b",
		"-a",
		"a-",
		"a/b-",
		"a._b",
		"a:b:c/",
		"a b",
		"a\nb",
		"debian:.tag",
		`debian:${"t".repeat(129)}`,
		"debian@sha256:123",
		`debian@md5:${hex}`,
		`debian@${digest}x`,
		`debian@${digest}@${digest}`,
		`debian@SHA256:${hex}`,
		`debian@sha256:${hex.toUpperCase()}`,
		hex,
		"host:port/a",
		"-host.com/a",
		"host-.com/a",
		"host..com/a",
		"[::1/a",
		"[::g]/a",
		"./layout",
		"../layout",
		"a".repeat(256),
		`host.com/${"a".repeat(250)}`,
	])("refuses %j", (text) => {
		expect(codeOf(() => parseDockerReference(text))).toBe("usage REFERENCE_INVALID");
	});

	const component = fc.stringMatching(/^[a-z0-9]{1,6}(?:(?:[._]|__|-{1,3})[a-z0-9]{1,6}){0,3}$/);
	const host = fc.stringMatching(
		/^(?:localhost|[a-zA-Z0-9]{1,8}(?:\.[a-zA-Z0-9]{1,8}){1,3}|\[[0-9a-f:]{2,20}\])(?::[0-9]{1,5})?$/,
	);
	const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });

	it("takes apart what it puts together", () => {
		const parts = fc.record({
			domain: host,
			components: fc.array(component, { minLength: 1, maxLength: 5 }),
			tag: optional(fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}$/)),
			digest: optional(fc.constant(digest)),
		});
		fc.assert(
			fc.property(parts, ({ domain, components, tag, digest: pinned }) => {
				fc.pre(!["docker.io", "index.docker.io"].includes(domain));
				const reference = { domain, repository: components.join("/"), tag, digest: pinned };
				expect(parseDockerReference(formatDockerReference(reference))).toEqual(reference);
			}),
			{ seed: 1, numRuns: 1000 },
		);
	});

	it("normalizes to a fixed point and throws nothing but its own error", () => {
		const text = fc.oneof(
			fc.string({ maxLength: 80 }),
			fc.string({ unit: fc.constantFrom(..."aB0.:/@_-[]"), maxLength: 40 }),
		);
		fc.assert(
			fc.property(text, (input) => {
				const code = codeOf(() => {
					const once = parseDockerReference(input);
					expect(parseDockerReference(formatDockerReference(once))).toEqual(once);
				});
				expect(["no error", "usage REFERENCE_INVALID"]).toContain(code);
			}),
			{ seed: 2, numRuns: 5000 },
		);
	});

	it("is quick on names made to make matching slow", () => {
		const started = performance.now();
		for (const text of ["a-".repeat(4000), `${"a_".repeat(4000)}!`, `${"a.".repeat(4000)}/b`, `${"0".repeat(8000)}.`])
			codeOf(() => parseDockerReference(text));
		expect(performance.now() - started).toBeLessThan(500);
	});
});

describe("parseReference", () => {
	const none = { tag: undefined, digest: undefined, sourceIndex: undefined };

	it.each([
		["oci:/a/b", { transport: "oci", path: "/a/b", selection: none }],
		["oci:dir:latest", { transport: "oci", path: "dir", selection: { ...none, tag: "latest" } }],
		["oci:dir:", { transport: "oci", path: "dir", selection: none }],
		["oci:dir:a:b", { transport: "oci", path: "dir", selection: { ...none, tag: "a:b" } }],
		[`oci:dir@${digest}`, { transport: "oci", path: "dir", selection: { ...none, digest } }],
		[`oci:dir:@${digest}`, { transport: "oci", path: "dir", selection: { ...none, digest } }],
		[`oci:dir:tag@${digest}`, { transport: "oci", path: "dir", selection: { ...none, tag: "tag", digest } }],
		["oci:dir:@2", { transport: "oci", path: "dir", selection: { ...none, sourceIndex: 2 } }],
		["oci-archive:a.tar:v1", { transport: "oci-archive", path: "a.tar", selection: { ...none, tag: "v1" } }],
		["dir:/a:b", { transport: "dir", path: "/a:b" }],
		[
			"docker-archive:a.tar",
			{ transport: "docker-archive", path: "a.tar", selection: { name: undefined, sourceIndex: undefined } },
		],
		[
			"docker-archive:a.tar:@1",
			{ transport: "docker-archive", path: "a.tar", selection: { name: undefined, sourceIndex: 1 } },
		],
		[
			"docker-archive:a.tar:x/y:1",
			{
				transport: "docker-archive",
				path: "a.tar",
				selection: {
					name: { domain: "docker.io", repository: "x/y", tag: "1", digest: undefined },
					sourceIndex: undefined,
				},
			},
		],
		[
			"docker://quay.io/x:1",
			{ transport: "docker", name: { domain: "quay.io", repository: "x", tag: "1", digest: undefined } },
		],
		[
			"quay.io/x",
			{ transport: "docker", name: { domain: "quay.io", repository: "x", tag: undefined, digest: undefined } },
		],
		[
			"debian:12",
			{
				transport: "docker",
				name: { domain: "docker.io", repository: "library/debian", tag: "12", digest: undefined },
			},
		],
		[
			"docker:24",
			{
				transport: "docker",
				name: { domain: "docker.io", repository: "library/docker", tag: "24", digest: undefined },
			},
		],
	])("reads %s", (text, expected) => {
		expect(parseReference(text)).toEqual(expected);
	});

	it.each([
		["", "usage REFERENCE_INVALID"],
		["oci:", "usage REFERENCE_INVALID"],
		["dir:", "usage REFERENCE_INVALID"],
		["oci:dir@sha256:abc", "usage REFERENCE_INVALID"],
		["oci:a\0b", "usage REFERENCE_INVALID"],
		[`oci:${"a".repeat(9000)}`, "usage REFERENCE_INVALID"],
		["docker-archive:a.tar:X", "usage REFERENCE_INVALID"],
		[`docker-archive:a.tar:x@${digest}`, "usage REFERENCE_INVALID"],
		["docker:quay.io/x", "usage REFERENCE_INVALID"],
		["docker://", "usage REFERENCE_INVALID"],
		["/some/dir", "usage REFERENCE_INVALID"],
		["containers-storage:localhost/x", "usage TRANSPORT_UNSUPPORTED"],
		["docker-daemon:x:latest", "usage TRANSPORT_UNSUPPORTED"],
		["ostree:x@/y", "usage TRANSPORT_UNSUPPORTED"],
	])("refuses %j with %s", (text, code) => {
		expect(codeOf(() => parseReference(text))).toBe(code);
	});

	it("tells how to get an image out of a store it cannot read", () => {
		expect(() => parseReference("containers-storage:x")).toThrow(/podman save --format oci-archive/);
		expect(() => parseReference("docker-daemon:x:1")).toThrow(/docker save/);
	});

	it("throws nothing but its own errors", () => {
		const prefix = fc.constantFrom("", "oci:", "oci-archive:", "docker-archive:", "dir:", "docker:", "docker://");
		const rest = fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom(..."a:@/.sha256"), maxLength: 30 }));
		fc.assert(
			fc.property(prefix, rest, (a, b) => {
				expect(["no error", "usage REFERENCE_INVALID", "usage TRANSPORT_UNSUPPORTED"]).toContain(
					codeOf(() => parseReference(a + b)),
				);
			}),
			{ seed: 3, numRuns: 3000 },
		);
	});
});
