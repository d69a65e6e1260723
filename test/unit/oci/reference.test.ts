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
		["docker.io/debian", "docker.io/library/debian"],
		["index.docker.io/debian", "docker.io/library/debian"],
		["user/image", "docker.io/user/image"],
		["localhost:5000/image:1.0", "localhost:5000/image:1.0"],
		["LOCALHOST/image", "LOCALHOST/image"],
		["[::1]/a:tag", "[::1]/a:tag"],
		["[2001:db8::1]:5000/a/b", "[2001:db8::1]:5000/a/b"],
		["Example.COM/a", "Example.COM/a"],
		[`debian@${digest}`, `docker.io/library/debian@${digest}`],
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
		"a//b",
		"a..b",
		"-a",
		"a:b:c/",
		"a b",
		"debian:.tag",
		`debian:${"t".repeat(129)}`,
		"debian@sha256:123",
		`debian@md5:${hex}`,
		`debian@${digest}@${digest}`,
		`debian@sha256:${hex.toUpperCase()}`,
		hex,
		"host:port/a",
		"-host.com/a",
		"host..com/a",
		"[::1/a",
		"./layout",
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
			"debian:12",
			{
				transport: "docker",
				name: { domain: "docker.io", repository: "library/debian", tag: "12", digest: undefined },
			},
		],
	])("reads %s", (text, expected) => {
		expect(parseReference(text)).toEqual(expected);
	});

	it.each(["live", "localhost/live:1", "quay.io/a/b:c", `x@${digest}`, digest, digest.slice(7), "0123456789ab"])(
		"an image of an engine: %s",
		(image) => {
			for (const transport of ["podman", "docker-daemon"])
				expect(parseReference(`${transport}:${image}`)).toEqual({ transport, image });
		},
	);

	it.each([
		["", "usage REFERENCE_INVALID"],
		["https://quay.io/a/b", "usage REFERENCE_INVALID"],
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
		["docker-daemon:", "usage REFERENCE_INVALID"],
		["podman:A", "usage REFERENCE_INVALID"],
		["podman:x/../y", "usage REFERENCE_INVALID"],
		["podman:x?y", "usage REFERENCE_INVALID"],
		[`docker-daemon:x:1@${digest}`, "usage REFERENCE_INVALID"],
		["ostree:x@/y", "usage TRANSPORT_UNSUPPORTED"],
	])("refuses %j with %s", (text, code) => {
		expect(codeOf(() => parseReference(text))).toBe(code);
	});
});
