import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { load, loadAll } from "js-yaml";
import { beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { COMPILED_MAIN } from "../support/compiled.ts";
import { debianFixture, FIXTURE_NEEDS } from "../support/fixture.ts";
import { requires } from "../support/requires.ts";
import { run } from "../support/run.ts";
import { isSlowWanted } from "../support/slow.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const ROOT = join(import.meta.dirname, "../..");
const packaging = join(ROOT, "packaging");
const work = temporaryDirectory("packaging");
const OPTIONS = "--preset fast --comp none";
let image = "";

beforeAll(async () => {
	image = `oci:${await debianFixture()}`;
	mkdirSync(join(work, "bin"));
	symlinkSync(COMPILED_MAIN, join(work, "bin/oci2iso"));
	chmodSync(COMPILED_MAIN, 0o755);
});

const read = (path: string): string => readFileSync(join(packaging, path), "utf8");

function sh(shell: string, args: readonly string[], cwd: string, env: NodeJS.ProcessEnv) {
	const own = { PATH: `${join(work, "bin")}:${process.env["PATH"]}`, HOME: work };
	const { status, stdout, stderr } = spawnSync(shell, args, { cwd, env: { ...own, ...env }, encoding: "utf8" });
	return { status, stdout, stderr };
}

/** What engines put in for a text's expressions: `undefined` is one that it has no value for. */
function substituted(text: string, pattern: RegExp, lookUp: (name: string) => string | undefined): string {
	return text.replace(pattern, (expression, name: string) => {
		const value = lookUp(name);
		if (value === undefined) throw new Error(`nothing declares ${expression}`);
		return value;
	});
}

function isoWithChecksum(directory: string, name: string): string {
	const digest = createHash("sha256")
		.update(readFileSync(join(directory, name)))
		.digest("hex");
	expect(readFileSync(join(directory, `${name}-CHECKSUM`), "utf8")).toBe(`${digest}  ${name}\n`);
	expect(JSON.parse(readFileSync(join(directory, `${name}.json`), "utf8"))).toHaveProperty("layers");
	return digest;
}

describe.skipIf(requires(...FIXTURE_NEEDS))("the action for GitHub", () => {
	const Action = z.object({
		inputs: z.record(z.string(), z.object({ default: z.string().default("") })),
		outputs: z.record(z.string(), z.object({ value: z.string() })),
		runs: z.object({
			steps: z.array(
				z.object({
					id: z.string().optional(),
					run: z.string().optional(),
					env: z.record(z.string(), z.string()).optional(),
				}),
			),
		}),
	});
	const action = Action.parse(load(read("github/action.yml")));

	/** As a runner runs the step that builds. */
	function runStep(given: Readonly<Record<string, string>>) {
		const workspace = temporaryDirectory("workspace");
		const contexts: Record<string, string> = {
			"github.workspace": workspace,
			"github.action_path": join(packaging, "github"),
			"runner.temp": workspace,
		};
		const expression = /\$\{\{ ([\w.-]+) \}\}/g;
		const inContext = (text: string) => substituted(text, expression, (name) => contexts[name]);
		for (const name of Object.keys(given)) expect(action.inputs).toHaveProperty([name]);
		for (const [name, input] of Object.entries(action.inputs))
			contexts[`inputs.${name}`] = given[name] ?? inContext(input.default);
		const step = action.runs.steps.find(({ id }) => id === "build");
		const env = Object.entries(step?.env ?? {}).map(([name, value]) => [name, inContext(value)]);
		const output = join(workspace, "github-output");
		const ended = sh("bash", ["-c", inContext(step?.run ?? "exit 9")], workspace, {
			...Object.fromEntries(env),
			GITHUB_OUTPUT: output,
		});
		const lines = existsSync(output) ? readFileSync(output, "utf8").trimEnd().split("\n") : [];
		const outputs = Object.fromEntries(lines.map((line) => [line.split("=", 1)[0], line.slice(line.indexOf("=") + 1)]));
		return { ...ended, workspace, outputs };
	}

	it("makes the ISO where Titanoboa's users expect it, verified, with its checksum and every output", () => {
		const { status, stdout, workspace, outputs } = runStep({
			"image-ref": image,
			options: OPTIONS,
			livesys: "false",
			"flatpaks-list": "none",
			verify: "true",
		});
		expect([status, stdout]).toEqual([0, expect.stringContaining("no fault found")]);
		const checksum = isoWithChecksum(workspace, "output.iso");
		expect(readdirSync(join(workspace, "oci2iso-cache"))).not.toEqual([]);
		expect(Object.keys(outputs).sort()).toEqual(Object.keys(action.outputs).sort());
		expect(outputs).toMatchObject({ checksum, "iso-dest": join(workspace, "output.iso") });
		expect(JSON.parse(outputs["output-paths"] ?? "")).toEqual([{ type: "iso", path: join(workspace, "output.iso") }]);
	});

	it("takes image-builder's inputs, and says of those without a meaning that they have none", () => {
		const { status, stdout, workspace } = runStep({
			image,
			types: "bootc-generic-iso",
			"additional-args": OPTIONS,
			rootfs: "ext4",
			chown: "1000:1000",
			"iso-dest": "deep/down/x.iso",
			cache: "none",
			inspect: "false",
		});
		expect([status, stdout]).toEqual([0, expect.stringContaining("::notice title=oci2iso::input rootfs is ignored")]);
		isoWithChecksum(join(workspace, "deep/down"), "x.iso");
	});

	it.each([
		[{ "hook-post-rootfs": "./hook.sh" }, /input hook-post-rootfs: run it in the image's Containerfile/],
		[{ kargs: "quiet" }, /input kargs: .* iso\.yaml/],
		[{ types: "qcow2" }, /input types: qcow2 is not made here/],
		[{ "container-image": "localhost/other" }, /input container-image: /],
		[{ "image-ref": "localhost/other" }, /two images/],
	])("refuses %o, whose effect the ISO would lack, before it does anything", (inputs, message) => {
		const { status, stdout, workspace } = runStep({ image, ...inputs });
		expect([status, stdout]).toEqual([2, expect.stringMatching(message)]);
		expect(readdirSync(workspace)).toEqual([]);
	});
});

it.skipIf(requires(...FIXTURE_NEEDS))("the component for GitLab makes the ISO, its checksum and its report", () => {
	const Component = z.tuple([
		z.object({ spec: z.object({ inputs: z.record(z.string(), z.object({ default: z.string().optional() })) }) }),
		z.record(z.string(), z.object({ variables: z.record(z.string(), z.string()), script: z.array(z.string()) })),
	]);
	const text = read("gitlab/templates/oci2iso.yml");
	const { inputs } = Component.parse(loadAll(text))[0].spec;
	const given: Readonly<Record<string, string>> = { image, options: OPTIONS, "oci2iso-image": "localhost/oci2iso" };
	const filled = substituted(text, /\$\[\[ inputs\.([\w-]+) \]\]/g, (name) => given[name] ?? inputs[name]?.default);
	const job = Component.parse(loadAll(filled))[1]["oci2iso"];
	const directory = temporaryDirectory("gitlab");
	const ended = sh("sh", ["-ec", job?.script.join("\n") ?? "exit 9"], directory, {
		...job?.variables,
		CI_REGISTRY: "localhost:5000",
		CI_REGISTRY_USER: "user",
		CI_REGISTRY_PASSWORD: "password",
	});
	expect([ended.status, ended.stderr]).toEqual([0, expect.any(String)]);
	isoWithChecksum(directory, "live.iso");
});

it.skipIf(requires(...FIXTURE_NEEDS))(
	"the Task for Tekton makes the ISO, compares it with the image and gives its checksum as the result",
	() => {
		const Task = z.object({
			spec: z.object({
				params: z.array(z.object({ name: z.string(), default: z.unknown().optional() })),
				workspaces: z.array(z.object({ name: z.string() })),
				results: z.array(z.object({ name: z.string() })),
				stepTemplate: z.object({ env: z.array(z.object({ name: z.string(), value: z.string() })) }),
				steps: z.array(z.object({ script: z.string() })),
			}),
		});
		const { spec } = Task.parse(load(read("tekton/oci2iso.yaml")));
		const directory = temporaryDirectory("tekton");
		const values = new Map<string, string>([
			...spec.params.map(({ name, default: value }): [string, string] => [`params.${name}`, String(value)]),
			...spec.workspaces.map(({ name }): [string, string] => [`workspaces.${name}.path`, directory]),
			...spec.results.map(({ name }): [string, string] => [`results.${name}.path`, join(directory, name)]),
			["params.IMAGE", image],
		]);
		const filled = (text: string) => substituted(text, /\$\(([\w.]+)\)/g, (name) => values.get(name));
		const env = Object.fromEntries(spec.stepTemplate.env.map(({ name, value }) => [name, filled(value)]));
		for (const [index, step] of spec.steps.entries()) {
			const script = join(directory, `script-${index}`);
			writeFileSync(script, filled(step.script));
			const ended = sh("sh", [script, ...(index === 0 ? OPTIONS.split(" ") : [])], directory, env);
			expect([ended.status, ended.stderr]).toEqual([0, expect.any(String)]);
		}
		expect(readFileSync(join(directory, "ISO_SHA256"), "utf8")).toBe(isoWithChecksum(directory, "live.iso"));
	},
);

const container = [...FIXTURE_NEEDS, "root", "mmdebstrap", "buildah", "umoci", "runc"];
describe.skipIf(!isSlowWanted("oci2iso's own container image is not made") || requires(...container))(
	"oci2iso's own container image",
	() => {
		it("is made of Debian's packages, has no set-user-ID program, and builds as a restricted pod runs it", async () => {
			const directory = temporaryDirectory("container", join(ROOT, "build"));
			const store = [
				"--storage-driver",
				"vfs",
				"--root",
				join(directory, "store"),
				"--runroot",
				join(directory, "run"),
			];
			const buildah = (...args: string[]) => run("buildah", [...store, ...args], { cwd: ROOT });
			await run("mmdebstrap", ["--variant=minbase", "trixie", join(directory, "trixie.tar")]);
			const base = (await buildah("from", "scratch")).trim();
			await buildah("add", base, join(directory, "trixie.tar"), "/");
			await buildah("commit", base, "localhost/debian:13-slim");
			await run("npm", ["pack", "--pack-destination", "build"], { cwd: ROOT });
			const from = ["--isolation", "chroot", "--build-arg", "BASE=localhost/debian:13-slim"];
			await buildah("bud", ...from, "-t", "localhost/oci2iso", "-f", "packaging/container/Containerfile", ".");
			await buildah("push", "localhost/oci2iso", `oci:${join(directory, "layout")}:latest`);
			const bundle = join(directory, "bundle");
			await run("umoci", ["unpack", "--image", `${join(directory, "layout")}:latest`, bundle]);
			expect(await run("find", [join(bundle, "rootfs"), "-perm", "/6000"])).toBe("");
			const output = join(directory, "output");
			mkdirSync(output);
			chmodSync(output, 0o777);
			restrict(join(bundle, "config.json"), output);
			await run("runc", ["run", "--bundle", bundle, `oci2iso-test-${process.pid}`]);
			expect(readFileSync(join(output, "live.iso")).subarray(32769, 32774).toString()).toBe("CD001");
		});
	},
);

/** The pod security standard "restricted", of a cluster that chooses the user: no capability, no new privilege, a root that cannot be written, no network. */
function restrict(file: string, output: string): void {
	const Spec = z.looseObject({
		process: z.looseObject({ args: z.array(z.string()) }),
		root: z.looseObject({}),
		mounts: z.array(z.looseObject({ destination: z.string() })),
		linux: z.looseObject({ namespaces: z.array(z.looseObject({ type: z.string() })) }),
	});
	const { process: program, root, mounts, linux, ...rest } = Spec.parse(JSON.parse(readFileSync(file, "utf8")));
	const bind = (source: string, destination: string, mode: string) => ({
		destination,
		source,
		type: "bind",
		options: ["rbind", mode],
	});
	const { uidMappings, gidMappings, resources, ...kept } = linux;
	const spec = {
		...rest,
		root: { ...root, readonly: true },
		process: {
			...program,
			args: [...program.args.slice(0, 1), "build", "oci:/image", "-o", "live.iso", ...OPTIONS.split(" ")],
			terminal: false,
			user: { uid: 1_000_680_000, gid: 0 },
			noNewPrivileges: true,
			capabilities: {},
			rlimits: [],
		},
		mounts: [
			...mounts.filter(({ destination }) => destination !== "/sys/fs/cgroup"),
			{ destination: "/tmp", type: "tmpfs", source: "tmpfs", options: ["nosuid", "nodev", "size=64m", "mode=1777"] },
			bind(image.replace(/^oci:/, ""), "/image", "ro"),
			bind(output, "/work", "rw"),
		],
		linux: { ...kept, namespaces: linux.namespaces.filter(({ type }) => type !== "user" && type !== "cgroup") },
	};
	writeFileSync(file, JSON.stringify(spec));
}
