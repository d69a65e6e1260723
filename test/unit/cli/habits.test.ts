import { afterEach, describe, expect, it, vi } from "vitest";
import { HABITS } from "../../../src/cli/habits.ts";
import { createProgram } from "../../../src/cli/program.ts";
import { translateHabits } from "../../../src/cli/translate-habits.ts";
import { commandOf } from "../../../src/cli/usage-error.ts";
import { Oci2isoError } from "../../../src/errors.ts";

afterEach(() => void vi.unstubAllEnvs());

/** The command line that is ours, or what is said of it. */
function ours(line: string): string {
	const program = createProgram(() => {});
	try {
		return translateHabits(program, line.split(" ")).join(" ");
	} catch (error) {
		if (!(error instanceof Oci2isoError)) throw error;
		return error.message;
	}
}

/** What commander makes of it, or its error's first line. */
async function parsed(line: string): Promise<{ readonly opts: object; readonly args: readonly string[] } | string> {
	const program = createProgram(() => {});
	try {
		const args = translateHabits(program, line.split(" "));
		const command = commandOf(program, args);
		let seen: readonly string[] = [];
		command.action(() => {
			seen = command.args;
		});
		await program.parseAsync(args, { from: "user" });
		const opts = Object.entries(command.opts()).filter(([name]) => command.getOptionValueSource(name) !== "default");
		return { opts: Object.fromEntries(opts), args: seen };
	} catch (error) {
		return error instanceof Error ? (error.message.split("\n")[0] ?? "") : String(error);
	}
}

