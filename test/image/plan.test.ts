import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { buildIso, planBuild } from "../../src/index.ts";
import { fileDigest } from "../support/cache-build.ts";
import { oci2iso } from "../support/cli.ts";
import { HOST_GRUB } from "../support/contract-image.ts";
import { writeContractLayout } from "../support/contract-layout.ts";

import { tarArchive } from "../support/tar-fixtures.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const ARM64 = "--import=data:text/javascript,Object.defineProperty(process,'arch',{value:'arm64'})";
const RUN = ["--overwrite", "--force", "-q"];

describe.skipIf(!existsSync(HOST_GRUB))("a plan", () => {
	const work = temporaryDirectory("plan");
	const [out, plan, iso] = ["out", "plan.json", join("out", "x.iso")].map((name) => join(work, name)) as [
		string,
		string,
		string,
	];
	let image = "";
	beforeAll(() => {
		mkdirSync(out);
		image = writeContractLayout(join(work, "image"), [words("words ")]);
	});

	const words = (text: string): Buffer =>
		tarArchive([{ type: "file", path: "usr/share/words", content: Buffer.alloc(300_000, text) }]);

	async function print(...args: string[]): Promise<string> {
		const { status, stdout, stderr } = await oci2iso(["build", image, "--print-plan", ...args]);
		expect([status, stderr]).toEqual([0, ""]);
		return stdout.toString();
	}

	async function fault(...args: string[]): Promise<string> {
		const { status, stderr } = await oci2iso(["build", "-o", iso, "-q", ...args]);
		expect([status, readdirSync(out)]).toEqual([2, []]);
		return stderr;
	}

	it.each(["zstd", "none"])("with %s gives the same bytes on every machine", async (comp) => {
		writeFileSync(plan, await print("--comp", comp, "--drop-xattr", "user.*"));
		const cache = join(work, comp);
		const machines: [args: string[], env: NodeJS.ProcessEnv][] = [
			[["--jobs", "1"], { SOURCE_DATE_EPOCH: "1", TZ: "Asia/Tokyo" }],
			[["--cache", cache], { LANG: "tr_TR.UTF-8", NODE_OPTIONS: ARM64 }],
			[["--cache", cache, "--jobs", "5"], { TMPDIR: out }],
		];
		if (comp === "none") machines.push([["--max-inodes", "100000"], { OCI2ISO_CODEC_BACKEND: "portable" }]);
		const digests = new Set<string>();
		for (const [args, env] of machines) {
			const { status, stderr } = await oci2iso(["build", "--plan", plan, "-o", iso, ...RUN, ...args], { env });
			expect([status, stderr]).toEqual([0, ""]);
			digests.add(fileDigest(iso));
		}
		rmSync(iso);
		expect(digests.size).toBe(1);
	});

	it("gives what its options give, in the library too, and is in the report", async () => {
		const options = { image, comp: "gzip", label: "PLANNED", sourceDateEpoch: 5, output: iso, force: true } as const;
		const direct = await buildIso(options);
		const digest = fileDigest(iso);
		const made = await planBuild(options);
		expect([made, direct.plan]).toEqual([direct.plan, JSON.parse(JSON.stringify(made))]);
		const { plan: again } = await buildIso({ plan: made, output: iso, overwrite: true, force: true });
		expect([again, fileDigest(iso)]).toEqual([made, digest]);
		const piped = await oci2iso(["build", "--plan", "-", "-o", iso, ...RUN], { input: JSON.stringify(made) });
		expect([piped.status, piped.stderr, fileDigest(iso)]).toEqual([0, "", digest]);
		rmSync(iso);
	});

	it("builds nothing when it is printed", async () => {
		expect(JSON.parse(await print("-o", iso, "--jobs", "3"))).toMatchObject({
			version: 1,
			image: { reference: image },
		});
		expect(readdirSync(out)).toEqual([]);
	});

	it("takes no option beside it that shapes bytes, and names what was given", async () => {
		writeFileSync(plan, await print());
		for (const [flag, ...value] of [["--comp", "xz"], ["--no-default-excludes"], ["--source-date-epoch", "1"]])
			expect(await fault("--plan", plan, flag ?? "", ...value)).toMatch(
				new RegExp(`INVALID_OPTION: the plan decides it \\(${flag?.replace("no-", "")}\\)`),
			);
		expect(await fault("--plan", plan, image)).toContain("INVALID_OPTION: the plan decides it (image)");
		expect(await fault("--plan", plan, "--print-plan")).toContain("CONFLICTING_OPTION");
		expect(await fault()).toContain("MISSING_ARGUMENT");
	});

	it("is no place for the ISO, and a file", async () => {
		const text = await print();
		writeFileSync(plan, text);
		expect(await fault("--plan", plan, "-o", plan, "--overwrite")).toContain("OUTPUT_CONFLICT");
		expect(readFileSync(plan, "utf8")).toBe(text);
		expect(await fault("--plan", work)).toContain("PLAN_UNREADABLE");
		expect(await fault("--plan", "/dev/zero")).toContain("PLAN_INVALID");
	});

	it("is not run with another image of the same name", async () => {
		writeFileSync(plan, await print());
		rmSync(join(work, "image"), { recursive: true });
		writeContractLayout(join(work, "image"), [words("other ")]);
		expect(await fault("--plan", plan)).toMatch(/IMAGE_CHANGED: it names sha256:\w{64} now, not sha256:\w{64}/);
	});
});
