import { chmod, chown, mkdir, open, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type ByteString, displayName, utf8TextOf } from "../binary/byte-string.ts";
import { assertNever, Oci2isoError } from "../errors.ts";
import type { ImageTree } from "../tree/image-tree.ts";
import { type ToolClosure, toolClosure } from "./closure.ts";
import { cannotConfine, confinementsToTry } from "./confinement-choice.ts";
import { findExecutable, findUnusable } from "./executable.ts";
import { extract, filesOfDirectory, type ToolDirectory, withPrivateDirectory, writing } from "./extract.ts";
import { findHostTool } from "./host-tool.ts";
import { type Confinement, type LaunchOutcome, type LaunchResult, launch, type ToolLimits } from "./launcher.ts";

export interface ToolOptions {
	/** Where the executable comes from; the data it works on is always the image's. Default `buildroot`: the image. */
	readonly source?: "buildroot" | "host" | undefined;
	/**
	 * `auto` (the default) is namespaces, or Landlock where those are forbidden, or a refusal; `none` is resource and time limits only.
	 * The host's own tools run under Landlock where there is one, and with limits only elsewhere, without refusal: they are trusted.
	 */
	readonly confinement?: "auto" | "namespaces" | "landlock" | "none" | undefined;
	readonly timeoutSeconds?: number | undefined;
	/** Parent of the private directory. Default: the system's temporary directory. */
	readonly temporaryDirectory?: string | undefined;
	readonly signal?: AbortSignal | undefined;
	/** Default: this package's `oci2iso_confine`. */
	readonly launcherPath?: string | undefined;
}

/** A file that the tool makes, `name` being any file name. */
interface ToolOutput {
	readonly name: string;
	readonly maxBytes: number;
}

/** How arguments name files, from the tool's point of view. */
interface ToolPaths {
	/** A path of the image. Throws `Oci2isoError` TOOL_PATH_UNSUPPORTED where it cannot be an argument. */
	image(path: ByteString): string;
	/** The output, or the file to update, of that name. */
	writable(name: string): string;
}

export interface ToolRequest {
	readonly tree: ImageTree;
	/** Names that the executable may have, preferred first. */
	readonly names: readonly string[];
	args(paths: ToolPaths): readonly string[];
	readonly directories?: readonly ToolDirectory[] | undefined;
	readonly outputs?: readonly ToolOutput[] | undefined;
	/** Existing host files, absolute and without links, that the tool changes in place, by name. Then it can empty no file, nor write beyond `limits.fileBytes`. */
	readonly updates?: ReadonlyMap<string, string> | undefined;
	readonly limits: ToolLimits;
	readonly options?: ToolOptions | undefined;
}

/** What ran, for the build report. */
export interface ToolRun {
	/** Canonical path in the image, or on the host. */
	readonly toolPath: string;
	readonly source: "buildroot" | "host";
	readonly confinement: Confinement;
	/** Why stronger confinements were passed over. */
	readonly confinementNotes: readonly string[];
	/** The last 64 KiB of each. */
	readonly stdout: string;
	readonly stderr: string;
}

interface ToolResult extends ToolRun {
	readonly outputs: ReadonlyMap<string, Uint8Array>;
}

/** Directory of the private root for what the tool may write; no path of the image's tools begins so. */
const WRITABLE_DIRECTORY = ".oci2iso";
/** The user that root's tools run as, where they change no file of another owner. */
const NOBODY = 65534;

/**
 * Finds a tool, extracts what it needs, runs it confined with an empty environment and collects what it made.
 * Throws `Oci2isoError` of kind tool (exit 7): TOOL_NOT_FOUND, TOOL_UNUSABLE, TOOL_CANNOT_CONFINE, TOOL_NOT_EXECUTABLE, TOOL_FAILED, TOOL_TIMED_OUT, TOOL_OUTPUT_MISSING, TOOL_OUTPUT_TOO_LARGE,
 * and those of `toolClosure`; INTERRUPTED when the signal aborts. Nothing is left behind.
 */