describe("options typed by habit", () => {
	it.each([
		[
			"mksquashfs",
			"-comp xz -b 1M -Xbcj x86 -processors 2 -noappend -no-recovery -mem 1G",
			{ comp: "xz", blockSize: 1048576, bcj: "x86", jobs: 2 },
		],
		[
			"mksquashfs",
			"-comp zstd -Xcompression-level 19 -b 131072 -no-xattrs -all-root -no-exports",
			{ comp: "zstd", level: 19, blockSize: 131072, dropXattr: ["*"], allRoot: true, exports: false },
		],
		[
			"mksquashfs",
			"-comp lz4 -Xhc -no-fragments -mkfs-time 5 -quiet",
			{ comp: "lz4", level: 12, fragments: false, sourceDateEpoch: 5, quiet: true },
		],
		[
			"xorriso",
			"-as mkisofs -r -J -joliet-long -iso-level 3 -V LABEL -o live.iso",
			{ label: "LABEL", output: ["live.iso"] },
		],
		[
			"genisoimage",
			"-volid LABEL -output live.iso -R -l -quiet",
			{ label: "LABEL", output: ["live.iso"], quiet: true },
		],
		[
			"skopeo",
			"--src-tls-verify=0 --src-creds u:p --override-arch arm64 --override-variant v8 --retry-times 2 --insecure-policy -q",
			{ tlsVerify: false, creds: "u:p", platform: "linux/arm64/v8", transferPolicy: { attempts: 3 }, quiet: true },
		],
		[
			"podman",
			"--arch amd64 --os linux --tls-verify --quiet --pull=always --authfile a.json",
			{ platform: "linux/amd64", tlsVerify: true, quiet: true, authFile: "a.json" },
		],
		["podman", "--tls-verify False --pull --platform linux/amd64", { tlsVerify: false, platform: "linux/amd64" }],
		[
			"image-builder",
			"--type bootc-generic-iso --output-dir out --output-name live --target-arch x86_64 --rootfs squashfs --progress verbose",
			{ output: ["out/live.iso"], platform: "linux/x86_64", rootfs: "squashfs", progress: "plain" },
		],
		["image-builder", "--bootc-build-ref oci:loaders -v", { buildroot: "oci:loaders", verbose: true }],
		[
			"BuildKit",
			"--cache-from type=registry,ref=r/c:1 --cache-to mode=max,type=registry,ref=r/c:2 --progress rawjson",
			{ cacheFrom: ["r/c:1"], cacheTo: "r/c:2", progress: "json" },
		],
		["make and xz", "-j4 --threads 2", { jobs: 2 }],
	])("of %s: %s", async (_tool, options, opts) => {
		expect(await parsed(`build oci:x ${options}`)).toEqual({ opts, args: ["oci:x"] });
	});

	it.each([
		["build oci:x -e usr/share/doc a.b -o x.iso", ["^a\\.b$", "^usr$/^share$/^doc$"]],
		["build oci:x -regex -e usr/share/(doc|man)/.* -o x.iso", ["usr/share/(doc|man)/.*"]],
	])("paths to leave out: %s", async (line, exclude) => {
		expect(await parsed(line)).toMatchObject({ opts: { exclude, output: ["x.iso"] }, args: ["oci:x"] });
	});

	it("come before the command as well, name the image, and its ISO", async () => {
		expect(await parsed("--override-arch arm64 --force inspect oci:x -comp xz")).toMatch(/inspect has no --force/);
		expect(await parsed("--override-arch arm64 inspect oci:x -comp xz")).toMatchObject({
			args: ["oci:x"],
			opts: { platform: "linux/arm64", comp: "xz" },
		});
		expect(await parsed("build --output-dir out --bootc-ref oci:dir/live:43")).toMatchObject({
			args: ["oci:dir/live:43"],
			opts: { output: ["out/live-43.iso"] },
		});
		expect(await parsed("verify x.iso --image-ref oci:x")).toMatchObject({ args: ["x.iso"], opts: { image: "oci:x" } });
	});

	it("say where the image is", () => {
		expect(ours("build --local localhost/live:1 -q")).toBe("build containers-storage:localhost/live:1 -q");
		expect(ours("build oci:x --local")).toBe("build oci:x");
	});

	it("leave values alone, and what is behind two dashes", async () => {
		expect(await parsed("build oci:x --label -comp -o --kargs")).toMatchObject({
			opts: { label: "-comp", output: ["--kargs"] },
		});
		expect(await parsed("build oci:x --label=-o")).toMatchObject({ opts: { label: "-o" } });
		expect(ours("build --tls-verify docker://r/x")).toBe("build --tls-verify=true docker://r/x");
		expect(ours("build -- -comp")).toBe("build -- -comp");
		expect(ours("build oci:x -o -")).toBe("build oci:x -o -");
	});

	it.each([
		["build x --kargs quiet", /oci2iso build has no --kargs: kernel arguments are kernel_args/],
		["build x -b isolinux/isolinux.bin", /-b is mksquashfs's, a block size/],
		["build x --type anaconda-iso", /no --type anaconda-iso: oci2iso makes live ISOs/],
		["build x --rootfs ext4", /squashfs/],
		["build x --pull=never", /oci-archive:FILE/],
		["build x --cache-from type=gha", /type=registry,ref=/],
		["build x -o type=oci,dest=x", /path of the ISO/],
		["build x --arch arm64 --platform linux/amd64", /given in two ways/],
		["build x --output-name x -o y.iso", /given in two ways/],
		["cache ls -comp zstd", /oci2iso cache ls has no -comp: it is --comp, of build, inspect/],
		["verify x.iso --label A", /oci2iso verify has no --label: it is of build, inspect/],
		["inspect x -j 3", /inspect has no -j: it is --jobs, of build/],
		["build x --comp", /argument missing/],
		[
			"build --payload -o x.iso oci:x",
			/OPTION_MISSING_ARGUMENT: what follows --payload is the option -o: expected a value; .*--payload=-o/,
		],
		["build x --no-selinux", /--selinux off/],
		["build x -V", /it takes a value/],
		["build x --retry-times -1", /at least 0/],
	])("%s is refused with what to do instead", async (line, message) => {
		expect(await parsed(line)).toMatch(message);
	});

	it("are each known once, and only where ours has another name", () => {
		const build = commandOf(
			createProgram(() => {}),
			["build"],
		);
		const all = HABITS.flatMap(({ options }) => options);
		expect(all.filter((option, at) => all.indexOf(option) !== at)).toEqual([]);
		// mksquashfs's takes no value
		const own = build.options
			.flatMap(({ long, short }) => [long, short, long?.slice(1)])
			.filter((option) => option !== "-progress");
		expect(all.filter((option) => own.includes(option))).toEqual([]);
	});

	it.each(HABITS.map(({ tool, options, meaning }) => [tool, options, meaning] as const))(
		"of %s: %j is done or said",
		async (_tool, options, meaning) => {
			const value = {
				"--level": "3",
				"--block-size": "4K",
				"--jobs": "3",
				"--bcj": "x86",
				"--comp": "xz",
				"--retry-times": "3",
				"--source-date-epoch": "3",
				"--tls-verify": "true",
			};
			for (const option of options) {
				const text =
					"ours" in meaning && meaning.value === undefined && Object.hasOwn(value, meaning.ours)
						? value[meaning.ours as keyof typeof value]
						: "v";
				const given =
					"already" in meaning && meaning.values !== undefined
						? ` ${["iso", "squashfs", "100%", "always"].find((word) => meaning.values?.test(word)) ?? "v"}`
						: "none" in meaning ||
								"already" in meaning ||
								"patterns" in meaning ||
								"storage" in meaning ||
								("ours" in meaning && (meaning.value !== undefined || FLAGS.has(meaning.ours)))
							? ""
							: ` ${text}`;
				const outcome = await parsed(`build ${"image" in meaning ? "" : "oci:x "}${option}${given}`);
				if ("none" in meaning) expect(outcome).toContain(`has no ${option}: `);
				else expect(outcome).toMatchObject({ args: "image" in meaning ? ["v"] : ["oci:x"] });
			}
		},
	);

	it("are answered with options and commands that are there", () => {
		const build = commandOf(
			createProgram(() => {}),
			["build"],
		);
		const known = ["--json", "--format", "--decryption-key", ...build.options.map(({ long }) => long)];
		const named = HABITS.flatMap(({ meaning }) => JSON.stringify(meaning).match(/--[a-z][a-z-]+/g) ?? []);
		expect(named.filter((option) => !known.includes(option))).toEqual([]);
	});
});

/** Ours without a value that others give without one too. */
const FLAGS: ReadonlySet<string> = new Set([
	"--all-root",
	"--always-use-fragments",
	"--overwrite",
	"--verbose",
	"--quiet",
]);
