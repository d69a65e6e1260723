import { chmodSync, copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { type OpenImageOptions, openImage } from "../../src/oci/open-image.ts";
import type { Environment } from "../../src/oci/registry/options.ts";
import { noise } from "../support/noise.ts";
import { tarOf } from "../support/oci-archive.ts";
import { writeOciLayout } from "../support/oci-layout.ts";
import {
	bareEnvironment,
	makeCertificates,
	type RegistryFixture,
	startRegistry,
	type TestCertificates,
} from "../support/registry.ts";
import { readArchives, skopeoCopy } from "../support/registry-images.ts";
import { startTokenServer, type TokenServerOptions } from "../support/registry-token-server.ts";
import { requires } from "../support/requires.ts";
import { run } from "../support/run.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { CREDS, HTPASSWD, PASSWORD, withOpen } from "./fixtures.ts";

const scratch = temporaryDirectory("trust");
const basic = (user: string, secret: string): string => Buffer.from(`${user}:${secret}`).toString("base64");

describe.skipIf(requires("docker-registry", "skopeo", "openssl"))(
	"a registry that wants to be trusted, or to trust",
	() => {
		const storage = join(scratch, "storage");
		let tar: Buffer = Buffer.alloc(0);
		let certificates: TestCertificates;
		let machines = 0;

		beforeAll(async () => {
			tar = await tarOf([{ name: "file", bytes: noise(200_000, "trust") }]);
			certificates = makeCertificates(join(scratch, "certificates"));
			const registry = await startRegistry({ storage });
			const layout = writeOciLayout(join(scratch, "layout"), { layers: [{ tar, compression: "gzip" }] });
			await skopeoCopy(layout.reference, `docker://${registry.host}/team/app/image:1`);
			await registry.stop();
		});

		const machine = (variables?: Environment["variables"]): Environment =>
			bareEnvironment(join(scratch, `machine-${machines++}`), variables);
		async function withRegistry(
			setup: Omit<Parameters<typeof startRegistry>[0], "storage">,
			work: (host: string) => Promise<void>,
		): Promise<void> {
			const registry: RegistryFixture = await startRegistry({ ...setup, storage });
			try {
				await work(registry.host);
			} finally {
				await registry.stop();
			}
		}
		/** Resolves to "read" or to what went wrong. */
		async function pull(host: string, options: OpenImageOptions = {}): Promise<string> {
			const policy = { attempts: 3, backoffMilliseconds: 1 };
			const whole = { platform: "linux/amd64", environment: machine(), policy, ...options };
			try {
				const [archive] = await withOpen(openImage(`docker://${host}/team/app/image:1`, whole), readArchives);
				return archive?.equals(tar) === true ? "read" : "other bytes";
			} catch (error) {
				return error instanceof Error ? error.message : String(error);
			}
		}
		function put(path: string, content: string | { readonly copyOf: string }): void {
			mkdirSync(dirname(path), { recursive: true });
			if (typeof content === "string") writeFileSync(path, content);
			else copyFileSync(content.copyOf, path);
		}

		it("shows a certificate of a private authority", async () => {
			await withRegistry({ tls: certificates }, async (host) => {
				expect(await pull(host)).toMatch(/^REGISTRY_CERTIFICATE: .*127\.0\.0\.1.*--cert-dir/);
				expect(await pull(host, { tlsVerify: false })).toBe("read");
				expect(await pull(host, { environment: machine({ SSL_CERT_FILE: certificates.authority }) })).toBe("read");
				const authority = { copyOf: certificates.authority };
				for (const place of ["root/etc/containers", "root/etc/docker", "home/.config/containers"]) {
					const environment = machine();
					put(join(environment.home, "..", place, "certs.d", host, "ca.crt"), authority);
					expect(await pull(host, { environment }), place).toBe("read");
				}
				put(join(scratch, "certs/any.crt"), authority);
				expect(await pull(host, { certDir: join(scratch, "certs") })).toBe("read");
				expect(await pull(host, { certDir: join(scratch, "no-certs") })).toMatch(/^CERTIFICATE_INVALID: .*no-certs/);
			});
		});

		it("asks for a client certificate", async () => {
			await withRegistry({ tls: { ...certificates, clientAuthority: certificates.authority } }, async (host) => {
				const directory = join(scratch, "client-certs");
				put(join(directory, "ca.crt"), { copyOf: certificates.authority });
				expect(await pull(host, { certDir: directory })).toMatch(/^REGISTRY_/);
				put(join(directory, "me.cert"), { copyOf: certificates.clientCertificate });
				expect(await pull(host, { certDir: directory })).toMatch(/^CERTIFICATE_INVALID: .*me\.key/);
				put(join(directory, "me.key"), { copyOf: certificates.clientKey });
				expect(await pull(host, { certDir: directory })).toBe("read");
				put(join(directory, "me.key"), "-----BEGIN PRIVATE KEY-----\nnonsense\n-----END PRIVATE KEY-----\n");
				expect(await pull(host, { certDir: directory })).toMatch(/^CERTIFICATE_INVALID: /);
			});
		});

		it("asks for a password", async () => {
			await withRegistry({ htpasswd: HTPASSWD }, async (host) => {
				const tlsVerify = false;
				expect(await pull(host, { tlsVerify })).toMatch(/^REGISTRY_UNAUTHORIZED: .*there are none.*skopeo login/);
				expect(await pull(host, { tlsVerify, creds: CREDS })).toBe("read");
				const wrong = await pull(host, { tlsVerify, creds: "alice:hunter2-secret" });
				expect(wrong).toMatch(/^REGISTRY_UNAUTHORIZED: .*does not accept/);
				expect(wrong).not.toContain("hunter2");
				expect(await pull(host, { tlsVerify, creds: "alice" })).toMatch(/^CREDS_INVALID: /);

				const right = { auth: basic("alice", PASSWORD) };
				const bad = { auth: basic("alice", "wrong") };
				const files: readonly [string, (environment: Environment) => string][] = [
					["auth.json below XDG_RUNTIME_DIR", ({ home }) => join(home, "run/containers/auth.json")],
					["auth.json below .config", ({ home }) => join(home, ".config/containers/auth.json")],
					["docker's config.json", ({ home }) => join(home, ".docker/config.json")],
				];
				for (const [name, path] of files) {
					const bare = machine();
					const environment = { ...bare, variables: { ...bare.variables, XDG_RUNTIME_DIR: join(bare.home, "run") } };
					const document = {
						auths: { [host]: bad, [`${host}/team`]: bad, [`${host}/team/app`]: right, [`${host}/te`]: bad },
					};
					put(path(environment), JSON.stringify(document));
					expect(await pull(host, { tlsVerify, environment }), name).toBe("read");
				}
				const legacy = machine();
				put(join(legacy.home, ".dockercfg"), JSON.stringify({ [`http://${host}/v1/`]: right }));
				expect(await pull(host, { tlsVerify, environment: legacy })).toBe("read");

				const authFile = join(scratch, "auth.json");
				put(authFile, JSON.stringify({ auths: { [host]: right } }));
				expect(await pull(host, { tlsVerify, authFile })).toBe("read");
				expect(await pull(host, { tlsVerify, environment: machine({ REGISTRY_AUTH_FILE: authFile }) })).toBe("read");
				put(authFile, `{"auths": {"${host}": {"auth": ${basic("alice", PASSWORD)}`);
				const skopeoFile = join(scratch, "skopeo-auth.json");
				const login = ["login", "--tls-verify=false", "--authfile", skopeoFile, "-u", "alice", "-p", PASSWORD, host];
				await run("skopeo", login);
				expect(await pull(host, { tlsVerify, authFile: skopeoFile })).toBe("read");
				const broken = await pull(host, { tlsVerify, authFile });
				expect(broken).toMatch(/^AUTH_FILE_INVALID: .*auth\.json/);
				expect(broken).not.toContain(basic("alice", PASSWORD).slice(0, 6));
			});
		});

		it("is known to a credential helper", async () => {
			await withRegistry({ htpasswd: HTPASSWD }, async (host) => {
				const bin = join(scratch, "bin");
				const helper = (name: string, script: string): void => {
					put(join(bin, `docker-credential-${name}`), `#!/bin/sh\n${script}\n`);
					chmodSync(join(bin, `docker-credential-${name}`), 0o755);
				};
				const answer = JSON.stringify({ ServerURL: host, Username: "alice", Secret: PASSWORD });
				helper(
					"good",
					`read -r server\n[ "$1 $server" = "get ${host}" ] || { echo credentials not found; exit 1; }\necho '${answer}'`,
				);
				helper("empty", "cat >/dev/null\necho 'credentials not found in native keychain'\nexit 1");
				helper("broken", "echo 'the-secret-of-the-helper'\nexit 3");
				const attempt = async (document: unknown): Promise<string> => {
					const environment = machine({ PATH: `${bin}:${process.env["PATH"]}` });
					put(join(environment.home, ".docker/config.json"), JSON.stringify(document));
					return await pull(host, { tlsVerify: false, environment });
				};
				expect(await attempt({ credsStore: "good" })).toBe("read");
				expect(await attempt({ credHelpers: { [host]: "good" }, credsStore: "broken" })).toBe("read");
				expect(await attempt({ credsStore: "empty", auths: { [host]: {} } })).toMatch(
					/^REGISTRY_UNAUTHORIZED: .*there are none/,
				);
				const broken = await attempt({ credsStore: "broken" });
				expect(broken).toMatch(/^CREDENTIAL_HELPER_FAILED: docker-credential-broken ended with status 3/);
				expect(broken).not.toContain("the-secret");
				expect(await attempt({ credsStore: "absent" })).toMatch(/^CREDENTIAL_HELPER_FAILED: .*is not installed/);
			});
		});

		describe("and has a token server", () => {
			async function withTokens(
				options: Partial<TokenServerOptions>,
				work: (host: string, tokens: Awaited<ReturnType<typeof startTokenServer>>) => Promise<void>,
			): Promise<void> {
				const { certificate, key } = certificates;
				const identity = { service: "registry.test", issuer: "test issuer" };
				const tokens = await startTokenServer({ ...identity, certificate, key, ...options });
				try {
					const token = { ...identity, realm: tokens.realm, certificates: certificate };
					await withRegistry({ token }, (host) => work(host, tokens));
				} finally {
					await tokens.stop();
				}
			}
			const tlsVerify = false;

			it("that serves everyone", async () => {
				await withTokens({ anonymous: true }, async (host, tokens) => {
					expect(await pull(host, { tlsVerify })).toBe("read");
					expect(tokens.requests).toEqual(["GET anonymous"]);
					expect(tokens.scopes).toEqual(["repository:team/app/image:pull"]);
				});
			});

			it("that knows users", async () => {
				await withTokens({ users: { alice: "s3cret-of-alice" }, field: "access_token" }, async (host, tokens) => {
					expect(await pull(host, { tlsVerify, creds: "alice:s3cret-of-alice" })).toBe("read");
					expect(tokens.requests).toEqual(["GET alice"]);
					const refused = await pull(host, { tlsVerify, creds: "alice:another-secret" });
					expect(refused).toMatch(/^REGISTRY_UNAUTHORIZED: .*does not accept.*team\/app\/image/);
					expect(refused).not.toContain("another-secret");
					expect(await pull(host, { tlsVerify })).toMatch(/^REGISTRY_UNAUTHORIZED: /);
				});
			});

			it("that takes identity tokens", async () => {
				await withTokens({ refreshTokens: ["a-long-lived-token"] }, async (host, tokens) => {
					const authFile = join(scratch, "identity.json");
					put(
						authFile,
						JSON.stringify({ auths: { [host]: { auth: basic("x", ""), identitytoken: "a-long-lived-token" } } }),
					);
					expect(await pull(host, { tlsVerify, authFile })).toBe("read");
					expect(tokens.requests).toEqual(["POST refresh-token"]);
					put(authFile, JSON.stringify({ auths: { [host]: { identitytoken: "a-revoked-token" } } }));
					const refused = await pull(host, { tlsVerify, authFile });
					expect(refused).toMatch(/^REGISTRY_UNAUTHORIZED: /);
					expect(refused).not.toContain("a-revoked-token");
				});
			});

			it("that has bad moments, and repeats what it was told", async () => {
				await withTokens({ anonymous: true, failures: [503, 429] }, async (host, tokens) => {
					expect(await pull(host, { tlsVerify })).toBe("read");
					expect(tokens.requests).toHaveLength(3);
				});
				await withTokens({ users: { alice: "s3cret-of-alice" }, failures: [500, 500, 500] }, async (host) => {
					const failed = await pull(host, { tlsVerify, creds: "alice:s3cret-of-alice" });
					expect(failed).toMatch(/^REGISTRY_ERROR: .*answered 500 \(DENIED: not with Basic \[secret\]/);
					expect(failed).not.toContain(basic("alice", "s3cret-of-alice"));
				});
			});

			it("that is named by https only, or it gets no password", async () => {
				await withTokens({ anonymous: true }, async (_, tokens) => {
					const token = {
						realm: tokens.realm,
						service: "registry.test",
						issuer: "test issuer",
						certificates: certificates.certificate,
					};
					await withRegistry({ token, tls: certificates }, async (host) => {
						const environment = machine({ SSL_CERT_FILE: certificates.authority });
						expect(await pull(host, { environment, creds: "alice:s3cret" })).toMatch(
							/^REGISTRY_PROTOCOL: .*not reached by https/,
						);
						// also where certificates are not checked: the registry does speak TLS
						expect(await pull(host, { tlsVerify: false, creds: "alice:s3cret" })).toMatch(
							/^REGISTRY_PROTOCOL: .*not reached by https/,
						);
						expect(tokens.requests).toEqual([]);
					});
				});
			});
		});
	},
);
