import { execFileSync } from "node:child_process";
import {
	chmodSync,
	chownSync,
	existsSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	rmSync,
	writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { contractLayers, HOST_GRUB } from "../support/contract-image.ts";
import { hostileRun } from "../support/hostile-cli.ts";
import { writeOciLayout } from "../support/oci-layout.ts";
import { requires } from "../support/requires.ts";
import { tarArchive } from "../support/tar-fixtures.ts";

const missing = requires("root", "cc") ?? (existsSync(HOST_GRUB) ? undefined : `needs ${HOST_GRUB}`);
if (missing !== undefined && !existsSync(HOST_GRUB)) process.stderr.write(`SKIPPED: ${missing}\n`);

const USERS = [
	{ user: "root", uid: 0 },
	{ user: "an ordinary user", uid: 65534 },
] as const;
const TOOLS = ["implantisomd5", "grub-mkimage"] as const;

let base = "";
beforeAll(() => {
	if (missing !== undefined) return;
	base = mkdtempSync(join(tmpdir(), "oci2iso-hostile-tools-"));
	chmodSync(base, 0o755);
});
afterAll(() => {
	if (base !== "") rmSync(base, { recursive: true, force: true });
});

interface Place {
	readonly image: string;
	readonly out: string;
	readonly secret: string;
	readonly home: string;
}

/** An image whose tool means harm, and a user's directory with something to steal beside the output. */
function makePlace(tool: string, ending: string, uid: number): Place {
	const place = mkdtempSync(join(base, "place-"));
	const secret = join(place, "secret");
	writeFileSync(secret, "secret");
	const program = join(place, "tool");
	const source = join(import.meta.dirname, "hostile-tool.c");
	execFileSync("cc", ["-std=gnu11", "-O1", "-static", `-DSECRET="${secret}"`, `-D${ending}`, "-o", program, source]);
	const layers = [
		...contractLayers(),
		tarArchive([{ path: `usr/bin/${tool}`, content: readFileSync(program), mode: 0o4755 }]),
	];
	const { reference } = writeOciLayout(join(place, "image"), {
		layers: layers.map((tar) => ({ tar, compression: "none" as const })),
	});
	const [out, home] = [join(place, "out"), join(place, "home")];
	for (const directory of [out, home]) mkdirSync(directory);
	for (const path of [place, secret, out, home]) chownSync(path, uid, uid);
	return { image: reference, out, secret, home };
}

function build({ image, out, home }: Place, uid: number, ...args: string[]) {
	const env = { HOME: home, TMPDIR: home, XDG_CACHE_HOME: join(home, "cache"), SECRET_TOKEN: "x" };
	return hostileRun(["build", image, "-o", join(out, "x.iso"), "--comp", "none", "--force", ...args], {
		uid: uid === 0 ? undefined : uid,
		env,
		seconds: 150,
	});
}

function expectUntouched({ secret, home }: Place): void {
	expect(readFileSync(secret, "utf8")).toBe("secret");
	expect(existsSync(`${secret}.new`)).toBe(false);
	// tsx keeps what it compiled; nothing of the run's own is left.
	expect(readdirSync(home).filter((name) => !/^(tsx-|node-compile-cache|cache)/.test(name))).toEqual([]);
}

describe.skipIf(missing !== undefined)("an image's tool that means harm", () => {
	describe.each(USERS)("run by $user", ({ uid }) => {
		it.each(TOOLS)("%s finds no way out, and its failure is reported", async (tool) => {
			const place = makePlace(tool, "TOOL_END_FAIL", uid);
			const report = join(place.out, "report.json");
			const { status } = await build(place, uid, "--report", report);
			expect(status).toBe(0);
			const { tools } = JSON.parse(readFileSync(report, "utf8")) as { tools: { used: string; reason?: string }[] };
			expect(tools.map(({ used }) => used)).toEqual(["builtin", "builtin"]);
			const reasons = tools.map(({ reason }) => reason ?? "").join("\n");
			expect(reasons).toContain("ways out: none.");
			expectUntouched(place);
		});

		it.each(TOOLS)("%s that is asked for alone ends the build with 7 and leaves nothing", async (tool) => {
			const place = makePlace(tool, "TOOL_END_FAIL", uid);
			// The other tool is not there: whichever is asked first, the build ends at it.
			const { status, code } = await build(place, uid, "--tools", "buildroot");
			expect(status).toBe(7);
			expect(["TOOL_FAILED", "TOOL_NOT_FOUND"]).toContain(code);
			expect(readdirSync(place.out)).toEqual([]);
			expectUntouched(place);
		});

		it("implantisomd5 that spoils the ISO as far as it can reach is noticed", async () => {
			const place = makePlace("implantisomd5", "TOOL_END_SUCCESS", uid);
			const { status, code } = await build(place, uid);
			expect([status, code]).toEqual([7, "TOOL_DAMAGED_ISO"]);
			expect(readdirSync(place.out)).toEqual([]);
			expectUntouched(place);
		});

		it("grub-mkimage that never ends is stopped", { timeout: 300_000 }, async () => {
			const place = makePlace("grub-mkimage", "TOOL_END_NEVER", uid);
			const report = join(place.out, "report.json");
			const { status, seconds } = await build(place, uid, "--report", report);
			expect(status).toBe(0);
			expect(seconds).toBeGreaterThan(50);
			expect(readFileSync(report, "utf8")).toMatch(/TOOL_TIMED_OUT|killed by/);
			expectUntouched(place);
		});
	});

	it("does find ways out where nothing confines it: the control", async () => {
		const place = makePlace("implantisomd5", "TOOL_END_FAIL", 0);
		const out = execFileSync("sh", ["-c", `"${join(place.secret, "..", "tool")}" /dev/null 2>&1 || true`]).toString();
		expect(out).toMatch(/ways out:.*read-secret.*internet-socket.*processes/);
	});
});
