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

const missing = requires("root", "cc", "prlimit") ?? (existsSync(HOST_GRUB) ? undefined : `needs ${HOST_GRUB}`);

const USERS = [
	{ user: "root", uid: 0 },
	{ user: "an ordinary user", uid: 65534 },
] as const;
const TOOLS = ["implantisomd5", "grub-mkimage"] as const;

/** Writes 8 KiB of zeros where `--output` says. */
const HARMLESS_MKIMAGE = `
#include <stdio.h>
#include <string.h>
int main(int count, char **arguments) {
	for (int i = 1; i + 1 < count; i++) {
		if (strcmp(arguments[i], "--output") != 0) continue;
		FILE *file = fopen(arguments[i + 1], "w");
		for (int left = 8192; file != NULL && left > 0; left--) fputc(0, file);
		return file == NULL || fclose(file) != 0;
	}
	return 1;
}`;

let base = "";
beforeAll(() => {
	if (missing !== undefined) return;
	base = mkdtempSync(join(tmpdir(), "oci2iso-hostile-tools-"));
	chmodSync(base, 0o755);
	for (const { uid } of USERS) {
		mkdirSync(userDirectory(uid));
		writeFileSync(secretOf(uid), "secret");
		for (const path of [userDirectory(uid), secretOf(uid)]) chownSync(path, uid, uid);
	}
});
afterAll(() => {
	if (base !== "") rmSync(base, { recursive: true, force: true });
});

const userDirectory = (uid: number): string => join(base, `user-${uid}`);
const secretOf = (uid: number): string => join(userDirectory(uid), "secret");

const SOURCE = readFileSync(join(import.meta.dirname, "hostile-tool.c"));
/** Programs by name, compiled once. */
const compiled = new Set<string>();

function compile(name: string, input: string | Buffer, ...options: string[]): string {
	const program = join(base, name);
	if (!compiled.has(name))
		execFileSync("cc", ["-std=gnu11", "-O1", "-static", ...options, "-o", program, "-x", "c", "-"], { input });
	compiled.add(name);
	return program;
}

interface Place {
	readonly image: string;
	readonly out: string;
	readonly secret: string;
	readonly home: string;
}

/** An image whose tool means harm, and a user's directory with something to steal beside the output. */
function makePlace(tool: string, ending: string, uid: number): Place {
	const place = mkdtempSync(join(base, "place-"));
	const secret = secretOf(uid);
	const program = compile(`${ending}-${uid}`, SOURCE, `-DSECRET="${secret}"`, `-D${ending}`);
	const members = [{ path: `usr/bin/${tool}`, content: readFileSync(program), mode: 0o4755 }];
	if (tool !== "grub-mkimage") {
		// comes first: without one a build that may use nothing else would never reach the other tool
		const harmless = compile("mkimage", HARMLESS_MKIMAGE);
		members.push({ path: "usr/bin/grub-mkimage", content: readFileSync(harmless), mode: 0o755 });
	}
	const layers = [...contractLayers(), tarArchive(members)];
	const { reference } = writeOciLayout(join(place, "image"), {
		layers: layers.map((tar) => ({ tar, compression: "none" as const })),
	});
	const [out, home] = [join(place, "out"), join(place, "home")];
	for (const directory of [out, home]) mkdirSync(directory);
	for (const path of [place, out, home]) chownSync(path, uid, uid);
	return { image: reference, out, secret, home };
}

function build({ image, out, home }: Place, uid: number, args: readonly string[], processCpuSeconds?: number) {
	const env = { HOME: home, TMPDIR: home, XDG_CACHE_HOME: join(home, "cache"), SECRET_TOKEN: "x" };
	return hostileRun(["build", image, "-o", join(out, "x.iso"), "--comp", "none", "--force", ...args], {
		uid: uid === 0 ? undefined : uid,
		env,
		processCpuSeconds,
	});
}

function expectUntouched({ secret, home }: Place): void {
	expect(readFileSync(secret, "utf8")).toBe("secret");
	expect(existsSync(`${secret}.new`)).toBe(false);
	// tsx keeps what it compiled; nothing of the run's own is left.
	expect(readdirSync(home).filter((name) => !/^(tsx-|node-compile-cache|cache)/.test(name))).toEqual([]);
}

describe.skipIf(missing !== undefined).concurrent("an image's tool that means harm", () => {
	describe.each(USERS)("run by $user", ({ uid }) => {
		it.each(TOOLS)("%s that is asked for finds no way out, ends the build with 7 and leaves nothing", async (tool) => {
			const place = makePlace(tool, "TOOL_END_FAIL", uid);
			const { status, code, stderr } = await build(place, uid, ["--tools", "buildroot"]);
			expect([status, code]).toEqual([7, "TOOL_FAILED"]);
			expect(stderr).toContain("ways out: none.");
			expect(readdirSync(place.out)).toEqual([]);
			expectUntouched(place);
		});

		it.each(TOOLS)("%s is not run where nobody asks for it", async (tool) => {
			const place = makePlace(tool, "TOOL_END_FAIL", uid);
			const report = join(place.out, "report.json");
			const { status } = await build(place, uid, ["--report", report]);
			expect(status).toBe(0);
			const { tools } = JSON.parse(readFileSync(report, "utf8")) as { tools: { used: string }[] };
			expect(tools.map(({ used }) => used)).toEqual(["builtin", "builtin"]);
			expectUntouched(place);
		});

		it("implantisomd5 that spoils the ISO as far as it can reach is noticed", async () => {
			const place = makePlace("implantisomd5", "TOOL_END_SUCCESS", uid);
			const { status, code } = await build(place, uid, ["--tools", "buildroot"]);
			expect([status, code]).toEqual([7, "TOOL_DAMAGED_ISO"]);
			expect(readdirSync(place.out)).toEqual([]);
			expectUntouched(place);
		});

		it("grub-mkimage that never ends is stopped", async () => {
			const place = makePlace("grub-mkimage", "TOOL_END_NEVER", uid);
			// The build asks for a minute; a tool gets no more than the build itself has.
			const { status, stderr } = await build(place, uid, ["--tools", "buildroot"], 6);
			expect(status).toBe(7);
			expect(stderr).toMatch(/TOOL_TIMED_OUT|killed by/);
			expect(readdirSync(place.out)).toEqual([]);
			expectUntouched(place);
		});
	});

	it("does find ways out where nothing confines it: the control", () => {
		const secret = join(base, "control-secret");
		writeFileSync(secret, "secret");
		const program = compile("control", SOURCE, `-DSECRET="${secret}"`, "-DTOOL_END_FAIL");
		const out = execFileSync("sh", ["-c", `"${program}" /dev/null 2>&1 || true`]).toString();
		expect(out).toMatch(/ways out:.*read-secret.*internet-socket.*processes/);
	});
});
