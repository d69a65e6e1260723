import { mkdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { makeSquashfs, unpackLayout } from "../../test/support/reference-pipeline.ts";
import { run } from "../../test/support/run.ts";
import { addLayer } from "../changed-image.ts";
import { copyLayout } from "../layout-copy.ts";
import { flushDisk, missingCommands } from "../machine.ts";
import { type ProcessCost, processCost } from "../measure/threads.ts";

const MAIN = join(import.meta.dirname, "../../dist/cli/main.js");
/** Of the payload's layers. */
const LIVE_SHARE = 0.05;
const PEER_NEEDS = ["root", "skopeo", "umoci", "mksquashfs"];

/** An image with a layer more than its payload: its ISO without the payload, with it in container storage, and what other tools take for both file systems. */
export interface PayloadResults {
	readonly image: string;
	readonly alone: readonly ProcessCost[];
	readonly withPayload: readonly ProcessCost[];
	/** Wall time; undefined where the tools are not here. */
	readonly peerSeconds: readonly number[] | undefined;
	readonly bytes: { readonly alone: number; readonly withPayload: number; readonly peer: number | undefined };
}

interface PayloadInputs {
	readonly name: string;
	/** With the tag `latest` and gzip layers. */
	readonly layout: string;
	readonly layerBytes: number;
	readonly trials: number;
}

/** The payload is the image less its last layer, which in our fixtures has what no container storage takes: a hard link to a file of another layer. Rejects with an `Error` where a program fails. */
export async function measurePayload(
	{ name, layout, layerBytes, trials }: PayloadInputs,
	work: string,
): Promise<PayloadResults> {
	const [payload, live] = [join(work, "payload"), join(work, "live")];
	mkdirSync(work, { recursive: true });
	const base = copyLayout(layout, payload);
	base.dropTopLayer();
	base.save();
	await addLayer(payload, live, LIVE_SHARE * layerBytes, "live");
	const hasPeers = missingCommands(PEER_NEEDS).length === 0;
	const [alone, withPayload, peerSeconds]: [ProcessCost[], ProcessCost[], number[]] = [[], [], []];
	const [iso, isoWith, squashfs] = [join(work, "alone.iso"), join(work, "with.iso"), join(work, "peer.squashfs")];
	const build = (output: string, ...more: string[]): Promise<ProcessCost> => {
		flushDisk();
		const how = ["--no-cache", "--overwrite", "--progress", "none", "--force"];
		return processCost(process.execPath, [MAIN, "build", `oci:${live}:latest`, "-o", output, ...how, ...more]);
	};
	const steps = [
		async () => void alone.push(await build(iso)),
		async () => void withPayload.push(await build(isoWith, "--payload", `oci:${payload}:latest`)),
		async () => {
			if (hasPeers) peerSeconds.push(await peer({ live, payload, squashfs }, join(work, "peer")));
		},
	];
	for (let round = 0; round < trials; round++) {
		for (const step of round % 2 === 0 ? steps : steps.toReversed()) await step();
		process.stderr.write(`bench: ${name}: payload: round ${round + 1} of ${trials}\n`);
	}
	const sizeOf = (file: string): number => statSync(file).size;
	return {
		image: name,
		alone,
		withPayload,
		peerSeconds: hasPeers ? peerSeconds : undefined,
		bytes: { alone: sizeOf(iso), withPayload: sizeOf(isoWith), peer: hasPeers ? sizeOf(squashfs) : undefined },
	};
}

/** Seconds from the layouts to a squashfs with the unpacked image and, in its container storage, the payload. */
async function peer(
	{ live, payload, squashfs }: { readonly live: string; readonly payload: string; readonly squashfs: string },
	work: string,
): Promise<number> {
	flushDisk();
	const started = performance.now();
	const rootfs = await unpackLayout(live, work);
	const graph = join(rootfs, "var/lib/containers/storage");
	mkdirSync(graph, { recursive: true });
	const store = `containers-storage:[overlay@${graph}+${join(work, "run")}:overlay.skip_mount_home=true]`;
	await run("skopeo", ["copy", "--quiet", `oci:${payload}:latest`, `${store}localhost/payload:latest`]);
	rmSync(squashfs, { force: true });
	await makeSquashfs(rootfs, squashfs, { compression: "zstd", level: 15 });
	const seconds = (performance.now() - started) / 1000;
	rmSync(work, { recursive: true, force: true });
	return seconds;
}
