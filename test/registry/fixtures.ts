import { Oci2isoError } from "../../src/errors.ts";
import { digestOf } from "../../src/oci/digest.ts";
import { parseDockerReference } from "../../src/oci/docker-reference.ts";
import type { BlobContent } from "../../src/oci/registry/blob-upload.ts";
import { openPushTarget, type PushOptions, type PushTarget } from "../../src/oci/registry/push-target.ts";
import { drawFault, seeded } from "../support/fault-schedules.ts";
import type { FaultyProxy } from "../support/faulty-proxy.ts";

export const PASSWORD = "correct horse";
export const CREDS = `alice:${PASSWORD}`;
/** bcrypt of it, four rounds. */
export const HTPASSWD = "alice:$2b$04$miZGh/h14Iv3ZD3Ttns6zebTw5WSWUdkhWydz/JQT39b2p7KbuzMq\n";

/** Tries again at once. */
export const HASTY = { attempts: 6, backoffMilliseconds: 1, maxBackoffMilliseconds: 4 };
/** And does not wait for what a fault has stopped, but long enough for a busy machine. */
export const IMPATIENT = { ...HASTY, responseMilliseconds: 400, stallMilliseconds: 400 };

/** Opens what is described, lets `use` have it, and closes it. */
export async function withOpen<Opened extends { close(): Promise<unknown> }, Result>(
	opening: Promise<Opened>,
	use: (opened: Opened) => Promise<Result> | Result,
): Promise<Result> {
	const opened = await opening;
	try {
		return await use(opened);
	} finally {
		await opened.close();
	}
}

export function openTarget(text: string, options: PushOptions): Promise<PushTarget> {
	return openPushTarget(parseDockerReference(text), text, options);
}

export function blobOf(bytes: Uint8Array): BlobContent {
	return {
		digest: digestOf(bytes),
		size: bytes.byteLength,
		async *read(from, to) {
			for (let at = from; at < to; at += 65_536) yield bytes.subarray(at, Math.min(to, at + 65_536));
		},
	};
}

/** The code of the `Oci2isoError` that it ends with; none when it succeeds. No message may have `secret`. */
export async function codeOf(work: () => Promise<unknown>, secret?: string): Promise<string> {
	try {
		await work();
		return "";
	} catch (error) {
		if (!(error instanceof Oci2isoError)) throw error;
		if (secret !== undefined && error.message.includes(secret)) throw new Error("a message has a secret in it");
		return error.code;
	}
}

/** Runs `round` behind faults that are drawn at these rates in turn, for requests that `hurts` picks; how often it had which outcome. */
export async function faultCampaign(
	proxy: FaultyProxy,
	rounds: number,
	round: (seed: number) => Promise<string>,
	{ rates = [0.1, 0.3, 0.6], hurts = (_path: string): boolean => true, firstSeed = 0 } = {},
): Promise<Map<string, number>> {
	const outcomes = new Map<string, number>();
	for (let seed = 0; seed < rounds; seed++) {
		const random = seeded(firstSeed + seed);
		const rate = rates[seed % rates.length] ?? 0;
		proxy.use((path) => (hurts(path) && random() < rate ? drawFault(random) : { kind: "none" }));
		try {
			const outcome = await round(seed);
			outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
		} catch (error) {
			throw new Error(`schedule ${seed}:\n${proxy.history.join("\n")}\n${String(error)}`, { cause: error });
		}
	}
	process.stderr.write(`outcomes of ${rounds} schedules: ${JSON.stringify(Object.fromEntries(outcomes))}\n`);
	return outcomes;
}
