import * as z from "zod";
import { Oci2isoError } from "../errors.ts";
import type { Findings } from "../findings/findings.ts";
import type { ImageTree } from "../tree/image-tree.ts";
import { lookupQuietly } from "../tree/lookup-quietly.ts";
import { whyNoFile } from "./image-files.ts";
import { isNull, parseYaml, positionsIn, type YamlNode } from "./yaml-node.ts";

/** Where the reference converter looks, in its order; the second is the place the contract names. */
export const ISO_YAML_PATHS = ["/usr/lib/image-builder/bootc/iso.yaml", "/usr/lib/bootc-image-builder/iso.yaml"];
export const MAX_ISO_YAML_BYTES = 1024 * 1024;
const MAX_ENTRIES = 1000;
/** Of violations and of notes: a file with more of them is hardly meant to be one. */
const MAX_REPORTED = 100;
const MAX_TEXT_CHARACTERS = 16 * 1024;
/** Of all values that the contract knows, aliases replaced: more than a file of the greatest length can have without them. */
const MAX_VALUES = 200_000;
const MAX_VALUE_CHARACTERS = 16 * MAX_ISO_YAML_BYTES;

/** iso.yaml as written: a null or missing value is undefined, nothing is defaulted or substituted. */
export interface IsoYaml {
	readonly label: string | undefined;
	readonly kernelArgs: readonly string[] | undefined;
	readonly timeoutSeconds: number | undefined;
	readonly defaultEntry: number | undefined;
	readonly entries: readonly { readonly name: string; readonly linux: string; readonly initrd: string }[] | undefined;
	/** Where the value at a path of keys and indices stands: `path:line:column`; of its nearest ancestor when it is missing. */
	readonly positionOf: (valuePath: readonly (string | number)[]) => string;
}

const line = z
	.string({ error: "a text" })
	.max(MAX_TEXT_CHARACTERS, `at most ${MAX_TEXT_CHARACTERS} characters`)
	.regex(/^(?:\P{Cc}|\t)*[\r\n]*$/u, "one line without control characters")
	.regex(/^\P{Surrogate}*$/u, "valid Unicode");
const requiredLine = z
	.string({ error: "a text: the contract requires name, linux and initrd in every entry" })
	.pipe(line.regex(/\S/, "a text that is not empty"));
const integer = (expected: string) =>
	z.string({ error: expected }).transform((text, context) => {
		const value = parseInteger(text);
		if (value === undefined) {
			context.addIssue({ code: "custom", message: expected });
			return z.NEVER;
		}
		return value;
	});

const isoYaml = z.object(
	{
		label: z.string({ error: "a text" }).nullish(),
		kernel_args: z.array(line.nullish(), { error: "a list of texts" }).nullish(),
		grub2: z
			.object(
				{
					default: integer("the index of a menu entry: an integer")
						.pipe(z.int32({ error: "a 32-bit integer" }))
						.nullish(),
					timeout: integer("a number of seconds: an integer, 0 or more")
						.pipe(z.int32({ error: "a 32-bit integer" }).min(0, "a number of seconds: an integer, 0 or more"))
						.nullish(),
					entries: z
						.array(
							z.object(
								{ name: requiredLine, linux: requiredLine, initrd: requiredLine },
								{ error: "a mapping with name, linux and initrd" },
							),
							{ error: "a list of entries" },
						)
						.max(MAX_ENTRIES, `at most ${MAX_ENTRIES} entries`)
						.nullish(),
				},
				{ error: "a mapping" },
			)
			.nullish(),
	},
	{ error: "a mapping with label, kernel_args and grub2" },
);

const KNOWN_KEYS: readonly { readonly at: readonly string[]; readonly keys: readonly string[] }[] = [
	{ at: [], keys: ["label", "kernel_args", "grub2"] },
	{ at: ["grub2"], keys: ["default", "timeout", "entries"] },
	{ at: ["grub2", "entries", "*"], keys: ["name", "linux", "initrd"] },
];

/** The one of the two that is read. */
export function isoYamlPathIn(tree: ImageTree): string | undefined {
	return ISO_YAML_PATHS.find((path) => lookupQuietly(tree, path) !== undefined);
}

