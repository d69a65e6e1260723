import { parseArgs } from "node:util";

export const PARTS = [
	"pipelines",
	"threads",
	"limit",
	"micro",
	"presets",
	"boot",
	"cache",
	"shared",
	"memory",
	"payload",
	"against",
] as const;
/** What measures contenders against each other. The others weigh what we offer, and must be asked for. */
export const DEFAULT_PARTS: readonly Part[] = ["pipelines", "threads", "limit", "micro"];
export type Part = (typeof PARTS)[number];

export interface Arguments {
	readonly help: boolean;
	/** Put the last results into docs/figures.md instead of measuring. */
	readonly readme: boolean;
	/** An image of the user's own, as skopeo names it. */
	readonly image: string | undefined;
	readonly large: boolean;
	readonly trials: number;
	readonly full: boolean;
	readonly parts: readonly Part[];
	/** Names of settings; undefined: what `full` says. */
	readonly settings: readonly string[] | undefined;
	readonly rootless: boolean;
	/** Another checkout that was built: what `against` compares with. */
	readonly build: string | undefined;
	readonly work: string | undefined;
	readonly out: string | undefined;
}

export const USAGE = `usage: npm run bench -- [option]...
  --image REF       measure with this image (skopeo's transports) instead of the Debian fixture
  --large           also measure with the fixture of over 1 GiB
  --trials N        how often each contender runs (default 5)
  --full            every setting: gzip and xz too, which take minutes
  --settings LIST   only these, separated by commas: "zstd 15", "zstd 3", lz4, gzip, xz
  --only LIST       only these parts: ${PARTS.join(", ")}
                    (levels against block sizes, booting, caches, memory, a payload and another build run only when they are named here)
  --build DIR       the other checkout, built, that the part "against" compares this one with
  --rootless        let the peers unpack as an ordinary user
  --work DIR        where trials put their files (default build/bench/work); emptied
  --out DIR         where results.md and results.json go (default build/bench)
  --readme          measure nothing: put the last results into docs/figures.md and draw docs/pareto.svg`;

/** Throws an `Error` that says what is wrong with the command line. */
export function parseArguments(args: readonly string[]): Arguments {
	const { values } = parseArgs({
		args: [...args],
		options: {
			help: { type: "boolean", default: false },
			readme: { type: "boolean", default: false },
			image: { type: "string" },
			large: { type: "boolean", default: false },
			trials: { type: "string", default: "5" },
			full: { type: "boolean", default: false },
			settings: { type: "string" },
			only: { type: "string" },
			rootless: { type: "boolean", default: process.getuid?.() !== 0 },
			build: { type: "string" },
			work: { type: "string" },
			out: { type: "string" },
		},
	});
	const trials = Number(values.trials);
	if (!(Number.isInteger(trials) && trials >= 1)) throw new Error(`--trials ${values.trials}: expected 1 or more`);
	const { help, readme, image, large, full, rootless, build, work, out } = values;
	if (large && image !== undefined) throw new Error("--large is one of our own images: choose it or --image");
	const parts = values.only?.split(",").map(partNamed) ?? DEFAULT_PARTS;
	if (parts.includes("against") !== (build !== undefined)) throw new Error("--only against and --build go together");
	return {
		help,
		readme,
		image,
		large,
		trials,
		full,
		parts,
		settings: values.settings?.split(","),
		rootless,
		build,
		work,
		out,
	};
}

function partNamed(name: string): Part {
	const part = PARTS.find((known) => known === name);
	if (part === undefined) throw new Error(`--only ${name}: expected some of ${PARTS.join(", ")}`);
	return part;
}
