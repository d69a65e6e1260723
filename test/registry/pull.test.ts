import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openImage } from "../../src/oci/open-image.ts";
import { tarOf } from "../support/oci-archive.ts";
import { writeOciLayout } from "../support/oci-layout.ts";
import { bareEnvironment, type RegistryFixture, startRegistry } from "../support/registry.ts";
import { noise, readArchives, skopeoCopy } from "../support/registry-images.ts";
import { requires } from "../support/requires.ts";

const scratch = mkdtempSync(join(tmpdir(), "oci2iso-pull-"));
const platform = "linux/amd64";

describe.skipIf(requires("docker-registry", "skopeo", "umoci", "openssl"))("an image in a registry", () => {
	let plain: RegistryFixture;
	let tars: Buffer[] = [];
	beforeAll(async () => {
		tars = await Promise.all(["base", "middle", "top"].map((name) => tarOf([{ name, bytes: noise(name, 300_000) }])));
		plain = await startRegistry({ storage: join(scratch, "storage") });
		const layers = tars.map((tar, i) => ({ tar, compression: (["gzip", "zstd", "none"] as const)[i] ?? "none" }));
		await skopeoCopy(
			writeOciLayout(join(scratch, "layout"), { layers }).reference,
			`docker://${plain.host}/test/image:1`,
		);
	});
	afterAll(async () => {
		await plain.stop();
		rmSync(scratch, { recursive: true });
	});
	it("is read over plain HTTP when that is allowed", async () => {
		const environment = bareEnvironment(join(scratch, "bare"));
		const image = await openImage(`docker://${plain.host}/test/image:1`, { platform, tlsVerify: false, environment });
		expect(await readArchives(image)).toEqual(tars);
		console.log(image.transfers, image.notes);
		await image.close();
	});
});