/** iso.yaml of the image: undefined where there is none (a choice) or where it is not usable (problems were added). */
export async function readIsoYaml(tree: ImageTree, findings: Findings): Promise<IsoYaml | undefined> {
	const present = ISO_YAML_PATHS.filter((path) => lookupQuietly(tree, path) !== undefined);
	const path = present[0];
	if (path === undefined) {
		const dangling = ISO_YAML_PATHS.find((each) => whyNoFile(tree, each) !== "is missing");
		findings.choice({
			code: "ISO_YAML_MISSING",
			what: `${dangling === undefined ? "the image has no iso.yaml" : `iso.yaml ${whyNoFile(tree, dangling)}`}: label, kernel arguments and menu are defaults`,
			where: dangling ?? ISO_YAML_PATHS.join(", "),
		});
		return undefined;
	}
	if (present.length > 1)
		findings.choice({ code: "ISO_YAML_PLACES", what: `iso.yaml is in two places, this one is used`, where: path });
	const inode = lookupQuietly(tree, path)?.inode;
	const unusable = (what: string, expected: string): undefined =>
		findings.problem({ code: "ISO_YAML_UNUSABLE", what, where: path, expected });
	if (inode?.type !== "file") return unusable(`iso.yaml is a ${inode?.type}`, "a regular file");
	if (inode.byteLength > MAX_ISO_YAML_BYTES)
		return unusable(`iso.yaml has ${inode.byteLength} bytes`, `at most ${MAX_ISO_YAML_BYTES} bytes`);
	let source: string;
	try {
		const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
		source = decoder.decode(await tree.read(inode, MAX_ISO_YAML_BYTES));
	} catch (error) {
		if (error instanceof TypeError) return unusable("iso.yaml is not UTF-8", "UTF-8 text");
		throw error;
	}
	return parseIsoYaml(source, path, findings);
}

/** Checks the text of an iso.yaml against the contract; `path` is for positions. */
export function parseIsoYaml(source: string, path: string, findings: Findings): IsoYaml | undefined {
	const root = parse(source, path, findings);
	if (root === undefined) return undefined;
	const position = positionsIn(source, path);
	const positionOf = (valuePath: readonly (string | number)[]): string => position(offsetOf(root, valuePath));
	const budget = { values: MAX_VALUES, characters: MAX_VALUE_CHARACTERS };
	const plain = plainValue(root, MAX_DEPTH, budget);
	if (budget.values < 0 || budget.characters < 0) {
		return findings.problem({
			code: "ISO_YAML_INVALID",
			what: "iso.yaml with its aliases replaced is too large",
			where: path,
			expected: `at most ${MAX_VALUES} values and ${MAX_VALUE_CHARACTERS} characters`,
		});
	}
	// where a schema above has no words of its own, the library's are for nobody
	const result = isoYaml.safeParse(plain ?? {}, { error: () => "another value" });
	if (!result.success) {
		for (const issue of result.error.issues.slice(0, MAX_REPORTED)) {
			const valuePath = issue.path.map((key) => (typeof key === "symbol" ? String(key) : key));
			findings.problem({
				code: "ISO_YAML_INVALID",
				what: `${pathText(valuePath)} is ${describe(plain, valuePath)}`,
				where: positionOf(valuePath),
				expected: issue.message,
			});
		}
		return undefined;
	}
	noteUnusualForms(root, positionOf, findings);
	const { label, kernel_args, grub2 } = result.data;
	return {
		label: label ?? undefined,
		kernelArgs: kernel_args?.filter((arg) => arg != null),
		timeoutSeconds: grub2?.timeout ?? undefined,
		defaultEntry: grub2?.default ?? undefined,
		entries: grub2?.entries ?? undefined,
		positionOf,
	};
}

function parse(source: string, path: string, findings: Findings): YamlNode | undefined {
	try {
		const root = parseYaml(source, path);
		if (root !== undefined) return root;
		const what = "iso.yaml is empty";
		return findings.problem({
			code: "ISO_YAML_EMPTY",
			what,
			where: path,
			expected: "a YAML mapping",
			remedy: "delete the file to get the defaults",
		});
	} catch (error) {
		if (error instanceof Oci2isoError && error.code === "ISO_YAML_SYNTAX") return findings.problem(error);
		throw error;
	}
}

/** Forms YAML gives an integer in Go's reader, which the reference uses; none with leading zeros, where readers disagree. */
export function parseInteger(text: string): number | undefined {
	const match = /^\s*([-+]?)(0x[0-9A-Fa-f]+|0o[0-7]+|0b[01]+|(?:0|[1-9][0-9_]*)(?:\.0*)?)\s*$/.exec(text);
	if (match?.[2] === undefined) return undefined;
	const value = Number(match[2].replaceAll("_", "")) * (match[1] === "-" ? -1 : 1);
	return Number.isSafeInteger(value) ? value + 0 : undefined;
}