export async function runTool(request: ToolRequest): Promise<ToolResult> {
	const options = request.options ?? {};
	const tool = options.source === "host" ? await hostTool(request.names) : await imageTool(request.tree, request.names);
	return withPrivateDirectory(options.temporaryDirectory, async (privateDirectory) => {
		const root = join(privateDirectory, "root");
		const outputs = request.outputs ?? [];
		await prepareRoot(root, outputs, [...(request.updates ?? new Map<string, string>()).keys()]);
		const directories = (request.directories ?? []).flatMap((directory) => [
			...filesOfDirectory(request.tree, directory),
		]);
		await extract(request.tree, new Map([...(tool.closure?.files ?? []), ...directories]), root);

		const notes: string[] = [];
		for (const confinement of confinementsToTry(options)) {
			const result = await launch({
				confinement,
				root: tool.closure === undefined ? "/" : root,
				workingDirectory: root,
				command: [...tool.command, ...request.args(toolPaths(request, confinement))],
				writable: [
					...outputs.map(({ name }) => ({ guest: guestPath(name), host: join(root, guestPath(name)) })),
					...[...(request.updates ?? [])].map(([name, host]) => ({ guest: guestPath(name), host })),
				],
				mayTruncate: (request.updates?.size ?? 0) === 0,
				limits: { ...request.limits, timeoutSeconds: options.timeoutSeconds ?? request.limits.timeoutSeconds },
				signal: options.signal,
				launcherPath: options.launcherPath,
			});
			if (result.outcome.kind === "cannot-confine") {
				notes.push(`${confinement}: ${result.outcome.reason}`);
				continue;
			}
			requireSuccess(result, tool.path);
			return {
				toolPath: tool.path,
				source: options.source ?? "buildroot",
				confinement,
				confinementNotes: notes,
				stdout: result.stdout,
				stderr: result.stderr,
				outputs: await collect(root, outputs, tool.path),
			};
		}
		throw cannotConfine(tool.path, notes);
	});
}

interface LocatedTool {
	readonly path: string;
	/** The command line up to the tool's own arguments, relative to the root. */
	readonly command: readonly string[];
	readonly closure: ToolClosure | undefined;
}

async function imageTool(tree: ImageTree, names: readonly string[]): Promise<LocatedTool> {
	const found = findExecutable(tree, names);
	if (found === undefined) throw unusable(tree, names) ?? notFound(names, "the image", "install it in the image");
	const closure = await toolClosure(tree, found);
	const tool = argumentOf(closure.tool);
	const { loader } = closure;
	if (loader === undefined) return { path: displayName(closure.tool), command: [tool], closure };
	// glibc would otherwise read the host's cache where the root is not the closure.
	const inhibitCache = loader.kind === "glibc" ? ["--inhibit-cache"] : [];
	const libraryPath = closure.libraryDirectories.map((directory) => {
		if (/[:;]/.test(directory)) throw unsupportedPath(directory);
		return argumentOf(directory);
	});
	return {
		path: displayName(closure.tool),
		command: [argumentOf(loader.path), ...inhibitCache, "--library-path", libraryPath.join(":"), tool],
		closure,
	};
}

/** Throws TOOL_NOT_FOUND. */
export async function hostTool(names: readonly string[]): Promise<LocatedTool> {
	const path = await findHostTool(names);
	if (path === undefined) throw notFound(names, "this host", "install it");
	return { path, command: [path], closure: undefined };
}

async function prepareRoot(root: string, outputs: readonly ToolOutput[], updates: readonly string[]): Promise<void> {
	await writing(async () => {
		for (const directory of [root, join(root, WRITABLE_DIRECTORY)]) {
			await mkdir(directory);
			await chmod(directory, 0o755);
		}
		for (const name of [...outputs.map((output) => output.name), ...updates]) {
			const path = join(root, guestPath(name));
			await writeFile(path, "", { flag: "wx", mode: 0o600 });
			if (process.getuid?.() === 0) await giveToNobody(path);
		}
	}, root);
}

/** Root of a container may have no such user, or no right to give files away: then the tool runs as root without privileges. */
async function giveToNobody(path: string): Promise<void> {
	try {
		await chown(path, NOBODY, NOBODY);
	} catch (error) {
		if (!["EINVAL", "EPERM"].includes(String((error as NodeJS.ErrnoException).code))) throw error;
	}
}

