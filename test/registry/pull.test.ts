import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { digestOf } from "../../src/oci/digest.ts";
import { type OpenImageOptions, openImage } from "../../src/oci/open-image.ts";
import { noise } from "../support/noise.ts";
import { tarOf } from "../support/oci-archive.ts";
import {
	type LayoutLayer,
	named,
	writeImage,
	writeIndex,
	writeIndexFile,
	writeOciLayout,
} from "../support/oci-layout.ts";
import { bareEnvironment, type RegistryFixture, startRegistry } from "../support/registry.ts";
import { readArchives, skopeoCopy } from "../support/registry-images.ts";
import { requires } from "../support/requires.ts";
import { run } from "../support/run.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { withOpen } from "./fixtures.ts";

const scratch = temporaryDirectory("pull");
const platform = "linux/amd64";

describe.skipIf(requires("docker-registry", "skopeo"))("an image in a registry", () => {
	let registry: RegistryFixture;
	let mirror: RegistryFixture;
	let tars: Buffer[] = [];

	beforeAll(async () => {
		tars = await Promise.all(["base", "middle", "top"].map((name) => tarOf([{ name, bytes: noise(300_000, name) }])));
		registry = await startRegistry({ storage: join(scratch, "storage") });
		mirror = await startRegistry({ storage: join(scratch, "mirror-storage") });
		const layers = tars.map((tar, i): LayoutLayer => ({ tar, compression: i === 1 ? "zstd" : "gzip" }));
		const { reference } = writeOciLayout(join(scratch, "layout"), { layers });
		await skopeoCopy(reference, `docker://${registry.host}/test/image:1`);
		await skopeoCopy(reference, `docker://${mirror.host}/copies/test/image:1`);
	});
	afterAll(async () => {
		await registry.stop();
		await mirror.stop();
	});

	const options = (more: OpenImageOptions = {}): OpenImageOptions => ({
		platform,
		tlsVerify: false,
		environment: bareEnvironment(scratch),
		policy: { attempts: 2, backoffMilliseconds: 1 },
		...more,
	});
	/** Opens, reads everything and closes. */
	const pull = (reference: string, more?: OpenImageOptions) =>
		withOpen(openImage(reference, options(more)), async (image) => {
			const archives = await readArchives(image);
			const { manifestDigest, notes, transfers } = image;
			return { archives, manifestDigest, notes, transfers };
		});
	const rawDigest = async (reference: string, ...flags: string[]): Promise<string> =>
		digestOf(Buffer.from(await run("skopeo", ["inspect", "--raw", "--tls-verify=false", ...flags, reference])));
	/** A machine with this registries.conf. */
	function configured(name: string, registriesConf: string) {
		const environment = bareEnvironment(join(scratch, name));
		mkdirSync(join(environment.systemRoot, "etc/containers"), { recursive: true });
		writeFileSync(join(environment.systemRoot, "etc/containers/registries.conf"), registriesConf);
		return { environment, tlsVerify: undefined };
	}

	it("is read by tag and by digest, and has the manifest that skopeo sees", async () => {
		const name = `docker://${registry.host}/test/image`;
		const byTag = await pull(`${name}:1`);
		expect(byTag.archives.map((archive, i) => archive.equals(tars[i] ?? archive.subarray(1)))).toEqual([
			true,
			true,
			true,
		]);
		expect(byTag.manifestDigest).toBe(await rawDigest(`${name}:1`));
		expect(byTag.notes).toEqual([]);
		// layers from the top, after the configuration
		expect(byTag.transfers).toHaveLength(4);
		expect(byTag.transfers.every(({ host, retries }) => host === registry.host && retries === 0)).toBe(true);
		const byDigest = await pull(`${name}@${byTag.manifestDigest}`);
		expect(byDigest.manifestDigest).toBe(byTag.manifestDigest);
		const byBoth = await pull(`${name}:other@${byTag.manifestDigest}`);
		expect(byBoth.manifestDigest).toBe(byTag.manifestDigest);
		expect(byBoth.notes.join()).toContain("the tag was not looked at");
	});

	it("is read in Docker's format", async () => {
		const target = `docker://${registry.host}/test/docker:1`;
		const layers = tars.map((tar): LayoutLayer => ({ tar, compression: "gzip" }));
		const { reference } = writeOciLayout(join(scratch, "gzip"), { layers });
		await skopeoCopy(reference, target, "--format", "v2s2");
		const { archives, manifestDigest } = await pull(target);
		expect(archives.map((archive) => digestOf(archive))).toEqual(tars.map((tar) => digestOf(tar)));
		expect(manifestDigest).toBe(await rawDigest(target));
	});

	it("is chosen from an index by platform and variant", async () => {
		const directory = join(scratch, "index");
		const images = ["linux/amd64", "linux/arm/v6", "linux/arm/v7"].map((name, i) => {
			const layers: LayoutLayer[] = [{ tar: tars[i] ?? Buffer.alloc(0), compression: "gzip" }];
			return { name, image: writeImage(directory, { platform: name, layers }) };
		});
		const manifests = images.map(({ image }) => image.manifest);
		writeIndexFile(directory, [named(writeIndex(directory, manifests), "all")]);
		const target = `docker://${registry.host}/test/index:all`;
		await skopeoCopy(`oci:${directory}:all`, target, "--all");
		for (const { name, image } of images)
			expect((await pull(target, { platform: name })).manifestDigest).toBe(image.manifest.digest);
		// the best that a later machine runs
		expect((await pull(target, { platform: "linux/arm/v8" })).manifestDigest).toBe(images[2]?.image.manifest.digest);
		await expect(pull(target, { platform: "linux/s390x" })).rejects.toMatchObject({
			code: "PLATFORM_NOT_FOUND",
			exitStatus: 2,
			message: expect.stringContaining("linux/amd64, linux/arm/v6, linux/arm/v7"),
		});
	});

	it("fetches a layer that the manifest lists twice once", async () => {
		const [tar = Buffer.alloc(0)] = tars;
		const layer = { tar, compression: "gzip" } as const;
		const target = `docker://${registry.host}/test/twice:1`;
		await skopeoCopy(writeOciLayout(join(scratch, "twice"), { layers: [layer, layer, layer] }).reference, target);
		const { archives, transfers } = await pull(target);
		expect(archives.map((archive) => archive.equals(tar))).toEqual([true, true, true]);
		const [, blob] = transfers;
		expect(blob?.skippedBytes).toBe(2 * (blob?.fetchedBytes ?? 0));
	});

	it("is missed with the name, the host and exit status 4", async () => {
		const missing = `${registry.host}/test/image:2`;
		await expect(pull(`docker://${missing}`)).rejects.toMatchObject({
			code: "IMAGE_NOT_FOUND",
			exitStatus: 4,
			message: expect.stringMatching(new RegExp(`${missing} at ${registry.host}`)),
		});
		await expect(pull("docker://127.0.0.1:1/test/image:1")).rejects.toMatchObject({
			code: "REGISTRY_UNREACHABLE",
			exitStatus: 4,
			message: expect.stringContaining("127.0.0.1:1"),
		});
	});

	it("is not read over plain HTTP unless that is allowed", async () => {
		await expect(pull(`docker://${registry.host}/test/image:1`, { tlsVerify: undefined })).rejects.toMatchObject({
			code: "REGISTRY_TLS",
			exitStatus: 4,
			message: expect.stringContaining("--tls-verify=false"),
		});
		const insecure = configured("insecure", `[[registry]]\nlocation = "${registry.host}"\ninsecure = true\n`);
		expect((await pull(`docker://${registry.host}/test/image:1`, insecure)).archives).toHaveLength(3);
		await expect(
			pull(`docker://${registry.host}/test/image:1`, { ...insecure, tlsVerify: true }),
		).rejects.toMatchObject({
			code: "REGISTRY_TLS",
		});
	});

	it("comes from the first mirror that has it", async () => {
		const conf = (mirrors: readonly string[]) =>
			[
				`[[registry]]\nprefix = "example.com"\nlocation = "${registry.host}"\ninsecure = true`,
				...mirrors.map((location) => `[[registry.mirror]]\nlocation = "${location}"\ninsecure = true`),
			].join("\n");
		const good = `${mirror.host}/copies`;
		const first = await pull("docker://example.com/test/image:1", configured("mirror", conf([good])));
		expect(new Set(first.transfers.map(({ host }) => host))).toEqual(new Set([mirror.host]));
		expect(first.archives[0]?.equals(tars[0] ?? Buffer.alloc(0))).toBe(true);
		const second = await pull(
			"docker://example.com/test/image:1",
			configured("dead", conf(["127.0.0.1:1", `${mirror.host}/nothing`, good])),
		);
		expect(new Set(second.transfers.map(({ host }) => host))).toEqual(new Set([mirror.host]));
		expect(second.notes.join()).toContain("127.0.0.1:1");
		const third = await pull("docker://example.com/test/image:1", configured("fallback", conf(["127.0.0.1:1"])));
		expect(new Set(third.transfers.map(({ host }) => host))).toEqual(new Set([registry.host]));
		await expect(pull("docker://example.com/test/image:none", configured("none", conf([good])))).rejects.toMatchObject({
			code: "IMAGE_NOT_FOUND",
			exitStatus: 4,
		});
	});

	it("continues a blob at the next place when the first has the manifest only", async () => {
		const partial = await startRegistry({ storage: join(scratch, "partial") });
		try {
			await skopeoCopy(`docker://${registry.host}/test/image:1`, `docker://${partial.host}/test/image:1`);
			const { manifestDigest, transfers } = await pull(`docker://${partial.host}/test/image:1`);
			const [layer] = transfers.filter(({ fetchedBytes }) => fetchedBytes > 100_000);
			const hex = layer?.digest.slice("sha256:".length) ?? "";
			rmSync(join(scratch, "partial/docker/registry/v2/blobs/sha256", hex.slice(0, 2), hex), { recursive: true });
			const conf = `[[registry]]\nlocation = "${registry.host}"\ninsecure = true\n[[registry.mirror]]\nlocation = "${partial.host}"\ninsecure = true\n`;
			const healed = await pull(`docker://${registry.host}/test/image:1`, configured("partial-conf", conf));
			expect(healed.manifestDigest).toBe(manifestDigest);
			expect(healed.transfers.find(({ digest }) => digest === layer?.digest)?.host).toBe(registry.host);
			expect(healed.transfers.filter(({ host }) => host === partial.host)).toHaveLength(3);
			await expect(pull(`docker://${partial.host}/test/image:1`)).rejects.toMatchObject({
				exitStatus: 4,
				message: expect.stringContaining(layer?.digest ?? ""),
			});
		} finally {
			await partial.stop();
		}
	});

	it("is refused where registries.conf blocks it or leaves its registry open", async () => {
		const blocked = configured("blocked", '[[registry]]\nprefix = "example.com/bad"\nblocked = true\n');
		await expect(pull("docker://example.com/bad/image:1", blocked)).rejects.toMatchObject({
			code: "REGISTRY_BLOCKED",
			exitStatus: 4,
		});
		const search = configured("search", 'unqualified-search-registries = ["quay.io", "docker.io"]\n');
		await expect(pull("image:1", search)).rejects.toMatchObject({
			code: "SHORT_NAME_AMBIGUOUS",
			exitStatus: 2,
			message: expect.stringContaining("docker.io/library/image:1, quay.io/image:1"),
		});
	});

	it("stops when it is told to", async () => {
		const abort = new AbortController();
		const image = await openImage(`docker://${registry.host}/test/image:1`, options());
		const reading = (async () => {
			for await (const _ of image.layers[2]?.tar(abort.signal) ?? []) abort.abort();
		})();
		await expect(reading).rejects.toMatchObject({ code: "INTERRUPTED", exitStatus: 130 });
		await image.close();
		await expect(
			openImage(`docker://${registry.host}/test/image:1`, options({ signal: AbortSignal.abort() })),
		).rejects.toMatchObject({ code: "INTERRUPTED", exitStatus: 130 });
	});
});
