import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { refusePath } from "../../../src/oci/bare-path.ts";
import { openImage } from "../../../src/oci/open-image.ts";
import { writeOciLayout } from "../../support/oci-layout.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

const work = temporaryDirectory("bare");
for (const name of ["layout", "x.tar"]) writeOciLayout(join(work, name), { layers: [] });

describe("a reference without a transport", () => {
	it.each(["layout", "layout:latest", "x.tar"])(
		"that is the path of an image is refused with its transport: %s",
		async (name) => {
			const text = join(work, name);
			await expect(refusePath(text)).rejects.toMatchObject({ code: "REFERENCE_IS_PATH", exitStatus: 2 });
			await expect(refusePath(text)).rejects.toThrow(`give oci:${text}`);
		},
	);

	it("that can only be an archive is refused with what it may be", async () => {
		const compressed = join(work, "y.tar.gz");
		writeFileSync(compressed, "compressed");
		for (const text of ["-", "/dev/null", compressed])
			await expect(refusePath(text)).rejects.toThrow(`give oci-archive:${text} or docker-archive:${text}`);
	});

	it("that is an ISO, or would be one, is refused with what ISOs are for, whatever is before it", async () => {
		const iso = join(work, "x");
		const bytes = Buffer.alloc(20 * 2048);
		bytes.write("\x01CD001\x01", 16 * 2048, "latin1");
		writeFileSync(iso, bytes);
		for (const text of [
			iso,
			`oci:${iso}`,
			`oci:${iso}:latest`,
			`oci-archive:${iso}`,
			`docker-archive:${iso}`,
			`dir:${iso}`,
		])
			await expect(openImage(text)).rejects.toThrow(`REFERENCE_IS_ISO: it is an ISO, and no image (${iso})`);
		await expect(openImage("missing.iso")).rejects.toThrow("give that, and -o missing.iso");
	});

	it.each(["./missing", "../missing", "/missing", "~/x", "missing.tar", "image.tar.gz", "."])(
		"that can only be a path is refused: %s",
		(text) => expect(refusePath(text)).rejects.toThrow("REFERENCE_IS_PATH"),
	);

	it.each(["debian", "debian:12", "localhost/x:1", "quay.io/a/b", "host:5000/a", "docker://./x", "oci:./x", "src"])(
		"that names an image in a registry is not: %s",
		(text) => expect(refusePath(text)).resolves.toBeUndefined(),
	);
});
