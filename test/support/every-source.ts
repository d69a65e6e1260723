declare global {
	interface ImportMeta {
		glob(pattern: string): Record<string, () => Promise<unknown>>;
	}
}

/** For `--changed` alone: a test that reads the sources as text is touched by each of them. */
export const everySource = import.meta.glob("../../src/**/*.ts");
