import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { request } from "undici";
import type { Environment } from "../../src/oci/registry/options.ts";

export interface RegistryFixture {
	/** `127.0.0.1:PORT`. */
	readonly host: string;
	stop(): Promise<void>;
}

export interface RegistrySetup {
	/** PEM files; absent: plain HTTP. With `clientAuthority` the registry asks for a client certificate. */
	readonly tls?: { readonly certificate: string; readonly key: string; readonly clientAuthority?: string };
	/** Lines of an htpasswd file with bcrypt hashes. */
	readonly htpasswd?: string;
	/** A token server: realm, service, issuer and the PEM file of the certificates that sign its tokens. */
	readonly token?: {
		readonly realm: string;
		readonly service: string;
		readonly issuer: string;
		readonly certificates: string;
	};
	/** Where it stores; registries that share it hold the same images. */
	readonly storage: string;
}

/** Starts Debian's docker-registry on the loopback interface. */
export async function startRegistry({ tls, htpasswd, token, storage }: RegistrySetup): Promise<RegistryFixture> {
	const directory = mkdtempSync(join(tmpdir(), "oci2iso-registry-"));
	const host = `127.0.0.1:${await freePort()}`;
	mkdirSync(storage, { recursive: true });
	const passwords = join(directory, "htpasswd");
	if (htpasswd !== undefined) writeFileSync(passwords, htpasswd);
	const configuration = {
		version: "0.1",
		log: { level: "error", accesslog: { disabled: true } },
		storage: { filesystem: { rootdirectory: storage } },
		http: {
			addr: host,
			...(tls === undefined
				? {}
				: {
						tls: {
							certificate: tls.certificate,
							key: tls.key,
							...(tls.clientAuthority === undefined ? {} : { clientcas: [tls.clientAuthority] }),
						},
					}),
		},
		...(htpasswd === undefined ? {} : { auth: { htpasswd: { realm: "oci2iso test", path: passwords } } }),
		...(token === undefined
			? {}
			: {
					auth: {
						token: {
							realm: token.realm,
							service: token.service,
							issuer: token.issuer,
							rootcertbundle: token.certificates,
						},
					},
				}),
	};
	const file = join(directory, "config.yml");
	// JSON is YAML
	writeFileSync(file, JSON.stringify(configuration));
	const output: Buffer[] = [];
	const child = spawn("docker-registry", ["serve", file], { stdio: ["ignore", "pipe", "pipe"], env: {} });
	child.stdout.on("data", (piece: Buffer) => output.push(piece));
	child.stderr.on("data", (piece: Buffer) => output.push(piece));
	const ended = new Promise<void>((resolve) => child.once("close", () => resolve()));
	for (let waits = 0; !(await isListening(host)); waits++) {
		if (waits > 200 || child.exitCode !== null)
			throw new Error(`docker-registry does not start:\n${Buffer.concat(output).toString()}`);
		await new Promise((resolve) => setTimeout(resolve, 50));
	}
	return {
		host,
		async stop() {
			child.kill("SIGKILL");
			await ended;
			rmSync(directory, { recursive: true, force: true });
		},
	};
}

async function isListening(host: string): Promise<boolean> {
	try {
		await (await request(`http://${host}/`)).body.dump();
		return true;
	} catch (error) {
		// a TLS server that hangs up is listening too
		return !(error instanceof Error && "code" in error && error.code === "ECONNREFUSED");
	}
}

export async function freePort(): Promise<number> {
	const server = createServer();
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	const address = server.address();
	await new Promise((resolve) => server.close(resolve));
	if (address === null || typeof address === "string") throw new Error("no port");
	return address.port;
}

/** A machine of its own: nothing configured, no credentials, no proxy. */
export function bareEnvironment(directory: string, variables: Environment["variables"] = {}): Environment {
	const home = join(directory, "home");
	const systemRoot = join(directory, "root");
	mkdirSync(home, { recursive: true });
	mkdirSync(systemRoot, { recursive: true });
	return { variables: { PATH: process.env["PATH"], ...variables }, home, systemRoot };
}

export interface TestCertificates {
	readonly authority: string;
	readonly certificate: string;
	readonly key: string;
	readonly clientCertificate: string;
	readonly clientKey: string;
}

/** A private authority, a server certificate for 127.0.0.1 and localhost, and a client certificate, as PEM files. */
export function makeCertificates(directory: string): TestCertificates {
	mkdirSync(directory, { recursive: true });
	const path = (name: string): string => join(directory, name);
	const openssl = (...args: string[]): void => {
		execFileSync("openssl", args, { stdio: ["ignore", "ignore", "pipe"] });
	};
	const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30"];
	openssl("req", "-x509", ...key, "-keyout", path("ca.key"), "-out", path("ca.pem"), "-subj", "/CN=oci2iso test CA");
	writeFileSync(path("server.ext"), "subjectAltName=IP:127.0.0.1,DNS:localhost\n");
	writeFileSync(path("client.ext"), "extendedKeyUsage=clientAuth\n");
	for (const name of ["server", "client"]) {
		openssl("req", ...key, "-keyout", path(`${name}.key`), "-out", path(`${name}.csr`), "-subj", `/CN=${name}`);
		openssl(
			...["x509", "-req", "-days", "30", "-in", path(`${name}.csr`), "-CA", path("ca.pem"), "-CAkey", path("ca.key")],
			...["-CAcreateserial", "-extfile", path(`${name}.ext`), "-out", path(`${name}.pem`)],
		);
	}
	return {
		authority: path("ca.pem"),
		certificate: path("server.pem"),
		key: path("server.key"),
		clientCertificate: path("client.pem"),
		clientKey: path("client.key"),
	};
}
