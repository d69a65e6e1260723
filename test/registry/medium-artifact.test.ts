import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { request } from "undici";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type BuildOptions, buildIso } from "../../src/index.ts";
import { OCI_INDEX, OCI_MANIFEST } from "../../src/oci/media-types.ts";
import { indexWith, mediumManifest, parseMediumIndex } from "../../src/oci/medium-artifact.ts";
import { HOST_GRUB } from "../support/contract-image.ts";
import { writeContractLayout } from "../support/contract-layout.ts";
import { type FaultyProxy, startFaultyProxy } from "../support/faulty-proxy.ts";
import { sha256Of } from "../support/host-tree.ts";
import { type RegistryFixture, startRegistry } from "../support/registry.ts";
import { requires } from "../support/requires.ts";
import { run } from "../support/run.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { HASTY } from "./fixtures.ts";

const work = temporaryDirectory("medium-artifact");

describe.skipIf(requires("docker-registry", "skopeo", ...[HOST_GRUB].flat()))(
	"an ISO as an artifact in a registry",
	() => {
		let registry: RegistryFixture;
		let proxy: FaultyProxy;
		let image = "";
		let sum = "";
		beforeAll(async () => {
			registry = await startRegistry({ storage: join(work, "storage") });
			proxy = await startFaultyProxy({ upstream: registry.host });
			image = writeContractLayout(join(work, "image"), []);
			await build(join(work, "reference.iso"));
			sum = await sha256Of(join(work, "reference.iso"));
		});
		afterAll(async () => {
			await proxy.stop();
			await registry.stop();
		});

		const build = (output: string | readonly string[], more: Partial<BuildOptions> = {}) =>
			buildIso({
				image,
				output,
				comp: "none",
				tools: "builtin",
				force: true,
				platform: "linux/amd64",
				tlsVerify: false,
				transferPolicy: HASTY,
				...more,
			});

		async function stored(path: string, accept: string): Promise<ReturnType<typeof JSON.parse>> {
			const answer = await request(`http://${registry.host}/v2/${path}`, { headers: { accept } });
			expect([path, answer.statusCode]).toEqual([path, 200]);
			return await answer.body.json();
		}

		it("is the one layer of the manifest for its platform, and skopeo copies it byte for byte", async () => {
			const report = await build(`docker://${registry.host}/media/live:1`);
			const index = await stored("media/live/manifests/1", OCI_INDEX);
			expect(index.manifests).toEqual([
				expect.objectContaining({ platform: { os: "linux", architecture: "amd64" }, mediaType: OCI_MANIFEST }),
			]);
			const { digest } = index.manifests[0];
			expect(report.registries).toEqual([
				expect.objectContaining({ manifestDigest: digest, reference: `${registry.host}/media/live:1` }),
			]);
			const { layers } = await stored(`media/live/manifests/${digest}`, OCI_MANIFEST);
			expect(layers).toEqual([expect.objectContaining({ digest: `sha256:${sum}` })]);
			expect(layers[0].annotations).toEqual({ "org.opencontainers.image.title": "live-1.iso" });
			const pulled = join(work, "pulled");
			await run("skopeo", [
				"copy",
				"--src-tls-verify=false",
				"--preserve-digests",
				`docker://${registry.host}/media/live@${digest}`,
				`oci:${pulled}:x`,
			]);
			expect(await sha256Of(join(pulled, "blobs/sha256", sum))).toBe(sum);
		});

		it("goes beside a file, is sent once, and takes no tag that stands for something", async () => {
			const tag = `oci-artifact:${registry.host}/media/live:2`;
			const file = join(work, "beside.iso");
			const sent = async (overwrite: boolean) => (await build([file, tag], { overwrite })).registries?.[0]?.sentBytes;
			expect(await sent(false)).toBe(0);
			expect(await sha256Of(file)).toBe(sum);
			rmSync(file);
			await expect(sent(false)).rejects.toMatchObject({ code: "OUTPUT_EXISTS", exitStatus: 6 });
			expect(readdirSync(work).filter((name) => name.startsWith("beside") || name.endsWith(".partial"))).toEqual([]);
			expect(await sent(true)).toBe(0);
			const { layers } = await stored(
				`media/live/manifests/${(await stored("media/live/manifests/2", OCI_INDEX)).manifests[0].digest}`,
				OCI_MANIFEST,
			);
			expect(layers[0].annotations).toEqual({ "org.opencontainers.image.title": "beside.iso" });
		});

		it("has documents of what is in it attached, listed under the tag of its digest where the registry has no list", async () => {
			const tag = `docker://${registry.host}/media/live:3`;
			const made = (more: object) => build([join(work, "listed.iso"), tag], { overwrite: true, ...more });
			const report = await made({ sbom: ["spdx", "cyclonedx"] });
			await made({ sbom: ["spdx"] });
			const subject = report.registries?.[0]?.manifestDigest ?? "";
			const { manifests } = await stored(`media/live/manifests/${subject.replace(":", "-")}`, OCI_INDEX);
			expect(manifests.map((each: { artifactType: string }) => each.artifactType)).toEqual([
				"application/vnd.cyclonedx+json",
				"application/spdx+json",
			]);
			const attached = await stored(`media/live/manifests/${manifests[1].digest}`, OCI_MANIFEST);
			expect(attached.subject).toMatchObject({ digest: subject });
			expect(attached.layers[0].digest).toBe(`sha256:${await sha256Of(join(work, "listed.spdx.json"))}`);
		});

		it("is the same in an image layout, which goes on to a registry with skopeo", async () => {
			const layout = join(work, "layout");
			await build(`oci:${layout}:a`);
			await build([`oci:${layout}:b`, `docker://${registry.host}/media/live:4`], { sbom: [] });
			await expect(build(`oci:${layout}:a`)).rejects.toMatchObject({ code: "OUTPUT_EXISTS", exitStatus: 6 });
			const { manifests } = JSON.parse(readFileSync(join(layout, "index.json"), "utf8"));
			const named = "org.opencontainers.image.ref.name";
			expect(manifests.map((each: { annotations: Record<string, string> }) => each.annotations[named])).toEqual([
				"a",
				"b",
			]);
			expect(await sha256Of(join(layout, "blobs/sha256", sum))).toBe(sum);
			const tagged = `docker://${registry.host}/media/copied:1`;
			await run("skopeo", [
				"copy",
				"--all",

				"--dest-tls-verify=false",
				`oci:${layout}:a`,
				tagged,
			]);
			const [{ digest }] = (await stored("media/copied/manifests/1", OCI_INDEX)).manifests;
			const { layers } = await stored(`media/copied/manifests/${digest}`, OCI_MANIFEST);
			expect(layers[0].digest).toBe(`sha256:${sum}`);
			expect(readdirSync(join(layout, "blobs/sha256")).filter((name) => name.endsWith(".partial"))).toEqual([]);
		});

		it("takes no directory that holds something else, and leaves none behind", async () => {
			const taken = join(work, "taken");
			mkdirSync(taken);
			writeFileSync(join(taken, "precious"), "");
			await expect(build(`oci:${taken}:a`)).rejects.toMatchObject({ code: "OUTPUT_EXISTS", exitStatus: 6 });
			expect(readdirSync(taken)).toEqual(["precious"]);
			proxy.use((_, method) => (method === "PUT" ? { kind: "status", status: 403 } : { kind: "none" }));
			const [made, denied] = [`oci:${join(work, "made")}:a`, `docker://${proxy.host}/media/denied:2`];
			await expect(build([made, denied])).rejects.toMatchObject({ exitStatus: 4 });
			expect(readdirSync(work)).not.toContain("made");
		});

		it("is nowhere, not even in its file, where the registry refuses it", async () => {
			const file = join(work, "failed.iso");
			proxy.use((_, method) => (method === "PUT" ? { kind: "status", status: 403 } : { kind: "none" }));
			await expect(build([file, `docker://${proxy.host}/media/denied:1`])).rejects.toMatchObject({ exitStatus: 4 });
			expect(readdirSync(work).filter((name) => name.includes("failed"))).toEqual([]);
			const answer = await request(`http://${registry.host}/v2/media/denied/manifests/1`, {
				headers: { accept: OCI_INDEX },
			});
			expect(answer.statusCode).toBe(404);
			await answer.body.dump();
		});
	},
);

