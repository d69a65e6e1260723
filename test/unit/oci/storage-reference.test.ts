import { describe, expect, it } from "vitest";
import { formatDockerReference } from "../../../src/oci/docker-reference.ts";
import { parseStorageReference } from "../../../src/oci/storage/storage-reference.ts";
import { codeOf } from "../../support/error-code.ts";

const id = "0123456789abcdef".repeat(4);
const digest = `sha256:${id}`;

describe("a reference to containers-storage", () => {
	it.each([
		["localhost/x", undefined, "localhost/x:latest", undefined],
		["x", undefined, "docker.io/library/x:latest", undefined],
		["quay.io/a/b:1", undefined, "quay.io/a/b:1", undefined],
		[`quay.io/a/b@${digest}`, undefined, `quay.io/a/b@${digest}`, undefined],
		[`quay.io/a/b:1@${digest}`, undefined, `quay.io/a/b:1@${digest}`, undefined],
		[`quay.io/a/b:1@${id}`, undefined, "quay.io/a/b:1", id],
		[`quay.io/a/b@${digest}@${id}`, undefined, `quay.io/a/b@${digest}`, id],
		["quay.io/a/b:1@0123", undefined, "quay.io/a/b:1", "0123"],
		[id, undefined, undefined, id],
		[`@${id}`, undefined, undefined, id],
		["@0123", undefined, undefined, "0123"],
		[`sha256:${id}`, undefined, undefined, id],
		["0123456789ab", undefined, "docker.io/library/0123456789ab:latest", "0123456789ab"],
		[
			"[/srv/store]x",
			{ driver: undefined, graphRoot: "/srv/store", options: [] },
			"docker.io/library/x:latest",
			undefined,
		],
		["[vfs@/s]localhost/x:1", { driver: "vfs", graphRoot: "/s", options: [] }, "localhost/x:1", undefined],
		["[overlay@/s+/run/s]x:1", { driver: "overlay", graphRoot: "/s", options: [] }, "docker.io/library/x:1", undefined],
		[
			"[overlay@/s+/run/s:overlay.imagestore=/a,overlay.mountopt=nodev]x:1",
			{ driver: "overlay", graphRoot: "/s", options: ["overlay.imagestore=/a", "overlay.mountopt=nodev"] },
			"docker.io/library/x:1",
			undefined,
		],
	])("is read as skopeo reads it: %s", (text, store, name, imageId) => {
		const reference = parseStorageReference(text);
		expect(reference.store).toEqual(store);
		expect(reference.image.name && formatDockerReference(reference.image.name)).toBe(name);
		expect(reference.image.id).toBe(imageId);
	});

	it.each([
		"",
		"[",
		"[vfs@/s",
		"[]x",
		"[vfs@]x",
		"[@/s]x",
		"[vfs@s]x",
		"[vfs@/s+run]x",
		"[vfs@/s]",
		"@",
		"x@",
		"x@zz",
		"x@ab",
		"X/Y",
		"a b",
	])("is refused: %j", (text) => expect(codeOf(() => parseStorageReference(text))).toBe("usage REFERENCE_INVALID"));
});