/** Deep enough for every known key; what lies deeper is not looked at, so that nested aliases cost nothing. */
const MAX_DEPTH = 5;

/** `budget` is what may still come; the result is not to be used once that is negative. */
function plainValue(node: YamlNode, depth: number, budget: { values: number; characters: number }): unknown {
	if (--budget.values < 0 || budget.characters < 0) return null;
	if (isNull(node)) return null;
	if (node.kind === "scalar") {
		budget.characters -= node.text.length;
		return node.text;
	}
	if (depth === 0) return {};
	if (node.kind === "sequence") {
		const items: unknown[] = [];
		for (const item of node.items) {
			if (budget.values < 0 || budget.characters < 0) break;
			items.push(plainValue(item, depth - 1, budget));
		}
		return items;
	}
	const known = new Set(KNOWN_KEYS.flatMap(({ keys }) => keys));
	const plain: Record<string, unknown> = {};
	for (const [key, value] of node.entries) if (known.has(key)) plain[key] = plainValue(value, depth - 1, budget);
	return plain;
}

function offsetOf(root: YamlNode, valuePath: readonly (string | number)[]): number {
	let node = root;
	let offset = root.offset;
	for (const key of valuePath) {
		let child: YamlNode | undefined;
		if (node.kind === "sequence") child = node.items[Number(key)];
		else if (node.kind === "mapping") child = node.entries.get(String(key));
		if (child === undefined) return offset;
		const isEmpty = child.kind === "scalar" && child.text === "";
		offset = isEmpty && node.kind === "mapping" ? (node.keyOffsets.get(String(key)) ?? child.offset) : child.offset;
		node = child;
	}
	return offset;
}

function describe(plain: unknown, valuePath: readonly (string | number)[]): string {
	let value = plain;
	for (const key of valuePath) {
		const isContainer = typeof value === "object" && value !== null;
		value = isContainer ? (value as Record<string | number, unknown>)[key] : undefined;
	}
	if (value === undefined) return "missing";
	if (value === null) return "empty";
	if (Array.isArray(value)) return `a list of ${value.length}`;
	if (typeof value === "object") return "a mapping";
	const text = String(value);
	return text.length > 60 ? `a text of ${text.length} characters` : JSON.stringify(text);
}

function pathText(valuePath: readonly (string | number)[]): string {
	if (valuePath.length === 0) return "the document";
	return valuePath
		.map((key) => (typeof key === "number" ? `[${key}]` : `.${key}`))
		.join("")
		.replace(/^\./, "");
}

type PositionOf = IsoYaml["positionOf"];

function noteUnusualForms(root: YamlNode, positionOf: PositionOf, findings: Findings): void {
	for (const key of ["default", "timeout"]) {
		for (const { node, valuePath } of select(root, ["grub2", key])) {
			if (node.kind !== "scalar" || node.plain) continue;
			const what = `grub2.${key} is a text and is read as a number; the reference converter refuses that`;
			findings.choice({ code: "ISO_YAML_NUMBER_AS_TEXT", what, where: positionOf(valuePath) });
		}
	}
	let count = 0;
	for (const { at, keys } of KNOWN_KEYS) {
		for (const { node, valuePath } of select(root, at)) {
			if (node.kind !== "mapping") continue;
			for (const key of node.entries.keys()) {
				if (keys.includes(key)) continue;
				if (++count > MAX_REPORTED) return;
				const what = `the contract knows no key ${JSON.stringify(key)}, it is ignored`;
				findings.choice({ code: "ISO_YAML_UNKNOWN_KEY", what, where: positionOf([...valuePath, key]) });
			}
		}
	}
}

interface Selected {
	readonly node: YamlNode;
	readonly valuePath: (string | number)[];
}

/** Nodes at a path of keys; `*` stands for every item of a list. */
function select(root: YamlNode, keys: readonly string[]): Selected[] {
	let selected: Selected[] = [{ node: root, valuePath: [] }];
	for (const key of keys) {
		selected = selected.flatMap(({ node, valuePath }): Selected[] => {
			if (key === "*")
				return node.kind === "sequence"
					? node.items.map((item, index) => ({ node: item, valuePath: [...valuePath, index] }))
					: [];
			const child = node.kind === "mapping" ? node.entries.get(key) : undefined;
			return child === undefined ? [] : [{ node: child, valuePath: [...valuePath, key] }];
		});
	}
	return selected;
}
