import { mkdir, readFile, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { imageKey, KEY_ANNOTATION, makeDebianImage } from "../../fixtures/debian/image.ts";

const FIXTURES = join(import.meta.dirname, "..", "..", "fixtures");
const CACHE = join(FIXTURES, "cache");
const LOCK_STALE_MS = 15 * 60_000;

/** What `debianFixture` needs on the machine, as `requires` takes it. */
export const FIXTURE_NEEDS = ["apt-get", "dpkg-deb", "unshare"] as const;

/**
 * The real contract image as an OCI layout directory with the tag `latest`. Made on first use in fixtures/out and kept
 * for as long as what it is made from stays the same; concurrent callers wait for one maker.
 */
export async function debianFixture(profile = "debian"): Promise<string> {
	const out = join(FIXTURES, "out", profile);
	await mkdir(join(FIXTURES, "out"), { recursive: true });
	return withLock(`${out}.lock`, async () => {
		if (!(await isCurrent(out, profile))) {
			await makeDebianImage({
				out,
				profile,
				cacheDir: CACHE,
				log: (line) => process.stderr.write(`fixture: ${line}\n`),
			});
		}
		return out;
	});
}

/** The newest suite that can be had: unstable is another one every day, and there are days when its packages do not fit together. */
export async function newestProfile(): Promise<"sid" | "trixie"> {
	try {
		await debianFixture("sid");
		return "sid";
	} catch (error) {
		if (!(error instanceof Error && error.message.includes("apt-get"))) throw error;
		process.stderr.write(`SKIPPED: Debian sid, which apt-get cannot install today: ${error.message.slice(0, 300)}\n`);
		return "trixie";
	}
}

async function isCurrent(layoutDir: string, profile: string): Promise<boolean> {
	const text = await readFile(join(layoutDir, "index.json"), "utf8").catch(() => undefined);
	if (text === undefined) return false;
	const index = JSON.parse(text) as { annotations?: Record<string, string> };
	return index.annotations?.[KEY_ANNOTATION] === (await imageKey({ cacheDir: CACHE, profile }));
}

/** A directory is the lock: creating one is atomic everywhere. One left by a killed process goes stale. */
export async function withLock<T>(lock: string, action: () => Promise<T>): Promise<T> {
	for (;;) {
		const taken = await mkdir(lock).then(
			() => true,
			(error: NodeJS.ErrnoException) => {
				if (error.code !== "EEXIST") throw error;
				return false;
			},
		);
		if (taken) break;
		const age = await stat(lock).then(
			({ mtimeMs }) => Date.now() - mtimeMs,
			() => 0,
		);
		if (age > LOCK_STALE_MS) await rm(lock, { recursive: true, force: true });
		else await sleep(500);
	}
	try {
		return await action();
	} finally {
		await rm(lock, { recursive: true, force: true });
	}
}
