import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import {
	chmodSync,
	chownSync,
	copyFileSync,
	existsSync,
	mkdirSync,
	mkdtempSync,
	readFileSync,
	rmSync,
	symlinkSync,
	writeFileSync,
} from "node:fs";
import { hostname, release, tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { requires } from "../support/requires.ts";
import { compileLauncher } from "../support/small-root.ts";

const missing = requires("root", "cc", "setpriv", "unshare");

type Mode = "namespaces" | "landlock" | "limits";
const USERS = [
	{ user: "root", uid: 0 },
	{ user: "an ordinary user", uid: 65534 },
] as const;

interface Run {
	/** The launcher's own report of how it ended, without the line's end. */
	readonly outcome: string;
	readonly stdout: string;
	readonly milliseconds: number;
}

const limits = { wall: 20, cpu: 20, memory: 256 << 20, file: 64 << 10 };
let base = "";
let launcher = "";
let probe = "";

beforeAll(() => {
	if (missing !== undefined) return;
	base = mkdtempSync(join(tmpdir(), "oci2iso-confine-"));
	chmodSync(base, 0o755);
	launcher = compileLauncher(base);
	probe = join(base, "probe");
	const source = fileURLToPath(new URL("./confine-probe.c", import.meta.url));
	execFileSync("cc", ["-std=gnu11", "-O1", "-static", "-o", probe, source]);
});

afterAll(() => {
	if (base !== "") rmSync(base, { recursive: true, force: true });
});

/** What one run has to work with: its root, and things of its own user outside that it must not get at. */
interface Place {
	readonly uid: number;
	readonly root: string;
	readonly output: string;
	readonly secret: string;
	/** A symbolic link. */
	readonly link: string;
	readonly outside: string;
}

function makePlace(uid: number): Place {
	const outside = mkdtempSync(join(base, "place-"));
	const root = join(outside, "root");
	mkdirSync(root);
	copyFileSync(probe, join(root, "probe"));
	const output = join(root, "output");
	const secret = join(outside, "secret");
	const link = join(outside, "link");
	symlinkSync("somewhere", link);
	for (const path of [output, join(root, "data"), secret]) writeFileSync(path, Buffer.alloc(256 << 10, "s"));
	for (const path of [outside, root, join(root, "probe"), output, join(root, "data"), secret])
		chownSync(path, uid, uid);
	return { uid, root, output, secret, link, outside };
}

function start(
	place: Place,
	mode: Mode,
	attempt: readonly string[],
	extra: readonly string[],
	changes = {},
): ChildProcess {
	const limit = { ...limits, ...changes };
	const command = [
		...(place.uid === 0 ? [] : ["setpriv", `--reuid=${place.uid}`, `--regid=${place.uid}`, "--clear-groups"]),
		launcher,
		`--mode=${mode}`,
		`--root=${place.root}`,
		`--directory=${place.root}`,
		`--wall-seconds=${limit.wall}`,
		`--cpu-seconds=${limit.cpu}`,
		`--address-space-bytes=${limit.memory}`,
		`--file-bytes=${limit.file}`,
		"--writable",
		"output",
		place.output,
		...extra,
		"--",
		"./probe",
		...attempt,
	];
	const [program = "", ...args] = command;
	const environment = { PATH: process.env["PATH"], SECRET: "x" };
	return spawn(program, args, { stdio: ["ignore", "pipe", "inherit", "pipe", "pipe"], env: environment });
}

function run(
	place: Place,
	mode: Mode,
	attempt: readonly string[],
	extra: readonly string[] = [],
	changes = {},
): Promise<Run> {
	const begin = performance.now();
	const child = start(place, mode, attempt, extra, changes);
	const text = { stdout: "", outcome: "" };
	child.stdout?.on("data", (chunk) => {
		text.stdout = (text.stdout + chunk).slice(-10_000);
	});
	(child.stdio[3] as Readable).on("data", (chunk) => {
		text.outcome += chunk;
	});
	return new Promise((resolve) => {
		child.once("close", () =>
			resolve({ outcome: text.outcome.trimEnd(), stdout: text.stdout, milliseconds: performance.now() - begin }),
		);
	});
}

/** Attempts that succeed without confinement, for the same user: `limits` mode is the control. */
const ATTEMPTS: readonly { name: string; attempt: (place: Place, victim: number) => readonly string[] }[] = [
	{ name: "read a host file", attempt: () => ["read", "/etc/passwd"] },
	{ name: "read a file of its own user outside", attempt: ({ secret }) => ["read", secret] },
	{ name: "read one through ..", attempt: () => ["read", "../secret"] },
	{ name: "list a host directory", attempt: () => ["list", "/etc"] },
	{ name: "execute a host program", attempt: () => ["execute", "/bin/true"] },
	{ name: "open one without reading or writing", attempt: ({ secret }) => ["odd-open", secret] },
	{ name: "create a file outside", attempt: ({ outside }) => ["create", join(outside, "new")] },
	{ name: "create a file in the root", attempt: () => ["create", "./new"] },
	{ name: "link in the root", attempt: () => ["link", "./link"] },
	{ name: "overwrite a file outside", attempt: ({ secret }) => ["overwrite", secret] },
	{ name: "overwrite a file in the root", attempt: () => ["overwrite", "./data"] },
	{ name: "truncate a file outside", attempt: ({ secret }) => ["truncate", secret] },
	{ name: "change the mode of a file outside", attempt: ({ secret }) => ["chmod", secret] },
	{ name: "remove a file outside", attempt: ({ secret }) => ["unlink", secret] },
	{ name: "remove a file in the root", attempt: () => ["unlink", "./data"] },
	{ name: "open an internet socket", attempt: () => ["socket-inet"] },
	{ name: "open a unix socket", attempt: () => ["socket-unix"] },
	{ name: "open a netlink socket", attempt: () => ["socket-netlink"] },
	{ name: "fork", attempt: () => ["fork"] },
	{ name: "trace", attempt: () => ["ptrace"] },
	{ name: "make a user namespace", attempt: () => ["unshare"] },
	{ name: "mount", attempt: () => ["mount"] },
	{ name: "signal its parent", attempt: () => ["signal-parent"] },
	{ name: "signal a host process", attempt: (_, victim) => ["signal", String(victim)] },
	{ name: "signal every process", attempt: () => ["signal-all"] },
	{ name: "see a host process", attempt: (_, victim) => ["read", `/proc/${victim}/status`] },
	{ name: "see what a host file is", attempt: () => ["stat", "/etc/passwd"] },
	{ name: "see what a file of its own user is", attempt: ({ secret }) => ["stat", secret] },
	{ name: "see that through ..", attempt: () => ["stat", "../secret"] },
	{ name: "see that through .. in the middle", attempt: ({ root }) => ["stat", `${root}/../secret`] },
	{ name: "see that from a directory", attempt: () => ["from-directory", "../secret"] },
	{ name: "see that a process exists, and whose", attempt: (_, victim) => ["stat", `/proc/${victim}`] },
	{ name: "see itself in /proc", attempt: () => ["stat", "/proc/self/exe"] },
	{ name: "see whether a file is there by access()", attempt: ({ secret }) => ["access", secret] },
	{ name: "see whether a file is there by the error it gets", attempt: ({ secret }) => ["present", secret] },
	{ name: "read a link's target", attempt: ({ link }) => ["read-link", link] },
	{ name: "read a link of a process", attempt: () => ["read-link", "/proc/self/cwd"] },
	{ name: "see a file system's size", attempt: ({ secret }) => ["statfs", secret] },
	{ name: "hold a file without opening it", attempt: ({ secret }) => ["open-path", secret] },
	{ name: "see its parent's number", attempt: () => ["parent"] },
	{ name: "use calls that no file tool needs", attempt: () => ["odd-calls"] },
	{ name: "write past the size limit through memory", attempt: () => ["shared-write", "./output", "131072"] },
];

describe.skipIf(missing !== undefined)("the launcher", () => {
	describe.each(USERS)("as $user", ({ uid }) => {
		let victim: ChildProcess;
		beforeAll(() => {
			victim = spawn("sleep", ["600"], { stdio: "ignore", uid });
		});
		afterAll(() => {
			victim.kill("SIGKILL");
		});

		it.each(ATTEMPTS)("without confinement, a program can: $name", async ({ attempt }) => {
			const place = makePlace(uid);
			expect((await run(place, "limits", attempt(place, victim.pid ?? 0))).outcome).toBe("exited 0");
		});

		describe.each(["namespaces", "landlock"] as const)("with %s", (mode) => {
			it.each(ATTEMPTS)("a program cannot: $name", async ({ attempt }) => {
				const place = makePlace(uid);
				const { outcome, stdout } = await run(place, mode, attempt(place, victim.pid ?? 0));
				expect(`${outcome} ${stdout}`).toMatch(/^exited 1 /);
				expect(readFileSync(place.secret).equals(Buffer.alloc(256 << 10, "s"))).toBe(true);
			});

			it("the program reads its root and writes its output", async () => {
				const place = makePlace(uid);
				expect((await run(place, mode, ["read", "./data"])).outcome).toBe("exited 0");
				expect((await run(place, mode, ["write", "./output"])).outcome).toBe("exited 0");
				expect(readFileSync(place.output, "utf8")).toBe("made");
			});

			it("the program sees what is in its root, however it names it", async () => {
				const place = makePlace(uid);
				const absolute = mode === "namespaces" ? "/data" : join(place.root, "data");
				for (const attempt of ["stat", "access", "open-path", "page-end"])
					for (const path of ["./data", "data", ".//./data", absolute])
						expect([attempt, path, (await run(place, mode, [attempt, path])).outcome]).toEqual([
							attempt,
							path,
							"exited 0",
						]);
				for (const path of ["none", `${place.root}x/data`, "/", "..", "data/../data", ""])
					expect([path, (await run(place, mode, ["read", path])).outcome]).toEqual([
						path,
						mode === "namespaces" && ["/", "..", "data/../data"].includes(path) ? expect.any(String) : "exited 1",
					]);
				expect((await run(place, mode, ["from-directory", "data"])).outcome).toBe("exited 0");
			});

			it("a program that asks without end is stopped in time", async () => {
				const { outcome, milliseconds } = await run(makePlace(uid), mode, ["ask", "/etc"], [], { wall: 2 });
				expect(outcome).toBe("timed-out");
				expect(milliseconds).toBeLessThan(15_000);
			});

			it("these facts of the host are within reach, and are no secrets", async () => {
				const { stdout } = await run(makePlace(uid), mode, ["facts"]);
				const [, host, kernel, process] = /^host (\S+) kernel (\S+) process (\d+)\n$/.exec(stdout) ?? [];
				expect(kernel).toBe(release());
				expect(host).toBe(mode === "namespaces" ? "localhost" : hostname());
				if (mode === "namespaces") expect(Number(process)).toBe(2);
			});

			it("an output may be emptied only where that is allowed", async () => {
				const place = makePlace(uid);
				expect((await run(place, mode, ["empty", "./output"], ["--no-truncate"])).outcome).toBe("exited 1");
				expect(readFileSync(place.output).byteLength).toBe(256 << 10);
				expect((await run(place, mode, ["empty", "./output"])).outcome).toBe("exited 0");
				expect(readFileSync(place.output).byteLength).toBe(0);
			});

			it("nothing is written beyond the file size limit", async () => {
				const place = makePlace(uid);
				const beyond = ["write-at", "./output", "65536"];
				expect((await run(place, mode, beyond)).outcome).toMatch(/^(killed 25|exited 1)$/);
				expect((await run(place, mode, beyond, [], { file: 128 << 10 })).outcome).toBe("exited 0");
			});

			it("memory is limited", async () => {
				const place = makePlace(uid);
				expect((await run(place, mode, ["memory"])).outcome).toBe("exited 1");
				expect((await run(place, mode, ["memory"], [], { memory: 2 ** 33 })).outcome).toBe("exited 0");
			});

			it("processor time is limited", async () => {
				const { outcome, milliseconds } = await run(makePlace(uid), mode, ["spin"], [], { cpu: 1 });
				expect(outcome).toMatch(/^killed (9|24)$/);
				expect(milliseconds).toBeLessThan(15_000);
			});

			it.each(["sleep", "flood"])("the time limit ends a program that will not: %s", async (attempt) => {
				const { outcome, milliseconds } = await run(makePlace(uid), mode, [attempt], [], { wall: 2 });
				expect(outcome).toBe("timed-out");
				expect(milliseconds).toBeLessThan(15_000);
			});

			it("a crash of the program is reported as one", async () => {
				expect((await run(makePlace(uid), mode, ["abort"])).outcome).toMatch(/^killed (4|6|11)$/);
			});

			it.skipIf(process.arch !== "x64")("calls of other architectures kill the program", async () => {
				// a machine that knows no 32-bit calls kills the program itself, confined or not
				const control = (await run(makePlace(uid), "limits", ["foreign-call"])).outcome;
				const expected = control === "killed 11" ? "killed 11" : "killed 31";
				expect((await run(makePlace(uid), mode, ["foreign-call"])).outcome).toBe(expected);
				expect((await run(makePlace(uid), mode, ["x32-call"])).outcome).toBe("killed 31");
			});

			it("a program that does not exist is not a failure to confine", async () => {
				const place = makePlace(uid);
				rmSync(join(place.root, "probe"));
				expect((await run(place, mode, ["read", "./data"])).outcome).toMatch(/^cannot-execute \.\/probe: /);
			});
		});

		it.each(["namespaces", "landlock", "limits"] as const)("%s: nothing is inherited", async (mode) => {
			const place = makePlace(uid);
			for (const attempt of ["descriptors", "environment", "capabilities"])
				expect([attempt, (await run(place, mode, [attempt])).outcome]).toEqual([attempt, "exited 1"]);
		});

		it.each(["namespaces", "landlock", "limits"] as const)("%s: the program ends with the launcher", async (mode) => {
			const place = makePlace(uid);
			const child = start(place, mode, ["sleep", place.outside], []);
			await new Promise((resolve) => child.stdout?.once("data", resolve));
			expect(processesNaming(place.outside)).not.toEqual([]);
			// setpriv has become the launcher, so this is the launcher's pid for both users.
			child.kill("SIGKILL");
			// The program holds the other end of its output until it is gone.
			await new Promise((resolve) => child.once("close", resolve));
			expect(processesNaming(place.outside)).toEqual([]);
		});
	});

	it.each(["namespaces", "landlock", "limits"] as const)(
		"%s: root's programs run as the output's owner",
		async (mode) => {
			const place = { ...makePlace(1234), uid: 0 };
			expect((await run(place, mode, ["identity"])).stdout).toBe("uid 1234 gid 1234\n");
		},
	);

	it("says that it cannot confine where namespaces are forbidden, and runs nothing", () => {
		const place = makePlace(0);
		const script = 'echo 0 > /proc/sys/user/max_user_namespaces && exec "$@" 3>&1';
		const command = [
			launcher,
			"--mode=namespaces",
			`--root=${place.root}`,
			`--directory=${place.root}`,
			...["--wall-seconds=9", "--cpu-seconds=9", "--address-space-bytes=99999999", "--file-bytes=9999"],
			"--",
			"./probe",
			"write",
			"./output",
		];
		const result = execFileSync("sh", ["-c", 'unshare -Ur sh -c "$0" sh "$@" || true', script, ...command]);
		expect(result.toString()).toMatch(/^cannot-confine namespaces are not allowed here: /);
		expect(readFileSync(place.output, "utf8")[0]).toBe("s");
	});
});

/** Ids of the processes with `text` in their command line. */
function processesNaming(text: string): readonly string[] {
	return execFileSync("sh", ["-c", "ls /proc"])
		.toString()
		.split("\n")
		.filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
		.filter((pid) => existsSync(`/proc/${pid}/cmdline`) && commandLine(pid).includes(text));
}

function commandLine(pid: string): string {
	try {
		return readFileSync(`/proc/${pid}/cmdline`, "latin1");
	} catch {
		return "";
	}
}
