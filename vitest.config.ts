import { defineConfig } from "vitest/config";

/** `unit` is the inner loop: no root, no network, no reference tools. The other rungs need the machine's tools. */
const rungs = {
	// Unit tests leave nothing behind in their process, so that files may share one.
	// A time-out is there to end what hangs: a busy machine takes ten times as long as an idle one.
	unit: { timeout: 240_000, parallel: true, isolate: false, maxWorkers: "100%" },
	native: { timeout: 60_000, parallel: true },
	reference: { timeout: 600_000, parallel: false },
	kernel: { timeout: 900_000, parallel: false },
	registry: { timeout: 900_000, parallel: false },
	fuzz: { timeout: 600_000, parallel: false },
	hostile: { timeout: 180_000, parallel: false },
	image: { timeout: 900_000, parallel: false },
	// An emulated guest on a busy machine can miss its own watchdogs: one more try.
	boot: { timeout: 1_200_000, parallel: false, retry: 1 },
} as const;

export default defineConfig({
	test: {
		reporters: ["default"],
		projects: Object.entries(rungs).map(([name, rung]) => ({
			test: {
				name,
				include: [`test/${name}/**/*.test.ts`],
				testTimeout: rung.timeout,
				retry: "retry" in rung ? rung.retry : 0,
				hookTimeout: rung.timeout,
				fileParallelism: rung.parallel,
				isolate: "isolate" in rung ? rung.isolate : true,
				// Rungs with another number of workers do not run beside each other.
				...("maxWorkers" in rung ? { maxWorkers: rung.maxWorkers } : { sequence: { groupOrder: 1 } }),
				pool: "forks" as const,
			},
		})),
	},
});
