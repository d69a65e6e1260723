import { basename } from "node:path";
import { configDefaults, defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** `unit` is the inner loop: no root, no network, no reference tools. The other rungs need the machine's tools. */
const rungs = {
	// Unit tests leave nothing behind in their process, so that files may share one.
	// A time-out is there to end what hangs: a busy machine takes ten times as long as an idle one.
	unit: { timeout: 240_000, isolate: false, maxWorkers: "100%", group: 0 },
	native: { timeout: 240_000 },
	reference: { timeout: 600_000 },
	kernel: { timeout: 600_000 },
	registry: { timeout: 600_000 },
	fuzz: { timeout: 600_000 },
	hostile: { timeout: 600_000 },
	image: { timeout: 600_000 },
	// An emulated guest on a busy machine can miss its own watchdogs: one more try, and nothing but another guest beside it.
	boot: { timeout: 1_200_000, retry: 1, group: 2, maxConcurrency: 2 },
} as const;

/** Those that take a minute or more, longest first: the workers then end together. */
const LONG = [
	"bounds",
	"layers",
	"hostile-tools",
	"squashfs",
	"inspect-matrix",
	"shared-build",
	"structures",
	"other-systems",
	"verify",
	"package",
];

class LongFirst extends BaseSequencer {
	override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
		const place = ({ moduleId }: TestSpecification): number => {
			const at = LONG.indexOf(basename(moduleId, ".test.ts"));
			return at === -1 || moduleId.includes("/unit/") ? LONG.length : at;
		};
		return (await super.sort(files)).sort((a, b) => place(a) - place(b));
	}
}

export default defineConfig({
	test: {
		reporters: ["default"],
		sequence: { sequencer: LongFirst },
		// What `--changed` cannot follow from import to import: everything runs.
		forceRerunTriggers: [...configDefaults.forceRerunTriggers, "**/native/**", "**/binding.gyp", "**/scripts/**"],
		projects: Object.entries(rungs).map(([name, { timeout, ...rung }]) => ({
			test: {
				name,
				include: [`test/${name}/**/*.test.ts`],
				testTimeout: timeout,
				hookTimeout: timeout,
				retry: "retry" in rung ? rung.retry : 0,
				isolate: !("isolate" in rung),
				maxWorkers: "maxWorkers" in rung ? rung.maxWorkers : 2,
				...("maxConcurrency" in rung ? { maxConcurrency: rung.maxConcurrency } : {}),
				// Rungs with another number of workers do not run beside each other.
				sequence: { groupOrder: "group" in rung ? rung.group : 1 },
				...(name === "unit" ? {} : { globalSetup: "test/support/compiled.ts" }),
				pool: "forks" as const,
			},
		})),
	},
});
