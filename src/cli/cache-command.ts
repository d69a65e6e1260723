import { stat } from "node:fs/promises";
import { type Command, Option } from "commander";
import { formatSize } from "../binary/format-size.ts";
import { inTurns, type Steps } from "../binary/turns.ts";
import type { StoreEntry } from "../cache/examine.ts";
import { DEFAULT_CACHE_BYTES } from "../cache/settings.ts";
import { defaultStorePath, StoreDirectory } from "../cache/store-directory.ts";
import { Oci2isoError } from "../errors.ts";
import { interruptSignal } from "./interrupt.ts";
import { addGroups, type ValuesOf } from "./option-groups.ts";
import { onStandardOutput, printJson, printLine } from "./print.ts";

interface CacheArguments extends ValuesOf<"store" | "storeSize" | "common"> {
	readonly json?: boolean;
	readonly all?: boolean;
}

/** Adds `oci2iso cache ls|prune|verify`. */
export function registerCache(program: Command): void {
	const cache = program.command("cache").description("look after the store of compressed blocks").exitOverride();
	const command = (name: string, description: string): Command =>
		addGroups(cache.command(name).description(description).exitOverride(), "store", "common");
	command("ls", "say what is kept, for which layers and settings, and when it was used last")
		.addOption(new Option("--json", "print it as JSON").helpGroup("Messages:"))
		.action(list);
	addGroups(command("prune", "remove what was used longest ago"), "storeSize")
		.addOption(new Option("--all", "remove everything").helpGroup("Cache:"))
		.action(prune);
	command("verify", "check every checksum and remove what is damaged; exit status 8 where something was").action(
		verify,
	);
}

async function list(given: CacheArguments): Promise<void> {
	const { listStore } = await import("../cache/examine.ts");
	const store = await openStore(given);
	const entries = store === undefined ? [] : await interruptibly(listStore(store));
	if (given.json === true) {
		await onStandardOutput((out) => printJson(out, entries, 2));
		return;
	}
	if (given.quiet === true) return;
	const bytes = entries.reduce((sum, { byteLength }) => sum + byteLength, 0);
	await onStandardOutput((out) => {
		for (const entry of entries) printLine(out, describe(entry));
		printLine(out, `${entries.length} files, ${formatSize(bytes)}, in ${storePath(given)}`);
	});
}

async function prune(given: CacheArguments): Promise<void> {
	const { pruneStore } = await import("../cache/prune.ts");
	const store = await openStore(given);
	// files without a byte are files too
	const maxBytes = given.all === true ? -1 : (given.cacheSize ?? DEFAULT_CACHE_BYTES);
	const removed = store === undefined ? [] : await interruptibly(pruneStore(store, maxBytes, Date.now()));
	const bytes = removed.reduce((sum, { byteLength }) => sum + byteLength, 0);
	if (given.quiet === true) return;
	await onStandardOutput((out) => printLine(out, `removed ${removed.length} files, ${formatSize(bytes)}`));
}

async function verify(given: CacheArguments): Promise<void> {
	const { verifyStore } = await import("../cache/examine.ts");
	const store = await openStore(given);
	let files = 0;
	const faults = store === undefined ? [] : await interruptibly(verifyStore(store, () => files++));
	await onStandardOutput((out) => {
		for (const { path, state, reason } of faults)
			printLine(out, state === "damaged" ? `removed ${path}: damaged` : `left ${path}: ${state} (${reason})`);
		if (faults.length === 0 && given.quiet !== true) printLine(out, `${files} files, all as they were written`);
	});
	const damaged = faults.filter(({ state }) => state === "damaged").length;
	const where = storePath(given);
	if (damaged > 0) {
		const what = `${damaged} of ${files} files were damaged and removed`;
		throw new Oci2isoError({ code: "CACHE_DAMAGED", kind: "verification", what, where });
	}
	if (faults.length > 0)
		throw new Oci2isoError({
			code: "CACHE_UNCHECKED",
			kind: "verification",
			what: `${faults.length} of ${files} files are another user's or cannot be read, and were left as they are`,
			where,
			remedy: "run it as their owner, or remove them; builds do not use them",
		});
}

/** Rejects with INTERRUPTED on SIGINT, SIGTERM and SIGHUP; files of the store are whole at every step. */
async function interruptibly<Result>(steps: Steps<Result>): Promise<Result> {
	const interrupt = interruptSignal();
	try {
		return await inTurns(steps, interrupt.signal);
	} finally {
		interrupt.dispose();
	}
}

/** Undefined where there is no store yet. */
async function openStore(given: CacheArguments): Promise<StoreDirectory | undefined> {
	const path = storePath(given);
	const exists = await stat(path).then(
		() => true,
		(error: NodeJS.ErrnoException) => error.code !== "ENOENT",
	);
	if (!exists) return undefined;
	const store = StoreDirectory.open(path, { create: true });
	if (store instanceof StoreDirectory) return store;
	throw new Oci2isoError({ code: "CACHE_UNUSABLE", kind: "usage", what: store, where: path });
}

function storePath({ cache }: CacheArguments): string {
	const path = cache ?? defaultStorePath();
	if (path !== undefined) return path;
	throw new Oci2isoError({
		code: "CACHE_UNKNOWN",
		kind: "usage",
		what: "neither XDG_CACHE_HOME nor HOME says where the cache is",
		remedy: "give --cache",
	});
}

function describe({
	kind,
	name,
	byteLength,
	lastUseMilliseconds,
	diffId,
	blockBytes,
	settings,
	entryCount,
	state,
}: StoreEntry): string {
	const used = new Date(lastUseMilliseconds).toISOString().replace("T", " ").slice(0, 19);
	const start = `${used}  ${formatSize(byteLength).padStart(10)}`;
	if (diffId === undefined) return `${start}  ${state ?? "damaged"}: ${name}`;
	const layer = diffId.slice(0, "sha256:".length + 12);
	if (kind === "layer")
		return `${start}  ${layer}  index of ${entryCount} entries, ${formatSize(blockBytes ?? 0)} blocks`;
	return `${start}  ${layer}  ${entryCount} blocks, ${describeSettings(settings ?? "")}`;
}

/** Of `settingsText`. */
function describeSettings(text: string): string {
	try {
		const [, codec, level, blockBytes, encoder] = JSON.parse(text) as unknown[];
		return `${codec} ${level}, ${formatSize(Number(blockBytes))} blocks, by ${encoder}`;
	} catch {
		return text;
	}
}
