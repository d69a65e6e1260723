import { execFileSync, spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { digestOf } from "../../src/oci/digest.ts";
import { openImage } from "../../src/oci/open-image.ts";
import { tarOf } from "../support/oci-archive.ts";
import { writeOciLayout } from "../support/oci-layout.ts";
import { requires } from "../support/requires.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

describe.skipIf(requires("root", "podman"))("podman's service", () => {
	const work = temporaryDirectory("podman");
	const kept = temporaryDirectory("podman-kept");
	const socket = `unix://${join(work, "podman.sock")}`;
	const own = ["--root", join(work, "store"), "--runroot", join(work, "run"), "--storage-driver", "vfs"];
	const podman = (...args: string[]): string =>
		execFileSync("podman", [...own, ...args], { cwd: work, stdio: ["ignore", "pipe", "pipe"] })
			.toString()
			.trim();
	const environment = { variables: { CONTAINER_HOST: socket, DOCKER_HOST: socket }, home: work, systemRoot: work };
	const expected: string[] = [];
	let service: ReturnType<typeof spawn> | undefined;
	let id = "";

	beforeAll(async () => {
		const tars = await Promise.all(
			["base", "top"].map((name) => tarOf([{ name, bytes: Buffer.from(name.repeat(99_999)) }])),
		);
		expected.push(...tars.map((tar) => digestOf(tar)));
		const layers = [
			{ tar: tars[0] ?? Buffer.alloc(0), compression: "zstd" as const },
			{ tar: tars[1] ?? Buffer.alloc(0), compression: "gzip" as const },
		];
		// podman makes a name of the layout's path, which must have no capitals
		writeOciLayout(join(work, "layout"), { layers });
		id = podman("pull", "-q", "oci:layout");
		podman("tag", id, "localhost/live:1");
		service = spawn("podman", [...own, "system", "service", "--time=0", socket], { stdio: "ignore" });
		await vi.waitFor(() => expect(readdirSync(work)).toContain("podman.sock"), { timeout: 60_000, interval: 100 });
		vi.stubEnv("TMPDIR", kept);
	});
	afterAll(() => {
		vi.unstubAllEnvs();
		service?.kill();
	});

	it("gives an image by name and id, whatever its layers were compressed with", async () => {
		for (const name of ["localhost/live:1", `sha256:${id}`, id.slice(0, 12)]) {
			const image = await openImage(`podman:${name}`, { environment });
			expect(image.config.diffIds).toEqual(expected);
			for (const [i, layer] of image.layers.entries()) {
				const pieces: Buffer[] = [];
				for await (const chunk of layer.tar()) pieces.push(Buffer.from(chunk));
				expect(digestOf(Buffer.concat(pieces))).toBe(expected[i]);
			}
			expect(image.notes[0]).toContain(`sha256:${id}`);
			await image.close();
		}
		expect(readdirSync(kept)).toEqual([]);
	});

	it("says what there is where the image is not", async () => {
		await expect(openImage("podman:live:2", { environment })).rejects.toThrow(
			/^IMAGE_NOT_FOUND: podman has no such image .*localhost\/live:1/,
		);
		await expect(openImage("docker-daemon:localhost/live:2", { environment })).rejects.toThrow(
			/^IMAGE_NOT_FOUND: docker has no such image .*localhost\/live:1/,
		);
	});
});
