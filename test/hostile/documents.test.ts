import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { contractLayers, HOST_GRUB } from "../support/contract-image.ts";
import { hostileRun, refusedBuild, refusedInspect } from "../support/hostile-cli.ts";
import {
	type BlobDescriptor,
	named,
	OCI_MEDIA_TYPES,
	writeBlob,
	writeImage,
	writeIndex,
	writeIndexFile,
	writeJson,
	writeOciLayout,
} from "../support/oci-layout.ts";
import { requires } from "../support/requires.ts";
import { tarArchive } from "../support/tar-fixtures.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const noGrub = requires(HOST_GRUB) !== undefined;
const work = temporaryDirectory("hostile");

const directory = (): string => mkdtempSync(join(work, "image-"));
const TAR = tarArchive([{ path: "etc/os-release", content: Buffer.from("ID=x\n") }]);

/** A layout whose index names one manifest with these bytes. */
function manifestOf(bytes: Buffer | string, mediaType: string = OCI_MEDIA_TYPES.manifest): string {
	const path = directory();
	writeIndexFile(path, [named(writeBlob(path, Buffer.from(bytes), mediaType), "latest")]);
	return `oci:${path}:latest`;
}

describe("documents of an image", () => {
	const nested = `${"[".repeat(200_000)}${"]".repeat(200_000)}`;
	const digest = `sha256:${"0".repeat(64)}`;
	const layer = JSON.stringify({ mediaType: OCI_MEDIA_TYPES.layer.gzip, digest, size: 1 });
	const config = JSON.stringify({ mediaType: OCI_MEDIA_TYPES.config, digest, size: 1 });

	it.each<[string, () => string, string]>([
		["a manifest nested 200 000 deep", () => manifestOf(nested), "5 MANIFEST_INVALID"],
		["a manifest with a field nested so", () => manifestOf(`{"schemaVersion":2,"x":${nested}}`), "5 MANIFEST_INVALID"],
		["a manifest of 5 MiB", () => manifestOf(Buffer.alloc(5 << 20, " ")), "5 BLOB_TOO_LARGE"],
		["a manifest that states 2^53 bytes", () => statedSize(Number.MAX_SAFE_INTEGER), "5 BLOB_TOO_LARGE"],
		["a manifest that is not UTF-8", () => manifestOf(Buffer.from([0xff, 0xfe, 0x7b])), "5 MANIFEST_INVALID"],
		["15 000 layers", () => manyLayers(15_000), "5 TOO_MANY_LAYERS"],
		["an index that contains itself in turn, 30 deep", () => deepIndex(30), "5 INDEX_TOO_DEEP"],
		["an index of 1000 indexes", () => wideIndex(1000), "5 INDEX_TOO_DEEP"],
		["an index of 20 000 manifests that are not there", () => missingManifests(20_000), "2 PLATFORM_NOT_FOUND"],
		[
			"a digest that leads to another file",
			() => manifestOf(withDigest("sha256:../../../../etc/passwd")),
			"5 MANIFEST_INVALID",
		],
		["an index and a manifest at once", () => manifestOf(both()), "5 MANIFEST_INVALID"],
		["a configuration nested so", () => configOf(`{"rootfs":${nested}}`), "5 CONFIG_INVALID"],
		[
			"a configuration with another number of layers",
			() => configOf('{"rootfs":{"type":"layers"}}'),
			"5 CONFIG_INVALID",
		],
		[
			"a prototype as a label",
			() => configOf('{"__proto__":{"x":1},"rootfs":{"type":"layers","diff_ids":"x"}}'),
			"5 CONFIG_INVALID",
		],
	])("%s", async (_, make, expected) => {
		const reference = make();
		expect(await refusedBuild(work, reference)).toBe(expected);
		expect(await refusedInspect(reference)).toBe(expected);
	});

	function withDigest(text: string): string {
		return `{"schemaVersion":2,"config":${config},"layers":[${layer.replace(digest, text)}]}`;
	}
	function both(): string {
		return `{"schemaVersion":2,"config":${config},"layers":[],"manifests":[]}`;
	}
	function statedSize(size: number): string {
		const path = directory();
		const blob = writeBlob(path, Buffer.from("{}"), OCI_MEDIA_TYPES.manifest);
		writeIndexFile(path, [named({ ...blob, size }, "latest")]);
		return `oci:${path}:latest`;
	}
	function configOf(text: string): string {
		const path = directory();
		const { layers } = writeImage(path, { layers: [{ tar: TAR, compression: "gzip" }] });
		const blob = writeBlob(path, Buffer.from(text), OCI_MEDIA_TYPES.config);
		const manifest = writeJson(path, OCI_MEDIA_TYPES.manifest, { schemaVersion: 2, config: blob, layers });
		writeIndexFile(path, [named(manifest, "latest")]);
		return `oci:${path}:latest`;
	}
	function manyLayers(count: number): string {
		return manifestOf(`{"schemaVersion":2,"config":${config},"layers":[${Array(count).fill(layer).join(",")}]}`);
	}
	function deepIndex(depth: number): string {
		const path = directory();
		let descriptor: BlobDescriptor = writeImage(path, { layers: [{ tar: TAR, compression: "gzip" }] }).manifest;
		for (let i = 0; i < depth; i++) descriptor = writeIndex(path, [descriptor]);
		writeIndexFile(path, [named(descriptor, "latest")]);
		return `oci:${path}:latest`;
	}
	function wideIndex(count: number): string {
		const path = directory();
		const { manifest } = writeImage(path, { layers: [{ tar: TAR, compression: "gzip" }] });
		const indexes = Array.from({ length: count }, (_, i) =>
			writeIndex(path, [{ ...manifest, annotations: { number: String(i) }, platform: { os: "x", architecture: "y" } }]),
		);
		writeIndexFile(path, [named(writeIndex(path, indexes), "latest")]);
		return `oci:${path}:latest`;
	}
	function missingManifests(count: number): string {
		const path = directory();
		const entry = { mediaType: OCI_MEDIA_TYPES.manifest, digest, size: 9, platform: { os: "x", architecture: "y" } };
		const index = { schemaVersion: 2, manifests: Array(count).fill(entry) };
		const blob = writeBlob(path, Buffer.from(JSON.stringify(index)), OCI_MEDIA_TYPES.index);
		writeIndexFile(path, [named(blob, "latest")]);
		return `oci:${path}:latest`;
	}
});

