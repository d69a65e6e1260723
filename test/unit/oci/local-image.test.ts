import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { openImage } from "../../../src/oci/open-image.ts";
import { writeStore } from "../../support/containers-store.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";
import { amd64, failure } from "./image-places.ts";

describe("a bare name that podman may have", () => {
	const root = temporaryDirectory("local");
	const files = [{ name: "file", bytes: Buffer.from("content") }];
	const nobody = "127.0.0.1:1/live:1";
	let manifestDigest = "";
	beforeAll(async () => {
		const store = join(root, "var/lib/containers/storage");
		({ manifestDigest } = await writeStore(store, "overlay", [files], ["localhost/live:1", nobody]));
		await writeStore(join(root, "home/u/.local/share/containers/storage"), "vfs", [files], ["localhost/own:1"]);
		mkdirSync(join(root, "etc"));
		writeFileSync(join(root, "etc/passwd"), `root:x:0:0:root:/root:/bin/sh\nu:x:1000:1000:,,:${root}/home/u:/bin/sh\n`);
	});

	const as = (variables: Record<string, string>, home = "root") => ({
		...amd64,
		policy: { attempts: 1 },
		environment: { variables, home: join(root, home), systemRoot: root },
	});
	const ofRoot = as({ _CONTAINERS_ROOTLESS_UID: "0" });
	const withSudo = as({ _CONTAINERS_ROOTLESS_UID: "0", SUDO_UID: "1000", SUDO_USER: "u" });
	const ofUser = as({ _CONTAINERS_ROOTLESS_UID: "1000" }, "home/u");

	it("below localhost is podman's, and is called so in plans and reports", async () => {
		const image = await openImage("localhost/live:1", ofRoot);
		expect(image).toMatchObject({ manifestDigest, reference: "containers-storage:localhost/live:1" });
		expect(image.notes[0]).toContain("was taken from podman's store");
		await image.close();
	});

	it.each([
		["localhost/own:1", withSudo, "registry", /u's podman has it, not root's: podman unshare/],
		["localhost/live:1", ofUser, "registry", /root's podman has it: run it with sudo/],
		[
			"localhost/none:1",
			ofRoot,
			"registry",
			/not in podman's store either \(.*storage\): there is localhost\/live:1, 127/,
		],
		["localhost/own:1", ofRoot, "registry", /docker-daemon:localhost\/own:1/],
		[nobody, ofRoot, "registry", /podman's store has it: containers-storage:127/],
		["docker://localhost/live:1", ofRoot, "registry", /what podman built is containers-storage:localhost\/live:1/],
		["localhost/live:1", { ...ofRoot, manifestDigest: `sha256:${"0".repeat(64)}` as const }, "usage", /./],
	])("%s: what the error says", async (reference, options, kind, message) => {
		const error = await failure(reference, options);
		expect(error.kind).toBe(kind);
		expect(error.message).toMatch(message);
	});

	it("in no store is the registry's error alone", async () => {
		for (const reference of ["127.0.0.1:1/other:1", `docker://${nobody}`])
			expect((await failure(reference, ofRoot)).message).not.toContain("podman");
	});
});
