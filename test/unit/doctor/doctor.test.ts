import { chmodSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { StoreDirectory } from "../../../src/cache/store-directory.ts";
import { checkCache } from "../../../src/doctor/cache-check.ts";
import { describeHost } from "../../../src/doctor/describe.ts";
import { examineHost } from "../../../src/doctor/doctor.ts";
import { checkPlaces } from "../../../src/doctor/place-check.ts";
import { checkRegistries } from "../../../src/doctor/registry-check.ts";
import { Findings } from "../../../src/findings/findings.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

let home = "";
beforeEach(() => {
	home = temporaryDirectory("doctor");
});
afterEach(() => void vi.unstubAllEnvs());

describe("credentials", () => {
	const environment = () => ({ variables: {}, home, systemRoot: home });
	async function findingsFor(files: Readonly<Record<string, string>>, mode = 0o600): Promise<Findings> {
		for (const [name, text] of Object.entries(files)) {
			mkdirSync(join(home, name, ".."), { recursive: true });
			writeFileSync(join(home, name), text);
			chmodSync(join(home, name), mode);
		}
		const findings = new Findings();
		await checkRegistries(findings, environment());
		return findings;
	}

	it("are named by their registries, and nothing of them is shown", async () => {
		const secret = Buffer.from("user:hunter2").toString("base64");
		const { list } = await findingsFor({
			".config/containers/auth.json": JSON.stringify({
				auths: { "quay.io/org": { auth: secret }, "https://me:hunter2@r.example/v1/?key=hunter2": { auth: secret } },
			}),
			".docker/config.json": JSON.stringify({ credHelpers: { "ghcr.io": "pass" }, credsStore: "secretservice" }),
			".dockercfg": JSON.stringify({ "old.example": { username: "user", password: "hunter2", identitytoken: secret } }),
		});
		const text = describeHost({ findings: list, isUsable: true });
		expect(text).toContain("credentials for quay.io/org, r.example/v1/ (");
		expect(text).toContain("ghcr.io, with docker-credential-pass, docker-credential-secretservice");
		expect(text).toContain("old.example");
		expect(JSON.stringify(list) + text).not.toMatch(new RegExp(`hunter2|${secret}`));
	});

	it("that others may read, and files that are broken, are warned of", async () => {
		const exposed = await findingsFor({ ".docker/config.json": '{"auths":{"r.example":{"auth":"YTpi"}}}' }, 0o644);
		expect(exposed.list).toContainEqual(expect.objectContaining({ severity: "warning", code: "CREDENTIALS_EXPOSED" }));
		const broken = await findingsFor({
			".docker/config.json": '{"auths":{"r.example":{"auth":"hunter2',
			"etc/containers/registries.conf": "unqualified-search-registries = 5",
		});
		expect(broken.list.map(({ severity, code }) => `${severity} ${code}`)).toEqual([
			"warning AUTH_FILE_INVALID",
			"warning REGISTRIES_CONF_INVALID",
		]);
		expect(JSON.stringify(broken.list)).not.toContain("hunter2");
	});
});

describe("the cache and other places", () => {
	it("are said to be absent, somebody else's, or what they hold", async () => {
		const path = join(home, "cache");
		const codes = async (): Promise<string[]> => {
			const findings = new Findings();
			await checkCache(findings, path, undefined);
			return findings.list.map(({ severity, what }) => `${severity} ${what}`);
		};
		expect(await codes()).toEqual(["ok there is no cache yet"]);
		StoreDirectory.open(path, { create: true });
		expect(await codes()).toEqual(["ok the cache has 0 files of 0 B"]);
		chmodSync(path, 0o777);
		expect(await codes()).toEqual([expect.stringMatching(/^warning .*can be written by other users/)]);
	});

	it("that cannot be written are warned of, with what to do", () => {
		writeFileSync(join(home, "file"), "");
		for (const [temporary, reason] of [
			["file/below", "ENOTDIR"],
			["absent", "ENOENT"],
		] as const) {
			vi.stubEnv("TMPDIR", join(home, temporary));
			const findings = new Findings();
			checkPlaces(findings, join(home, "not", "yet"));
			const ofTemporary = findings.list.find(({ evidence }) => evidence === join(home, temporary));
			expect(ofTemporary?.what).toBe(`the temporary directory cannot be written: ${reason}`);
			expect(ofTemporary?.remedy).toContain("TMPDIR");
			expect(findings.list.find(({ what }) => what.startsWith("the cache"))?.what).toMatch(/ left$/);
		}
	});
});

it("builds cannot be made where zstd cannot, and findings are in words", async () => {
	vi.stubEnv("XDG_RUNTIME_DIR", home);
	vi.stubEnv("XDG_CONFIG_HOME", home);
	vi.stubEnv("OCI2ISO_CODEC_BACKEND", "portable");
	const examination = await examineHost(undefined);
	const text = describeHost(examination);
	expect(text).toContain("gzip: node zlib");
	expect(text).toMatch(/warning CODEC: no usable lz4 encoder/);
	expect(examination.isUsable).toBe(!/BLOCKER CODEC: no usable zstd encoder/.test(text));
	const stopped = examineHost(undefined, AbortSignal.abort());
	await expect(stopped).rejects.toMatchObject({ code: "INTERRUPTED" });
});
