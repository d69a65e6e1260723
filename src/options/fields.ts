import { labelFault } from "../contract/label.ts";
import { parsePlatform } from "../oci/platform.ts";
import { PRESET_NAMES } from "./presets.ts";

/** What one property of an options object may be. */
export interface Field {
	/** In words. */
	readonly expected: string;
	accepts(value: unknown): boolean;
}

export type Fields = Readonly<Record<string, Field>>;

export const MAX_EPOCH_SECONDS = 2 ** 32 - 1;

/** Of the image that is read. */
export const imageFields = {
	platform: { expected: "OS/ARCHITECTURE[/VARIANT], for example linux/amd64", accepts: isPlatform },
	maxLayerBytes: wholeNumber(1),
	maxInodes: wholeNumber(1),
} satisfies Fields;

/** Of registries. */
export const registryFields = {
	authFile: text("a path"),
	creds: text("USER:PASSWORD"),
	tlsVerify: flag(),
	certDir: text("a path"),
	transferPolicy: { expected: "an object of attempts, times and bytes", accepts: isObject },
} satisfies Fields;

/** What the image leaves open and decides about booting. */
export const bootFields = {
	label: {
		expected: "1 to 32 bytes of text without control characters, as an ISO's volume identifier holds",
		accepts: (value) => typeof value === "string" && labelFault(value) === undefined,
	},
	kernel: directoryName("the name of a directory in /usr/lib/modules"),
	vendor: directoryName("the name of a directory in /boot/efi/EFI"),
} satisfies Fields;

/** What of the image's tree is left out. */
export const treeFields = {
	exclude: texts("patterns"),
	defaultExcludes: flag(),
	dropXattr: texts("patterns"),
} satisfies Fields;

/** How the root file system is stored. */
export const squashfsFields = {
	preset: oneOf(PRESET_NAMES),
	comp: oneOf(["zstd", "xz", "gzip", "lz4", "none"]),
	level: { expected: "a whole number in the compressor's range", accepts: Number.isSafeInteger },
	blockSize: {
		expected: "a power of two from 4096 to 1048576",
		accepts: (value) => inRange(value, 4096, 1024 * 1024) && Number.isInteger(Math.log2(value)),
	},
} satisfies Fields;

/** How an ISO is made. */
export const buildFields = {
	output: text("the path of the ISO, or - for standard output"),
	tools: oneOf(["auto", "buildroot", "host", "builtin"]),
	allowUnconfinedTools: flag(),
	cache: text("a path"),
	cacheSize: wholeNumber(0),
	cacheFrom: texts("references"),
	cacheTo: text("a reference"),
	cacheKeyFile: text("a path"),
	jobs: wholeNumber(1, 1024),
	sourceDateEpoch: wholeNumber(0, MAX_EPOCH_SECONDS),
	overwrite: flag(),
	requireSecureBoot: flag(),
	force: flag(),
	onPlan: callback(),
	onReport: callback(),
	onEvent: callback(),
} satisfies Fields;

export const imageReference = text("an image reference, for example oci:DIR:TAG or docker://HOST/NAME:TAG");

export const signalField: Field = {
	expected: "an AbortSignal",
	accepts: (value) => isObject(value) && "aborted" in value && "addEventListener" in value,
};

export function flag(): Field {
	return { expected: "true or false", accepts: (value) => typeof value === "boolean" };
}

export function callback(): Field {
	return { expected: "a function", accepts: (value) => typeof value === "function" };
}

/** A text that is not empty. */
function text(expected: string): Field {
	return { expected, accepts: (value) => typeof value === "string" && value !== "" };
}

function texts(what: string): Field {
	const { accepts } = text(what);
	return { expected: `an array of ${what}`, accepts: (value) => Array.isArray(value) && value.every(accepts) };
}

function directoryName(expected: string): Field {
	const accepts = (value: unknown): boolean => typeof value === "string" && !/^\.{0,2}$|[/\0]/.test(value);
	return { expected, accepts };
}

function oneOf(words: readonly string[]): Field {
	return { expected: words.join(", "), accepts: (value) => typeof value === "string" && words.includes(value) };
}

function wholeNumber(min: number, max = Number.MAX_SAFE_INTEGER): Field {
	const range = max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`;
	return { expected: `a whole number ${range}`, accepts: (value) => inRange(value, min, max) };
}

function inRange(value: unknown, min: number, max: number): value is number {
	return typeof value === "number" && Number.isInteger(value) && value >= min && value <= max;
}

function isPlatform(value: unknown): boolean {
	try {
		return typeof value === "string" && parsePlatform(value) !== undefined;
	} catch {
		return false;
	}
}

export function isObject(value: unknown): value is Record<string, unknown> {
	return typeof value === "object" && value !== null && !Array.isArray(value);
}