describe("an index of media", () => {
	const platform = { os: "linux", architecture: "amd64" };
	const manifest = (text: string) =>
		mediumManifest({ digest: `sha256:${"0".repeat(64)}`, size: 1, title: text }, { text });

	it("keeps what is for other platforms, and what it does not know", () => {
		const arm = { os: "linux", architecture: "arm64", variant: "v8" };
		const both = indexWith(parseMediumIndex(indexWith(undefined, manifest("a"), arm)), manifest("b"), platform);
		const again = indexWith(parseMediumIndex(Buffer.from(both)), manifest("c"), platform);
		const { manifests } = JSON.parse(again.toString());
		expect(manifests.map((each: { platform: unknown }) => each.platform)).toEqual([
			{ architecture: "arm64", os: "linux", variant: "v8" },
			{ architecture: "amd64", os: "linux" },
		]);
		const noted = parseMediumIndex(
			Buffer.from(JSON.stringify({ ...JSON.parse(both.toString()), annotations: { a: "b" } })),
		);
		expect(JSON.parse(indexWith(noted, manifest("d"), platform).toString())).toMatchObject({ annotations: { a: "b" } });
	});

	it.each(["", "{", "[]", '{"mediaType":"x","manifests":[]}', readFileSync(import.meta.filename, "utf8")])(
		"is none of %.20j",
		(text) => expect(parseMediumIndex(Buffer.from(text))).toBe(undefined),
	);
});
