import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { buildWith } from "../../support/cache-build.ts";
import { dataLayer, imageLayers, storeFiles, writeCacheImage } from "../../support/cache-images.ts";
import { oci2iso } from "../../support/cli.ts";
import { HOST_GRUB } from "../../support/contract-image.ts";
import { requires } from "../../support/requires.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

const noGrub = requires(HOST_GRUB) !== undefined;

const work = temporaryDirectory("cache-command");

async function command(...args: readonly string[]): Promise<{ status: number | null; stdout: string; stderr: string }> {
	const { status, stdout, stderr } = await oci2iso(["cache", ...args]);
	return { status, stdout: stdout.toString(), stderr };
}

describe.skipIf(noGrub)("oci2iso cache", { timeout: 120_000 }, () => {
	it("lists, verifies and empties a store, and says which file was damaged", async () => {
		const cache = join(work, "store");
		const { reference } = writeCacheImage(join(work, "image"), imageLayers(dataLayer("a")));
		await buildWith(work, reference, cache);
		const packs = readdirSync(storeFiles(cache, "packs"));
		const listed = JSON.parse((await command("ls", "--json", "--cache", cache)).stdout) as unknown[];
		expect(listed.length).toBeGreaterThan(packs.length);
		expect((await command("ls", "--cache", cache)).stdout).toContain(`${listed.length} files, `);
		expect(await command("verify", "--cache", cache)).toMatchObject({
			status: 0,
			stdout: `${listed.length} files, all as they were written\n`,
		});

		const pack = join(storeFiles(cache, "packs"), packs[0] ?? "");
		const bytes = readFileSync(pack);
		bytes[bytes.byteLength - 1] = (bytes.at(-1) ?? 0) ^ 1;
		writeFileSync(pack, bytes);
		const found = await command("verify", "--cache", cache);
		expect(found).toMatchObject({ status: 8, stdout: `removed ${pack}: damaged\n` });
		expect(found.stderr).toContain("CACHE_DAMAGED");
		expect(existsSync(pack)).toBe(false);

		const emptied = await command("prune", "--all", "--cache", cache);
		expect(emptied).toMatchObject({ status: 0, stdout: expect.stringMatching(/^removed \d+ files, /) });
		expect(JSON.parse((await command("ls", "--json", "--cache", cache)).stdout)).toEqual([]);
	});

	it("finds nothing where there is no store", async () => {
		const cache = join(work, "none");
		expect((await command("ls", "--json", "--cache", cache)).stdout).toBe("[]\n");
		expect(existsSync(cache)).toBe(false);
	});
});
