import { spawn } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { whileUnwritten } from "../../src/oci/storage/store-lock.ts";
import { requires } from "../support/requires.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { addonMissing } from "./addon-required.ts";

/** Another process that has podman's lock for writing until its input ends; `done` is there from just before then on. */
const HOLDER = `
import fcntl, sys
file = open(sys.argv[1], "r+")
fcntl.lockf(file, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
open(sys.argv[2], "w").close()
`;

describe.skipIf(addonMissing || requires("python3"))("a store that is being written", () => {
	const held = async (lock: string, done: string) => {
		writeFileSync(lock, "");
		const holder = spawn("python3", ["-c", HOLDER, lock, done], { stdio: ["pipe", "pipe", "inherit"] });
		await new Promise((resolve) => holder.stdout.once("data", resolve));
		return holder;
	};

	it("is read when it was written, and waited for no longer than the user wants", async () => {
		const [lock, done] = ["lock", "done"].map((name) => join(temporaryDirectory("lock"), name)) as [string, string];
		const holder = await held(lock, done);
		const stopped = new AbortController();
		const waiting = whileUnwritten(lock, () => Promise.reject(new Error("read")), stopped.signal);
		stopped.abort();
		await expect(waiting).rejects.toMatchObject({ code: "INTERRUPTED" });
		const reading = whileUnwritten(lock, async () => existsSync(done));
		holder.stdin.end();
		expect(await reading).toBe(true);
	});

	it("is read while others read it, and where there is no lock", async () => {
		const lock = join(temporaryDirectory("lock"), "lock");
		expect(await whileUnwritten(lock, async () => existsSync(lock))).toBe(false);
		writeFileSync(lock, "");
		expect(await whileUnwritten(lock, () => whileUnwritten(lock, async () => "both"))).toBe("both");
	});
});