/** In namespaces a file to update is mounted in the root; elsewhere it stays where it is. */
function toolPaths(request: ToolRequest, confinement: Confinement): ToolPaths {
	return {
		image: argumentOf,
		writable(name) {
			const host = confinement === "namespaces" ? undefined : request.updates?.get(name);
			return host ?? `./${guestPath(name)}`;
		},
	};
}

function guestPath(name: string): string {
	return `${WRITABLE_DIRECTORY}/${name}`;
}

/** All commands start in the root, so that paths there are the same whether or not it is also the tool's "/". */
function argumentOf(path: ByteString): string {
	const text = utf8TextOf(path);
	if (text === undefined) throw unsupportedPath(path);
	return `.${text}`;
}

function requireSuccess(result: LaunchResult, tool: string): void {
	const failure = failureOf(result.outcome);
	if (failure === undefined) return;
	const lastLines = result.stderr.trimEnd().split("\n").slice(-5).join(" | ").slice(-500);
	throw new Oci2isoError({
		code: FAILURE_CODES[result.outcome.kind],
		kind: "tool",
		what: lastLines === "" ? failure : `${failure}: ${lastLines}`,
		where: tool,
		remedy: "use --tools builtin",
	});
}

const FAILURE_CODES: Readonly<Record<LaunchOutcome["kind"], string>> = {
	exited: "TOOL_FAILED",
	killed: "TOOL_FAILED",
	"timed-out": "TOOL_TIMED_OUT",
	"cannot-execute": "TOOL_NOT_EXECUTABLE",
	"cannot-confine": "TOOL_CANNOT_CONFINE",
};

function failureOf(outcome: LaunchOutcome): string | undefined {
	switch (outcome.kind) {
		case "exited":
			return outcome.status === 0 ? undefined : `the tool ended with status ${outcome.status}`;
		case "killed":
			return `the tool was killed by ${outcome.signal}`;
		case "timed-out":
			return "the tool did not end in time";
		case "cannot-execute":
			return `the tool could not be started: ${outcome.reason}`;
		case "cannot-confine":
			return outcome.reason;
		default:
			return assertNever(outcome);
	}
}

async function collect(
	root: string,
	outputs: readonly ToolOutput[],
	tool: string,
): Promise<ReadonlyMap<string, Uint8Array>> {
	const collected = new Map<string, Uint8Array>();
	for (const { name, maxBytes } of outputs) {
		const file = await open(join(root, guestPath(name)));
		try {
			const { size } = await file.stat();
			if (size === 0 || size > maxBytes)
				throw new Oci2isoError({
					code: size === 0 ? "TOOL_OUTPUT_MISSING" : "TOOL_OUTPUT_TOO_LARGE",
					kind: "tool",
					what: size === 0 ? `the tool reported success but did not write ${name}` : `${name} has ${size} bytes`,
					where: tool,
					expected: `1 to ${maxBytes} bytes`,
					remedy: "use --tools builtin",
				});
			collected.set(name, await file.readFile());
		} finally {
			await file.close();
		}
	}
	return collected;
}

function notFound(names: readonly string[], place: string, remedy: string): Oci2isoError {
	return new Oci2isoError({
		code: "TOOL_NOT_FOUND",
		kind: "tool",
		what: `${names.join(" or ")} is not on the PATH of ${place}`,
		remedy: `${remedy}, or use --tools builtin`,
	});
}

function unusable(tree: ImageTree, names: readonly string[]): Oci2isoError | undefined {
	const found = findUnusable(tree, names);
	if (found === undefined) return undefined;
	return new Oci2isoError({
		code: "TOOL_UNUSABLE",
		kind: "tool",
		what: `the image's tool is ${found.what}`,
		where: displayName(found.path),
		expected: "an executable file",
		remedy: "install its package in the image anew, or use --tools builtin",
	});
}

function unsupportedPath(path: ByteString): Oci2isoError {
	return new Oci2isoError({
		code: "TOOL_PATH_UNSUPPORTED",
		kind: "tool",
		what: "this path cannot be passed to a tool as an argument",
		where: displayName(path),
		expected: 'UTF-8, and neither ":" nor ";" in a library directory',
		remedy: "use --tools builtin",
	});
}
