import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { type BuildOptions, buildIso, planBuild, verifyAgainstImage } from "../../src/index.ts";
import { digestOf } from "../../src/oci/digest.ts";
import { openImage } from "../../src/oci/open-image.ts";
import { writeContractLayout } from "../support/contract-layout.ts";
import { withLoopMount } from "../support/loop.ts";
import { type WrittenLayout, writeOciLayout } from "../support/oci-layout.ts";
import { requires } from "../support/requires.ts";
import { run } from "../support/run.ts";
import {
	LOWER_LAYER,
	type StoragePayloads,
	writeCrowdedPayload,
	writeStoragePayloads,
} from "../support/storage-payload.ts";
import { tarArchive } from "../support/tar-fixtures.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const work = temporaryDirectory("payload-storage");
const iso = join(work, "storage.iso");
const options = {
	force: true,
	payloadPlace: "root",
	sourceDateEpoch: 1_700_000_000,
	overwrite: true,
} as const;
let image = "";
let payloads: StoragePayloads;

const build = (payload: readonly WrittenLayout[], more: Partial<BuildOptions> = {}) =>
	buildIso({ ...options, image, payload: payload.map(({ reference }) => reference), output: iso, ...more });

/** Status and faults of what looks at payloads. */
async function verdict(payload: readonly WrittenLayout[] | undefined) {
	const references = payload?.map(({ reference }) => reference);
	const { checks } = await verifyAgainstImage(iso, { image, payload: references });
	return checks
		.filter(({ name }) => ["squashfs", "squashfs-blocks", "payload", "fidelity", "medium"].includes(name))
		.map(({ name, status, findings }) => [
			name,
			status,
			...findings.filter(({ severity }) => severity === "fault").map(({ what }) => what),
		]);
}

/** Gives the store of a built ISO, mounted by the kernel, to `use`. */
async function withStore<Result>(place: "root" | "medium", use: (store: string) => Promise<Result>): Promise<Result> {
	if (place === "root")
		return withLoopMount(iso, "squashfs", { offsetBytes: 131_072 }, (mounted) =>
			use(join(mounted, "var/lib/containers/storage")),
		);
	const file = join(work, "store.img");
	await run("xorriso", ["-osirrox", "on", "-indev", iso, "-extract", "/LiveOS/store.img", file]);
	return withLoopMount(file, "squashfs", {}, use).finally(() => rmSync(file, { force: true }));
}

/** Every name below a directory with what it is, its attributes and its content. */
async function listing(directory: string): Promise<string[]> {
	const inodes = await run("find", [".", "-printf", "%P %M %U:%G %n %l\\n"], { cwd: directory });
	const xattrs = await run("sh", ["-c", "find . | LC_ALL=C sort | xargs -d '\\n' getfattr -h -d -m - -e hex"], {
		cwd: directory,
	});
	const contents = await run("sh", ["-c", "find . -type f | LC_ALL=C sort | xargs -d '\\n' sha256sum"], {
		cwd: directory,
	});
	return [...inodes.split("\n").sort(), xattrs, contents];
}

/** Podman gives directories that a layer does not mention to root, whatever they are below, and makes one for a global header. */
function isAsInLayers(line: string): boolean {
	return !/^(var\/some|PaxHeaders) d/.test(line);
}

