import { describe, expect, it } from "vitest";
import { Oci2isoError } from "../../../src/errors.ts";
import { parseDockerReference } from "../../../src/oci/docker-reference.ts";
import { findAuth, parseAuthFile } from "../../../src/oci/registry/auth-file.ts";
import { endpointHost, requireUnambiguous, resolveEndpoints } from "../../../src/oci/registry/endpoints.ts";
import { proxyFor } from "../../../src/oci/registry/proxy.ts";
import { parseRegistriesConf } from "../../../src/oci/registry/registries-conf.ts";

const conf = (...texts: string[]) => parseRegistriesConf(texts.map((text, i) => ({ path: `${i}.conf`, text })));
const failure = (work: () => unknown): string => {
	try {
		work();
		return "no error";
	} catch (error) {
		if (!(error instanceof Oci2isoError)) throw error;
		return error.message;
	}
};

describe("registries.conf", () => {
	const places = (reference: string, ...texts: string[]) =>
		resolveEndpoints(parseDockerReference(reference), conf(...texts)).map(
			({ domain, repository, insecure, primary }) =>
				`${domain}/${repository}${insecure ? " insecure" : ""}${primary ? "" : " mirror"}`,
		);

	it("may say nothing", () => {
		expect(places("debian:12")).toEqual(["docker.io/library/debian"]);
		expect(endpointHost({ domain: "docker.io" })).toBe("registry-1.docker.io");
		expect(endpointHost({ domain: "[::1]:5000" })).toBe("[::1]:5000");
	});

	it("rewrites by the longest prefix that ends at a boundary", () => {
		const rules = `
			[[registry]]
			prefix = "quay.io"
			location = "one.test"
			[[registry]]
			prefix = "quay.io/team"
			location = "two.test:5000/cache/"
			insecure = true
			[[registry]]
			prefix = "quay.io/team/app:1"
			location = "three.test/app"
		`;
		expect(places("quay.io/x/y:1", rules)).toEqual(["one.test/x/y"]);
		expect(places("quay.io/team/x", rules)).toEqual(["two.test:5000/cache/x insecure"]);
		expect(places("quay.io/teams/x", rules)).toEqual(["one.test/teams/x"]);
		expect(places("quay.io/team/app:1", rules)).toEqual(["three.test/app"]);
		expect(places("quay.io/team/app:12", rules)).toEqual(["two.test:5000/cache/app insecure"]);
		expect(places("quay.io:443/team/x", rules)).toEqual(["quay.io:443/team/x"]);
		expect(places("quay.iox/team/x", rules)).toEqual(["quay.iox/team/x"]);
	});

	it("matches hosts below a domain", () => {
		const rules = '[[registry]]\nprefix = "*.example.com"\nlocation = "cache.test"\n';
		expect(places("a.example.com/x", rules)).toEqual(["cache.test/x"]);
		expect(places("a.b.example.com/x", rules)).toEqual(["cache.test/x"]);
		expect(places("example.com/x", rules)).toEqual(["example.com/x"]);
		expect(places("a.example.community/x", rules)).toEqual(["a.example.community/x"]);
		expect(places("a.example.com/x", '[[registry]]\nprefix = "*.example.com"\ninsecure = true')).toEqual([
			"a.example.com/x insecure",
		]);
	});

	it("names mirrors, for tags or digests only", () => {
		const rules = `
			[[registry]]
			location = "docker.io"
			[[registry.mirror]]
			location = "all.test/hub"
			[[registry.mirror]]
			location = "digest.test"
			pull-from-mirror = "digest-only"
			[[registry.mirror]]
			location = "tag.test"
			insecure = true
			pull-from-mirror = "tag-only"
		`;
		const digest = `sha256:${"a".repeat(64)}`;
		const all = "all.test/hub/library/debian mirror";
		const primary = "docker.io/library/debian";
		expect(places("debian:12", rules)).toEqual([all, "tag.test/library/debian insecure mirror", primary]);
		expect(places(`debian@${digest}`, rules)).toEqual([all, "digest.test/library/debian mirror", primary]);
		const digestOnly = rules.replace('location = "docker.io"', 'location = "docker.io"\nmirror-by-digest-only = true');
		expect(failure(() => places("debian", digestOnly))).toMatch(/^REGISTRIES_CONF_INVALID: .*disagree/);
	});

	it("is overridden by later files, prefix by prefix", () => {
		const base =
			'[[registry]]\nlocation = "a.test"\ninsecure = true\n[[registry]]\nlocation = "b.test"\ninsecure = true\n';
		const later = '[[registry]]\nlocation = "b.test"\nblocked = true\n';
		expect(places("a.test/x", base, later)).toEqual(["a.test/x insecure"]);
		expect(failure(() => places("b.test/x", base, later))).toMatch(/^REGISTRY_BLOCKED: .*\(b\.test\/x\)/);
	});

	it.each([
		["[registries.search]\nregistries = ['quay.io']", /version 1/],
		["[[registry]\n", /is not TOML \(0\.conf:1:/],
		["[[registry]]\ninsecure = 'yes'\nlocation = 'a.test'", /registry\.0\.insecure/],
		["[[registry]]\ninsecure = true", /neither prefix nor location/],
		["[[registry]]\nlocation = 'https://a.test'", /has a scheme/],
		["[[registry]]\nprefix = 'a.*.test'\nlocation = 'b.test'", /\* may only stand/],
		["credential-helpers = ['../evil']", /credential-helpers/],
	])("%j is refused with the place", (text, message) => {
		expect(failure(() => conf(text))).toMatch(message);
	});

	it("cannot make names that are none", () => {
		expect(failure(() => places("a.test/x", '[[registry]]\nprefix = "a.test"\nlocation = "nohost"'))).toMatch(
			/^REGISTRIES_CONF_INVALID: .*nohost\/x/,
		);
		expect(failure(() => places("a.test/x", '[[registry]]\nprefix = "a.test"\nlocation = "B.test/UPPER"'))).toMatch(
			/^REGISTRIES_CONF_INVALID: /,
		);
	});

	it("leaves short names to Docker Hub only when nothing else is known for them", () => {
		const refuse = (text: string, rules: string) =>
			failure(() => requireUnambiguous(text, parseDockerReference(text.replace(/^docker:\/\//, "")), conf(rules)));
		const search = 'unqualified-search-registries = ["docker.io", "quay.io"]';
		expect(refuse("debian:12", "")).toBe("no error");
		expect(refuse("debian:12", 'unqualified-search-registries = ["docker.io"]')).toBe("no error");
		expect(refuse("debian:12", search)).toMatch(
			/^SHORT_NAME_AMBIGUOUS: .*write out one of docker\.io\/library\/debian:12, quay\.io\/debian:12$/,
		);
		expect(refuse("team/app", search)).toMatch(/docker\.io\/team\/app, quay\.io\/team\/app$/);
		expect(refuse("docker://debian:12", search)).toBe("no error");
		expect(refuse("docker.io/library/debian:12", search)).toBe("no error");
		expect(refuse("localhost/debian:12", search)).toBe("no error");
		const aliases =
			'[aliases]\n"fedora" = "registry.fedoraproject.org/fedora"\n"debian" = "docker.io/library/debian"\n';
		expect(refuse("debian:12", `${search}\n${aliases}`)).toBe("no error");
		expect(refuse("fedora:40", aliases)).toMatch(/registry\.fedoraproject\.org\/fedora:40$/);
	});
});

describe("auth.json", () => {
	const auth = (user: string): { auth: string } => ({ auth: Buffer.from(`${user}:p:w`).toString("base64") });
	const find = (document: unknown, reference: string, legacy = false) => {
		const { domain, repository } = parseDockerReference(reference);
		return findAuth(parseAuthFile(JSON.stringify(document), "auth.json", legacy), domain, repository, "auth.json").map(
			(entry) => {
				if (entry.kind === "helper") return `helper ${entry.helper} ${entry.server}`;
				return entry.kind === "basic" ? `${entry.username} ${entry.password}` : entry.token;
			},
		);
	};

	it("is searched from the longest name to the host", () => {
		const auths = {
			"quay.io": auth("host"),
			"quay.io/a/b": auth("ab"),
			"quay.io/a": auth("a"),
			"quay.io/ab": auth("no"),
		};
		expect(find({ auths }, "quay.io/a/b:1")).toEqual(["ab p:w", "a p:w", "host p:w"]);
		expect(find({ auths }, "quay.io/a/bc")).toEqual(["a p:w", "host p:w"]);
		expect(find({ auths }, "quay.io:443/a/b")).toEqual([]);
	});

	it("knows Docker Hub by its many names", () => {
		for (const key of ["https://index.docker.io/v1/", "docker.io", "index.docker.io", "https://index.docker.io/v2/"])
			expect(find({ auths: { [key]: auth("hub") } }, "debian"), key).toEqual(["hub p:w"]);
		expect(find({ auths: { "docker.io/library": auth("library") } }, "debian")).toEqual(["library p:w"]);
		expect(find({ credsStore: "desktop" }, "debian")).toEqual([
			"helper desktop https://index.docker.io/v1/",
			"helper desktop docker.io",
		]);
	});

	it("may name helpers, hold identity tokens, padded or plain passwords and empty entries", () => {
		const document = { auths: { "a.test": {} }, credHelpers: { "a.test": "one" }, credsStore: "two" };
		expect(find(document, "a.test/x")).toEqual(["helper one a.test", "helper two a.test"]);
		expect(find({ auths: { "a.test": { ...auth("u"), identitytoken: "it" } } }, "a.test/x")).toEqual(["it"]);
		const padded = { auth: Buffer.from("u:p\0\0").toString("base64") };
		expect(find({ auths: { "a.test": padded } }, "a.test/x")).toEqual(["u p"]);
		expect(find({ auths: { "a.test": { username: "u", password: "p" } } }, "a.test/x")).toEqual(["u p"]);
		expect(find({ "https://a.test/v1/": auth("old") }, "a.test/x", true)).toEqual(["old p:w"]);
	});

	it("is refused without showing what it holds", () => {
		for (const text of [
			'{"auths": {"a": {"auth": "c2VjcmV0',
			"c2VjcmV0",
			'{"auths": {"a.test": {"auth": ["c2VjcmV0"]}}}',
		])
			expect(failure(() => parseAuthFile(text, "auth.json"))).toMatch(/^AUTH_FILE_INVALID: (?!.*c2VjcmV0)/);
		const noColon = { auths: { "a.test": { auth: Buffer.from("secret-alone").toString("base64") } } };
		expect(failure(() => find(noColon, "a.test/x"))).toMatch(/^AUTH_FILE_INVALID: (?!.*secret-alone)/);
		expect(failure(() => parseAuthFile('{"credsStore": "../sh"}', "auth.json"))).toMatch(/credsStore/);
	});
});

describe("proxies of the environment", () => {
	const proxy = (url: string, variables: Record<string, string>) => proxyFor(new URL(url), variables)?.href;
	const both = { HTTPS_PROXY: "http://proxy.test:3128", http_proxy: "plain.test" };
	it("depend on the scheme, in either case of letters", () => {
		expect(proxy("https://quay.io/v2/", both)).toBe("http://proxy.test:3128/");
		expect(proxy("http://quay.io/v2/", both)).toBe("http://plain.test/");
		expect(proxy("https://quay.io/v2/", {})).toBeUndefined();
		expect(proxy("http://quay.io/", { HTTP_PROXY: "http://evil.test", REQUEST_METHOD: "GET" })).toBeUndefined();
	});
	it("are not for loopback, nor for what NO_PROXY names", () => {
		for (const url of ["https://localhost:5000/", "https://127.0.0.1/", "https://127.8.9.1/", "https://[::1]:5000/"])
			expect(proxy(url, both), url).toBeUndefined();
		const exempt = (url: string, list: string) => proxy(url, { ...both, NO_PROXY: list }) === undefined;
		expect(exempt("https://quay.io/", "docker.io, quay.io")).toBe(true);
		expect(exempt("https://cdn.quay.io/", "quay.io")).toBe(true);
		expect(exempt("https://notquay.io/", "quay.io")).toBe(false);
		expect(exempt("https://quay.io/", ".quay.io")).toBe(false);
		expect(exempt("https://cdn.quay.io/", ".quay.io")).toBe(true);
		expect(exempt("https://cdn.quay.io/", "*.quay.io")).toBe(true);
		expect(exempt("https://quay.io:8443/", "quay.io:8443")).toBe(true);
		expect(exempt("https://quay.io/", "quay.io:8443")).toBe(false);
		expect(exempt("https://quay.io/", "quay.io:443")).toBe(true);
		expect(exempt("https://10.1.2.3/", "10.0.0.0/8")).toBe(true);
		expect(exempt("https://11.1.2.3/", "10.0.0.0/8")).toBe(false);
		expect(exempt("https://[fd00::1]/", "fd00::/8")).toBe(true);
		expect(exempt("https://[fd00::1]/", "fd00::1")).toBe(true);
		expect(exempt("https://[fd00::1]:5000/", "[fd00::1]:5000")).toBe(true);
		expect(exempt("https://quay.io/", "*")).toBe(true);
	});
	it("are refused without being shown where they are none", () => {
		for (const value of ["socks5://user:hunter2@proxy.test", "http://user:hunter2@"])
			expect(failure(() => proxy("https://quay.io/", { https_proxy: value }))).toMatch(/^PROXY_INVALID: (?!.*hunter2)/);
	});
});
