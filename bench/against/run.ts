import { cpSync, existsSync, mkdirSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { withExtraLayer } from "../../test/support/large-layout.ts";
import { tarMember } from "../../test/support/tar-fixtures.ts";
import { addLayer } from "../changed-image.ts";
import { flushDisk } from "../machine.ts";
import { type ProcessCost, processCost } from "../measure/threads.ts";
import { ZSTD_3_ARGUMENTS } from "../settings.ts";

/** Of the image's layers. */
const CHANGED_SHARE = 0.01;
const MANY_INODES = 1_000_000;
const MEMBERS_AT_A_TIME = 1000;
const WAYS = {
	"zstd 3": ZSTD_3_ARGUMENTS,
	lz4: ["--comp", "lz4", "--block-size", "128K"],
	none: ["--comp", "none", "--block-size", "128K"],
	"the default": [],
} as const;

/** One thing that both builds of oci2iso did, in turns. */
export interface AgainstRow {
	readonly what: string;
	readonly ours: readonly ProcessCost[];
	readonly theirs: readonly ProcessCost[];
}

export interface AgainstResults {
	readonly image: string;
	/** Of the other build. */
	readonly build: string;
	readonly rows: readonly AgainstRow[];
}

interface AgainstInputs {
	readonly name: string;
	/** With the tag `latest`. */
	readonly layout: string;
	readonly layerBytes: number;
	/** The other checkout. */
	readonly build: string;
	readonly trials: number;
}

interface Side {
	readonly name: "ours" | "theirs";
	readonly main: string;
	readonly directory: string;
}

/**
 * This checkout's build and another one's, of the checkout in `build`, each with its own caches and ISOs. In turns, in the opposite order every other
 * round. Rejects with an `Error` where one fails.
 */
export async function measureAgainst(
	{ name, layout, layerBytes, build, trials }: AgainstInputs,
	work: string,
): Promise<AgainstResults> {
	const sides = (["ours", "theirs"] as const).map((side): Side => {
		const root = side === "ours" ? join(import.meta.dirname, "../..") : resolve(build);
		const main = join(root, "dist/cli/main.js");
		if (!existsSync(main)) throw new Error(`${main} is missing: build that checkout, its addon too`);
		return { name: side, main, directory: join(work, side) };
	});
	const [first, second, many] = [join(work, "first"), join(work, "second"), join(work, "many")];
	mkdirSync(work, { recursive: true });
	await addLayer(layout, first, CHANGED_SHARE * layerBytes, "first");
	await addLayer(layout, second, CHANGED_SHARE * layerBytes, "second");
	await withExtraLayer(layout, many, manyFiles);
	const rows = new Map<string, { ours: ProcessCost[]; theirs: ProcessCost[] }>();
	const run = async ({ main, name: side }: Side, what: string, ...args: string[]): Promise<void> => {
		flushDisk();
		const cost = await processCost(process.execPath, [main, ...args]);
		const row = rows.get(what) ?? { ours: [], theirs: [] };
		rows.set(what, row);
		row[side].push(cost);
		process.stderr.write(`bench: ${side}: ${what}: ${cost.wallSeconds.toFixed(2)} s\n`);
	};
	for (let round = 0; round < trials; round++) {
		for (const side of round % 2 === 0 ? sides : sides.toReversed()) {
			const { directory } = side;
			const [cache, used, iso] = [join(directory, "cache"), join(directory, "used"), join(directory, "image.iso")];
			const make = (what: string, image: string, ...options: string[]) =>
				run(
					side,
					what,
					"build",
					`oci:${image}:latest`,
					...["-o", iso, "--overwrite", "--progress", "none"],
					...options,
				);
			mkdirSync(directory, { recursive: true });
			for (const [way, options] of Object.entries(WAYS)) await make(`build, ${way}`, layout, "--no-cache", ...options);
			await run(side, "verify ISO", "verify", iso);
			await run(side, "verify ISO --image", "verify", iso, "--image", `oci:${layout}:latest`);
			await run(side, "inspect", "inspect", `oci:${layout}:latest`);
			await run(side, "--version", "--version");
			if (round === 0) await make("filling a cache", first, "--cache", cache);
			await make("rebuild, nothing changed", first, "--cache", cache);
			cpSync(cache, used, { recursive: true });
			await make("rebuild, 1 % on top", second, "--cache", used);
			rmSync(used, { recursive: true });
			if (round === 0) await make(`build, zstd 3, ${MANY_INODES} inodes more`, many, "--no-cache", ...WAYS["zstd 3"]);
		}
	}
	return { image: name, build, rows: [...rows].map(([what, costs]) => ({ what, ...costs })) };
}

async function manyFiles(append: (bytes: Uint8Array) => Promise<void>): Promise<void> {
	for (let first = 0; first < MANY_INODES; first += MEMBERS_AT_A_TIME) {
		const members = Array.from({ length: MEMBERS_AT_A_TIME }, (_, i) =>
			tarMember({ path: `srv/many/${first / MEMBERS_AT_A_TIME}/file-${first + i}` }),
		);
		await append(Buffer.concat(members));
	}
	await append(Buffer.alloc(1024));
}