describe.skipIf(requires("root", "skopeo", "podman", "getfattr", "xorriso"))(
	"images to install in container storage",
	() => {
		beforeAll(async () => {
			payloads = writeStoragePayloads(work);
			image = writeContractLayout(join(work, "image"), [LOWER_LAYER, tarArchive([{ path: "etc/.wh.shared" }])]);
		});

		it.each(["root", "medium"] as const)(
			"are there (%s) for podman and skopeo with their manifests, and every layer has its digest, whatever is in it",
			async (payloadPlace) => {
				const report = await build([payloads.plain, payloads.odd], { payloadPlace });
				expect(report.payload?.map(({ name }) => name)).toEqual(["localhost/plain:v1", "localhost/odd:v1"]);
				await withStore(payloadPlace, async (store) => {
					const [own, other] = [join(work, `graph-${payloadPlace}`), join(work, `run-${payloadPlace}`)];
					const args = [
						"--root",
						own,
						"--runroot",
						other,
						"--storage-driver",
						"overlay",
						"--storage-opt",
						"overlay.skip_mount_home=true",
					];
					const format = ["images", "--format", "{{.Repository}}:{{.Tag}} {{.Digest}} {{.ReadOnly}}"];
					const listed = await run("podman", [...args, "--storage-opt", `additionalimagestore=${store}`, ...format]);
					expect(listed.trim().split("\n").sort()).toEqual(
						(["odd", "plain"] as const).map((name) => `localhost/${name}:v1 ${payloads[name].manifestDigest} true`),
					);
					for (const name of ["plain", "odd"] as const) {
						const reference = `containers-storage:[overlay@${own}+${other}:overlay.imagestore=${store},overlay.skip_mount_home=true]localhost/${name}:v1`;
						const raw = await run("skopeo", ["inspect", "--raw", reference]);
						expect(digestOf(Buffer.from(raw))).toBe(payloads[name].manifestDigest);
						// reads every layer, and refuses one that has not its digest
						await run("skopeo", ["copy", reference, `dir:${join(work, `copy-${payloadPlace}-${name}`)}`]);
						const again = await openImage(`containers-storage:[overlay@${store}]localhost/${name}:v1`);
						for (const layer of again.layers) await layer.verifyBlob();
						expect(again.config.diffIds).toEqual(payloads[name].diffIds);
					}
				});
			},
		);

		it("have the files that podman makes of them, each layer apart", async () => {
			const { plain } = payloads;
			await build([plain]);
			const [graph, place] = [join(work, "made"), join(work, "made-run")];
			mkdirSync(graph);
			await run("skopeo", [
				"copy",
				plain.reference,
				`containers-storage:[overlay@${graph}+${place}:overlay.skip_mount_home=true]localhost/plain:v1`,
			]);
			const layers = JSON.parse(await readFile(join(graph, "overlay-layers/layers.json"), "utf8")) as { id: string }[];
			await withStore("root", async (store) => {
				for (const { id } of layers) {
					const diff = join("overlay", id, "diff");
					const [ours, theirs] = [await listing(join(store, diff)), await listing(join(graph, diff))];
					expect(ours.filter(isAsInLayers)).toEqual(theirs.filter(isAsInLayers));
				}
				const upper = join(store, "overlay", layers.at(-1)?.id ?? "", "diff/var/some");
				expect(await run("stat", ["-c", "%a %u:%g", upper])).toBe("700 7:8\n");
			});
		});

		it("with empty and repeated layers, and with very many, are for podman and skopeo what its own storage is", async () => {
			// as an additional store's, podman 4 mounts none of an image whose layers' paths are longer than a page
			const [few, many] = [writeCrowdedPayload(work, "few", 12), writeCrowdedPayload(work, "many", 100)];
			const payload = [few, many, payloads.plain];
			await build(payload, { payloadPlace: "medium", comp: "none" });
			const [own, place] = [join(work, "crowded-graph"), join(work, "crowded-run")];
			const stored = (name: string, option = ""): string =>
				`containers-storage:[overlay@${own}+${place}:${option}overlay.skip_mount_home=true]localhost/${name}`;
			const options = ["--storage-driver", "overlay", "--storage-opt", "overlay.skip_mount_home=true"];
			const merged = async (name: string, more: readonly string[] = []): Promise<string[]> => {
				const podman = ["--root", own, "--runroot", place, ...options, ...more];
				const container = (await run("podman", [...podman, "create", `localhost/${name}`, "/none"])).trim();
				try {
					return await listing((await run("podman", [...podman, "mount", container])).trim());
				} finally {
					await run("podman", [...podman, "rm", "--force", container]);
				}
			};
			const ours = await withStore("medium", async (store) => {
				for (const [name, { diffIds }] of Object.entries({ few, many })) {
					const { layers, config } = await openImage(`containers-storage:[overlay@${store}]localhost/${name}:v1`);
					for (const layer of layers) await layer.verifyBlob();
					expect(config.diffIds).toEqual(diffIds);
					await run("skopeo", [
						"copy",
						stored(`${name}:v1`, `overlay.imagestore=${store},`),
						`dir:${join(work, `${name}-copy`)}`,
					]);
				}
				return merged("few:v1", ["--storage-opt", `additionalimagestore=${store}`]);
			});
			await run("skopeo", ["copy", few.reference, stored("few:made")]);
			const made = await merged("few:made");
			expect(ours.filter(isAsInLayers)).toEqual(made.filter(isAsInLayers));
			expect((await verdict(payload)).map(([name, status]) => `${name} ${status}`)).toEqual([
				"squashfs pass",
				"squashfs-blocks pass",
				"payload pass",
				"fidelity pass",
				"medium pass",
			]);
		});

		it("of the image itself are read once, and bring none of its contents again", async () => {
			const { layers, squashfs } = await build([], { payload: [image], comp: "none" });
			expect(layers.map(({ timesRead }) => timesRead)).toEqual(layers.map(() => 1));
			const alone = await buildIso({ force: true, overwrite: true, image, output: iso, comp: "none" });
			// the store has its manifest twice
			expect(squashfs.duplicateBytes - alone.squashfs.duplicateBytes).toBeLessThan(5000);
			expect(squashfs.byteLength - alone.squashfs.byteLength).toBeLessThan(200_000);
		});

		it("cost the same bytes whatever the cache holds, and as a plan; what the live root has too is there once", async () => {
			const payload = [payloads.plain, payloads.odd];
			const cache = join(work, "cache");
			const first = await build(payload, { cache });
			const bytes = await readFile(iso);
			await build(payload, { cache });
			expect((await readFile(iso)).equals(bytes)).toBe(true);
			await build(payload);
			expect((await readFile(iso)).equals(bytes)).toBe(true);
			const plan = await planBuild({ ...options, image, payload: payload.map(({ reference }) => reference) });
			expect(plan).toEqual(first.plan);
			// the content that both payloads and the image have, as often as one of them
			expect(first.squashfs.duplicateBytes).toBeGreaterThanOrEqual(300_000);
		});

		it.each(["root", "medium"] as const)(
			"pass verify (%s) as what was asked for, and no change of theirs does",
			async (payloadPlace) => {
				const archive = `docker-archive:${join(work, `odd-${payloadPlace}.tar`)}:localhost/odd:v1`;
				await run("skopeo", ["copy", payloads.odd.reference, archive]);
				const payload = [payloads.plain, { ...payloads.odd, reference: archive }];
				const how = { payloadPlace, comp: "none" } as const;
				await build(payload, how);
				expect(await verdict(payload)).toEqual([
					["squashfs", "pass"],
					["squashfs-blocks", "pass"],
					["payload", "pass"],
					["fidelity", "pass"],
					["medium", "pass"],
				]);
				expect((await verdict([payloads.plain]))[2]).toEqual(["payload", "fail", "it has 2 images"]);
				await build([payloads.plain], how);
				expect((await verdict(payload))[2]).toEqual(["payload", "fail", "the image is not there"]);
				const bytes = await readFile(iso);
				for (const text of payloadPlace === "root" ? ["a directory"] : ['"diff-size"', "in Latin-1"]) {
					const damaged = Buffer.from(bytes);
					for (let at = bytes.indexOf(text, 0, "latin1"); at >= 0; at = bytes.indexOf(text, at + 1, "latin1"))
						damaged.writeUInt8(bytes.readUInt8(at) ^ 1, at);
					expect(damaged.equals(bytes)).toBe(false);
					writeFileSync(iso, damaged);
					expect((await verdict(undefined))[2]?.slice(0, 2)).toEqual(["payload", "fail"]);
				}
			},
		);

		it("are refused where the image has storage with something in it, and where a layer is none", async () => {
			const taken = writeContractLayout(join(work, "taken"), [
				tarArchive([{ path: "var/lib/containers/storage/overlay-images/images.json", content: Buffer.from("[]") }]),
			]);
			await expect(build([payloads.plain], { image: taken })).rejects.toMatchObject({
				code: "PAYLOAD_PLACE_TAKEN",
				exitStatus: 2,
			});
			const empty = writeContractLayout(join(work, "empty"), [
				tarArchive([{ path: "var/lib/containers/storage/storage.lock" }]),
			]);
			await build([payloads.plain], { image: empty });
			const bad = (name: string, layers: Parameters<typeof writeOciLayout>[1]["layers"], config = {}): WrittenLayout =>
				writeOciLayout(join(work, name), { layers, tag: "v1", config });
			const wrong = bad("wrong", [{ tar: tarArchive([{ path: "a" }]), compression: "none" }], {
				rootfs: { type: "layers", diff_ids: [digestOf(Buffer.from("other"))] },
			});
			await expect(build([wrong])).rejects.toMatchObject({ code: "DIFF_ID_MISMATCH", exitStatus: 5 });
			const dangling = tarArchive([{ path: "a", type: "hard-link", linkTarget: "etc/of-another-layer" }]);
			await expect(build([bad("dangling", [{ tar: dangling, compression: "none" }])])).rejects.toMatchObject({
				code: "HARD_LINK_TARGET_MISSING",
				exitStatus: 5,
				what: expect.stringMatching(/^the payload: a hard link to /),
				remedy: expect.stringContaining("--payload-format oci"),
			});
		});
	},
);