/** A contract image with this iso.yaml. */
function imageWithYaml(yaml: Buffer | string): string {
	const path = "usr/lib/image-builder/bootc/iso.yaml";
	const layers = [...contractLayers(), tarArchive([{ path, content: Buffer.from(yaml) }])];
	return writeOciLayout(directory(), { layers: layers.map((tar) => ({ tar, compression: "none" as const })) })
		.reference;
}

describe.skipIf(noGrub)("iso.yaml", () => {
	const billion = Array.from(
		{ length: 30 },
		(_, i) =>
			`a${i}: &a${i} [${Array(9)
				.fill(i === 0 ? "lol" : `*a${i - 1}`)
				.join(", ")}]`,
	).join("\n");
	const merges = Array.from(
		{ length: 200 },
		(_, i) =>
			`m${i}: &m${i} {${i === 0 ? "" : `<<: *m${i - 1}, `}${Array.from({ length: 60 }, (__, k) => `k${i}_${k}: 1`).join(", ")}}`,
	).join("\n");
	const many = (count: number): string =>
		`grub2:\n  entries:\n${"    - {name: n, linux: l, initrd: i}\n".repeat(count)}`;

	it.each<[string, string | Buffer, string]>([
		[
			"nine to the thirtieth by aliases",
			`label: L\nkernel_args: *a29\n`.replace("label", `${billion}\nlabel`),
			"ISO_YAML_INVALID",
		],
		["merge keys that multiply", `${merges}\nlabel: L\n`, "ISO_YAML_SYNTAX"],
		["an alias to itself", "label: &a [*a]\n", "ISO_YAML_SYNTAX"],
		["half a million brackets", "[".repeat(500_000), "ISO_YAML_SYNTAX"],
		["half a million nested mappings", "{a: ".repeat(250_000), "ISO_YAML_SYNTAX"],
		["deep indentation", Array.from({ length: 1300 }, (_, i) => `${" ".repeat(i)}a:`).join("\n"), "ISO_YAML_SYNTAX"],
		["two megabytes", Buffer.alloc(2 << 20, "# x\n"), "ISO_YAML_UNUSABLE"],
		["5000 menu entries", many(5000), "ISO_YAML_INVALID"],
		["no UTF-8", Buffer.from([0xff, 0x00, 0x80]), "ISO_YAML_UNUSABLE"],
		[
			"a line break in a name",
			'grub2:\n  entries:\n    - {name: "a\\n}\\nreboot\\n", linux: l, initrd: i}\n',
			"ISO_YAML_INVALID",
		],
		["a line break in a command line", 'kernel_args: ["a\\nreboot"]\n', "ISO_YAML_INVALID"],
	])("%s", async (_, yaml, code) => {
		const image = imageWithYaml(yaml);
		expect(await refusedBuild(work, image)).toBe("3 CONTRACT_NOT_MET");
		const args = ["build", image, "-o", join(work, "x.iso"), "--tools", "builtin", "--comp", "none", "--force"];
		const { stderr } = await hostileRun([...args, "--progress", "json"]);
		const { problems } = JSON.parse(stderr.trimEnd().split("\n").at(-1) ?? "") as { problems: { code: string }[] };
		expect(problems[0]?.code).toBe(code);
	});

	it.skipIf(requires("grub-script-check", "xorriso"))(
		"cannot put commands into the menu",
		{ timeout: 120_000 },
		async () => {
			const evil = [
				"'; reboot; '",
				"a' { reboot } menuentry 'b",
				"$(reboot) `reboot` $\u007breboot} $reboot",
				"x && reboot || reboot; reboot & reboot > /x < /y | reboot",
				'"\\" } reboot {',
				"} reboot #",
			];
			const entries = evil.map(
				(text) => `    - ${JSON.stringify({ name: text, linux: `/v ${text}`, initrd: `/i ${text}` })}`,
			);
			const image = imageWithYaml(`label: Evil\ngrub2:\n  entries:\n${entries.join("\n")}\n`);
			const out = mkdtempSync(join(work, "out-"));
			const iso = join(out, "x.iso");
			const { status } = await hostileRun([
				"build",
				image,
				"-o",
				iso,
				"--comp",
				"none",
				"--force",
				"--tools",
				"builtin",
			]);
			expect(status).toBe(0);
			for (const path of ["/boot/grub2/grub.cfg", "/EFI/BOOT/grub.cfg"]) {
				const config = join(out, path.replaceAll("/", "_"));
				spawnSync("xorriso", ["-osirrox", "on", "-indev", iso, "-extract", path, config], { stdio: "ignore" });
				expect(spawnSync("grub-script-check", [config]).status).toBe(0);
				expect(commandsOf(readFileSync(config, "utf8"))).toEqual(new Set(["linux", "initrd"]));
			}
		},
	);
});

/** The commands that the menu's entries would run, by GRUB's own word rules. */
function commandsOf(config: string): Set<string> {
	const names = new Set<string>();
	for (const body of config.split(/^menuentry /m).slice(1)) {
		// No line break gets in, so that every line of ours is one command; quotes are balanced within a line.
		for (const line of body.split("\n").slice(1)) {
			const unquoted = line.replace(/'[^']*'|"(?:[^"\\]|\\.)*"|\\./g, "Q").trim();
			if (unquoted === "" || unquoted === "}") continue;
			expect(unquoted).not.toMatch(/[;&|<>{}$]/);
			names.add(unquoted.split(/\s/)[0] ?? "");
		}
	}
	return names;
}
