import { afterEach, expect, it, vi } from "vitest";
import { named, writeIndexFile, writeOciLayout } from "../../support/oci-layout.ts";
import { failure, imagePlaces } from "./image-places.ts";

const { fresh, layers } = imagePlaces();
afterEach(() => vi.restoreAllMocks());

it("lists a layout's images with a few looks at each, however many there are", async () => {
	const directory = fresh();
	writeOciLayout(directory, { layers: layers("none") });
	const names = Array.from({ length: 300 }, (_, index) => `name-${index}`);
	const entry = { mediaType: "application/vnd.oci.image.manifest.v1+json", size: 100 };
	writeIndexFile(
		directory,
		names.map((name, index) => named({ ...entry, digest: `sha256:${String(index).padStart(64, "0")}` }, name)),
	);
	// how a name is looked up
	const looked = vi.spyOn(Object, "hasOwn");
	expect((await failure(`oci:${directory}`)).message).toMatch(/300 images match.*:name-0, .*and 280 more/);
	const looks = looked.mock.calls.filter(([, key]) => key === "org.opencontainers.image.ref.name").length;
	expect(looks).toBeGreaterThanOrEqual(names.length);
	expect(looks).toBeLessThan(10 * names.length);
});
