import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { hostSource } from "../../fixtures/debian/apt.ts";
import { buildIso, inspectImage, verifyAgainstImage } from "../../src/index.ts";
import { bootIso, bootRequirements } from "../support/qemu.ts";
import { requires } from "../support/requires.ts";
import { run } from "../support/run.ts";
import { isSlowWanted } from "../support/slow.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const recipe = readFileSync(join(import.meta.dirname, "../../docs/recipes/debian.md"), "utf8");
const containerfile = /^```dockerfile\n([\s\S]*?)^```$/m.exec(recipe)?.[1] ?? "";
const [, base = "", suite = ""] = /^FROM (\S+:(\d+))$/m.exec(containerfile) ?? [];
const SUITES: Readonly<Record<string, string>> = { 12: "bookworm", 13: "trixie" };

const isSkipped =
	!isSlowWanted("the recipe for Debian is built") ||
	(bootRequirements() ?? requires("root", "podman", "buildah", "mmdebstrap"));

/** The recipe's default menu has no serial console, which is where a guest is listened to. */
const ISO_YAML = `label: RECIPE
kernel_args: ["root=live:CDLABEL=RECIPE", rd.live.image, rw, "console=ttyS0,115200"]
grub2:
  timeout: 1
`;

it.skipIf(isSkipped)(
	"the recipe for Debian makes an image that becomes an ISO as it is, and one that boots to a login prompt",
	{ timeout: 3_600_000 },
	async () => {
		const work = temporaryDirectory("recipes");
		const store = ["--root", join(work, "store"), "--runroot", join(work, "run"), "--storage-driver", "vfs"];
		const { uri, options } = await hostSource();
		const name = SUITES[suite] ?? "";
		await run("mmdebstrap", ["--variant=minbase", name, join(work, "base.tar"), `deb ${options}${uri} ${name} main`]);
		await run("podman", [...store, "import", "-q", join(work, "base.tar"), base]);
		mkdirSync(join(work, "context"));
		writeFileSync(join(work, "context/iso.yaml"), ISO_YAML);
		const built = (tag: string, text: string): string => {
			writeFileSync(join(work, "context/Containerfile"), text);
			const building = ["build", "--isolation", "chroot", "--pull-never", "--layers=false", "-t", tag, "context"];
			const { status, stderr } = spawnSync("buildah", [...store, ...building], { cwd: work, encoding: "utf8" });
			expect([status, stderr.slice(-2000)]).toEqual([0, expect.any(String)]);
			return `containers-storage:[vfs@${join(work, "store")}+${join(work, "run")}]${tag}`;
		};
		const image = built("localhost/debian-live", containerfile);
		const { findings, bootPaths } = await inspectImage(image);
		expect(findings.filter(({ severity }) => severity === "blocker" || severity === "warning")).toEqual([]);
		expect(Object.values(bootPaths)).toEqual(Array(3).fill("expected to boot"));
		const output = join(work, "debian.iso");
		await buildIso({ image, output });
		const { verdict, checks } = await verifyAgainstImage(output, { image });
		expect(checks.filter((check) => check.status === "fail")).toEqual([]);
		expect(verdict).toBe("pass");
		const withMenu = "FROM localhost/debian-live\nCOPY iso.yaml /usr/lib/image-builder/bootc/iso.yaml\n";
		const menu = join(work, "menu.iso");
		await buildIso({ image: built("localhost/debian-live-serial", withMenu), output: menu });
		const log = await bootIso(menu, "BIOS from CD", { until: /login: $/, timeoutMs: 1_200_000 });
		expect(log).toMatch(/Debian GNU\/Linux \S+ \S+ ttyS0/);
	},
);
