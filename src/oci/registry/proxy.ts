import { BlockList, isIP } from "node:net";
import { Oci2isoError } from "../../errors.ts";
import type { Environment } from "./options.ts";

/**
 * The proxy for a URL by `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` (also in lower case), or undefined for a direct connection.
 * Loopback is never reached through a proxy. Throws `Oci2isoError` PROXY_INVALID (exit 2), which does not show the value: it may hold a password.
 */
export function proxyFor(url: URL, variables: Environment["variables"]): URL | undefined {
	const of = (name: string): string => (variables[name] || variables[name.toUpperCase()] || "").trim();
	const variable = url.protocol === "https:" ? "https_proxy" : "http_proxy";
	// a CGI server sets HTTP_PROXY from a client's "Proxy:" header
	const value = variable === "http_proxy" && variables["REQUEST_METHOD"] ? variables[variable] || "" : of(variable);
	if (value === "" || isLoopback(hostOf(url)) || isExempt(url, of("no_proxy"))) return undefined;
	const text = /^[a-z0-9+.-]+:\/\//i.test(value) ? value : `http://${value}`;
	const proxy = URL.canParse(text) ? new URL(text) : undefined;
	if (proxy === undefined || !/^https?:$/.test(proxy.protocol) || proxy.hostname === "")
		throw new Oci2isoError({
			code: "PROXY_INVALID",
			kind: "usage",
			what: `the environment variable ${variable} holds no proxy that can be used`,
			expected: "http://HOST:PORT or https://HOST:PORT",
		});
	return proxy;
}

function isLoopback(host: string): boolean {
	return host === "localhost" || host === "::1" || (isIP(host) === 4 && host.startsWith("127."));
}

/** Entries are `*`, a domain (with what is below it; with a leading dot only that), an address or a range of them; each perhaps with a port. */
function isExempt(url: URL, list: string): boolean {
	const host = hostOf(url);
	const port = url.port || (url.protocol === "https:" ? "443" : "80");
	return list
		.split(/[\s,]+/)
		.filter((entry) => entry !== "")
		.some((entry) => {
			if (entry === "*") return true;
			const [, bracketed, plain, entryPort] =
				/^(?:\[([^\]]+)\]|([^:]+|[0-9a-f:./]*:[0-9a-f:./]*?))(?::(\d+))?$/i.exec(entry) ?? [];
			const name = (isIP(entry) === 6 || entry.includes("/") ? entry : (bracketed ?? plain ?? entry)).toLowerCase();
			if (entryPort !== undefined && name !== entry.toLowerCase() && entryPort !== port) return false;
			if (name.includes("/")) return isInRange(host, name);
			if (name.startsWith("*.")) return host.endsWith(name.slice(1));
			if (name.startsWith(".")) return host.endsWith(name);
			return host === name || (isIP(name) === 0 && host.endsWith(`.${name}`));
		});
}

function isInRange(host: string, range: string): boolean {
	const [network = "", bits = ""] = range.split("/");
	const family = isIP(network);
	const length = Number(bits);
	if (family === 0 || isIP(host) !== family || !/^\d{1,3}$/.test(bits) || length > (family === 4 ? 32 : 128))
		return false;
	const list = new BlockList();
	const type = family === 4 ? "ipv4" : "ipv6";
	list.addSubnet(network, length, type);
	return list.check(host, type);
}

function hostOf({ hostname }: URL): string {
	return hostname.replace(/^\[|\]$/g, "").toLowerCase();
}
