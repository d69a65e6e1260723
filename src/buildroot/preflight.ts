import { constants } from "node:fs";
import { access, chmod, mkdir, open, rm } from "node:fs/promises";
import { join } from "node:path";
import { MiB } from "../binary/units.ts";
import { Oci2isoError } from "../errors.ts";
import { cannotConfine, confinementsToTry } from "./confinement-choice.ts";
import { temporaryPlace, withPrivateDirectory, writing } from "./extract.ts";
import { type Confinement, launch } from "./launcher.ts";
import { hostTool, type ToolOptions } from "./run.ts";

/** A distribution's tool with its libraries, GRUB's files and what it makes are some 8 MiB. */
const ROOM_BYTES = 16 * MiB;
const PROBE_LIMITS = { timeoutSeconds: 10, cpuSeconds: 10, addressSpaceBytes: 64 * MiB, fileBytes: MiB };

/**
 * Checks, before an image is read, whether tools with these names (each list has those of one program) could be run here as `runTool` would.
 * Throws `Oci2isoError`: TEMPORARY_DIRECTORY_UNWRITABLE, TEMPORARY_DIRECTORY_FULL, TEMPORARY_DIRECTORY_NOEXEC (exit 6); TOOL_NOT_FOUND for the host's,
 * TOOL_CANNOT_CONFINE for the image's (exit 7); INTERRUPTED. Nothing is left behind.
 */
export async function requireToolsCanRun(
	names: readonly (readonly string[])[],
	options: ToolOptions = {},
): Promise<void> {
	const isHosts = options.source === "host";
	if (isHosts) for (const ofOne of names) await hostTool(ofOne);
	await withPrivateDirectory(options.temporaryDirectory, async (directory) => {
		const place = temporaryPlace(options.temporaryDirectory);
		await requireRoom(join(directory, "room"), place);
		if (isHosts) return;
		await requireExec(join(directory, "program"), place);
		await requireConfinement(directory, options);
	});
}

async function requireRoom(path: string, place: string): Promise<void> {
	await writing(async () => {
		const file = await open(path, "wx");
		try {
			const zeros = Buffer.alloc(MiB);
			for (let at = 0; at < ROOM_BYTES; at += zeros.byteLength) await file.writeFile(zeros);
		} finally {
			await file.close();
			await rm(path);
		}
	}, place);
}

async function requireExec(path: string, place: string): Promise<void> {
	await writing(async () => {
		await (await open(path, "wx")).close();
		await chmod(path, 0o755);
	}, place);
	try {
		// The system calls no file executable that is on a file system mounted noexec, for root neither.
		await access(path, constants.X_OK);
	} catch (cause) {
		throw new Oci2isoError({
			code: "TEMPORARY_DIRECTORY_NOEXEC",
			kind: "output",
			what: "no program can be run from the temporary directory, which an image's tools are extracted to",
			where: place,
			remedy: "point TMPDIR at a directory that is not mounted noexec, or use --tools builtin, which needs none",
			cause,
		});
	}
}

/** Why the image's tools could not be run in these confinements, one by one; undefined where they could. Rejects with TEMPORARY_DIRECTORY_UNWRITABLE (exit 6). */
export async function tryConfinements<Each extends Confinement>(
	confinements: readonly Each[],
): Promise<Readonly<Record<Each, string | undefined>>> {
	return await withPrivateDirectory(undefined, async (directory) => {
		const root = join(directory, "root");
		await writing(() => mkdir(root, { mode: 0o755 }), root);
		const reasons: [Each, string | undefined][] = [];
		for (const each of confinements) reasons.push([each, await whyNotConfined(each, root, {})]);
		return Object.fromEntries(reasons) as Record<Each, string | undefined>;
	});
}

async function requireConfinement(directory: string, options: ToolOptions): Promise<void> {
	const root = join(directory, "root");
	await writing(() => mkdir(root, { mode: 0o755 }), root);
	const notes: string[] = [];
	for (const confinement of confinementsToTry(options)) {
		const reason = await whyNotConfined(confinement, root, options);
		if (reason === undefined) return;
		notes.push(`${confinement}: ${reason}`);
	}
	throw cannotConfine(undefined, notes);
}

/** Starts nothing: where it gets as far as not finding that, the confinement could be had. */
async function whyNotConfined(
	confinement: Confinement,
	root: string,
	{ signal, launcherPath }: ToolOptions,
): Promise<string | undefined> {
	const { outcome } = await launch({
		confinement,
		root,
		workingDirectory: root,
		command: ["./nothing"],
		writable: [],
		mayTruncate: true,
		limits: PROBE_LIMITS,
		signal,
		launcherPath,
	});
	return outcome.kind === "cannot-confine" ? outcome.reason : undefined;
}
