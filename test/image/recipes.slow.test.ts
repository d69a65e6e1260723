import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { hostSource } from "../../fixtures/debian/apt.ts";
import { buildIso, inspectImage, verifyAgainstImage } from "../../src/index.ts";
import { requires } from "../support/requires.ts";
import { run } from "../support/run.ts";
import { isSlowWanted } from "../support/slow.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const recipe = readFileSync(join(import.meta.dirname, "../../docs/recipes/debian.md"), "utf8");
const containerfile = /^```dockerfile\n([\s\S]*?)^```$/m.exec(recipe)?.[1] ?? "";
const [, base = "", suite = ""] = /^FROM (\S+:(\d+))$/m.exec(containerfile) ?? [];
const SUITES: Readonly<Record<string, string>> = { 12: "bookworm", 13: "trixie" };

const isSkipped =
	!isSlowWanted("the recipe for Debian is built") || requires("root", "podman", "buildah", "mmdebstrap");

it.skipIf(isSkipped)(
	"the recipe for Debian makes an image that becomes an ISO as it is",
	{ timeout: 3_600_000 },
	async () => {
		const work = temporaryDirectory("recipes");
		const store = ["--root", join(work, "store"), "--runroot", join(work, "run"), "--storage-driver", "vfs"];
		const { uri, options } = await hostSource();
		const name = SUITES[suite] ?? "";
		await run("mmdebstrap", ["--variant=minbase", name, join(work, "base.tar"), `deb ${options}${uri} ${name} main`]);
		await run("podman", [...store, "import", "-q", join(work, "base.tar"), base]);
		mkdirSync(join(work, "context"));
		writeFileSync(join(work, "context/Containerfile"), containerfile);
		const tag = "localhost/debian-live";
		const building = ["build", "--isolation", "chroot", "--pull-never", "--layers=false", "-t", tag, "context"];
		const { status, stderr } = spawnSync("buildah", [...store, ...building], { cwd: work, encoding: "utf8" });
		expect([status, stderr.slice(-2000)]).toEqual([0, expect.any(String)]);
		const image = `containers-storage:[vfs@${join(work, "store")}+${join(work, "run")}]${tag}`;
		const { findings, bootPaths } = await inspectImage(image);
		expect(findings.filter(({ severity }) => severity === "blocker" || severity === "warning")).toEqual([]);
		expect(Object.values(bootPaths)).toEqual(Array(3).fill("expected to boot"));
		const output = join(work, "debian.iso");
		await buildIso({ image, output });
		const { verdict, checks } = await verifyAgainstImage(output, { image });
		expect(checks.filter((check) => check.status === "fail")).toEqual([]);
		expect(verdict).toBe("pass");
	},
);
