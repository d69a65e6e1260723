import { Oci2isoError, throwIfAborted } from "../errors.ts";
import type { LiveSystem } from "../exporters/live-system.ts";
import type { OciImage } from "../oci/open-image.ts";
import type { Checksums } from "../output/checksums.ts";
import { copyOver } from "../output/existing-file.ts";
import { openHidden, openOutput, type PendingOutput } from "../output/output-file.ts";
import { type ChecksumFile, openChecksumFile, progressingChecksums } from "./checksum-file.ts";
import type { Work } from "./options.ts";
import { openPxeSet, type PxeSet, type PxeSetReport } from "./pxe-set.ts";
import { openRegistryPush, type RegistryPush, type RegistryPushReport, type SentMedium } from "./registry-push.ts";
import { openSbomFiles, type SbomFiles } from "./sbom-files.ts";

/** Everything that a build writes, under temporary names until all of it is whole. */
export interface Outputs {
	/** Where the root file system is written while the layers are read. */
	readonly first: PendingOutput;
	/** The ISO, which is `first`; undefined where none is asked for. */
	readonly iso: PendingOutput | undefined;
	readonly checksums: ChecksumFile | undefined;
	readonly sboms: SbomFiles | undefined;
	readonly notices: readonly string[];
	/** Throws as `RegistryPush.requireFree`. */
	requireFree(platform: OciImage["platform"]): Promise<void>;
	/** Gives the finished ISO, of which checksums may be known, to each other place of it. Throws as `RegistryPush.send`, and where a file cannot be written. */
	copy(medium: Omit<SentMedium, "target" | "digest" | "documents">, known: Checksums | undefined): Promise<void>;
	/** `start`: of the root file system in `first`. */
	writeSets(system: LiveSystem, start: number): Promise<void>;
	flush(): Promise<void>;
	publish(): Promise<void>;
	readonly sets: readonly PxeSetReport[];
	readonly pushes: readonly RegistryPushReport[];
	/** Leaves nothing behind but what was published; never throws. */
	discard(): Promise<void>;
}

/** Throws as `openRegistryPush`, `openOutput`, `openPxeSet`, `openChecksumFile` and `openSbomFiles`. */
export async function openOutputs(work: Work, image: string): Promise<Outputs> {
	const { overwrite, signal } = work;
	const opened: { discard(): void }[] = [];
	const keep = <Pending extends { discard(): void }>(pending: Pending): Pending => {
		opened.push(pending);
		return pending;
	};
	const registries: RegistryPush[] = [];
	const discard = async (): Promise<void> => {
		for (const each of opened) each.discard();
		for (const each of registries) await each.close();
	};
	try {
		for (const to of work.outputs)
			if (to.kind === "registry" || to.kind === "layout") registries.push(await openRegistryPush(to, image, work));
		const paths = work.outputs.flatMap((to) => (to.kind === "iso" ? [to.path] : []));
		const isos = paths.map((path) => keep(openOutput(path, { overwrite })));
		if (isos.length === 0 && registries.length > 0) isos.push(keep(openHidden()));
		const [iso, ...copies] = isos;
		const sets: PxeSet[] = [];
		for (const to of work.outputs) {
			if (to.kind === "pxe") sets.push(keep(openPxeSet(to.directory, sets.length === 0 && iso === undefined, work)));
		}
		const first = iso ?? sets[0]?.root;
		if (first === undefined) throw noOutput();
		const checksums = openChecksumFile(work);
		if (checksums !== undefined) keep(checksums);
		const sboms = openSbomFiles(work);
		if (sboms !== undefined) keep(sboms);
		return {
			first,
			iso,
			checksums,
			sboms,
			notices: [...isos, ...sets].flatMap(({ notices }) => notices),
			async requireFree(platform) {
				for (const registry of registries) await registry.requireFree(platform);
			},
			async copy(medium, known) {
				for (const { target } of copies) {
					throwIfAborted(signal);
					await copyOver(first.target.path, target.path);
				}
				if (registries.length === 0) return;
				const { target } = first;
				const { sha256 = "" } =
					known?.sha256 === undefined ? await progressingChecksums(target, ["sha256"], medium.progress, signal) : known;
				const sent = { ...medium, target, digest: `sha256:${sha256}` as const, documents: sboms?.documents ?? [] };
				for (const registry of registries) await registry.send(sent);
			},
			async writeSets(system, start) {
				for (const set of sets) await set.write(system, { target: first.target, start });
			},
			async flush() {
				for (const { flush } of [...isos, ...sets]) await flush();
			},
			async publish() {
				// a network fails more often than a disk
				for (const registry of registries) await registry.publish();
				for (const { publish } of [...sets, ...isos]) await publish();
				for (const beside of [checksums, sboms]) await beside?.publish();
			},
			get sets() {
				return sets.map(({ report }) => report);
			},
			get pushes() {
				return registries.flatMap(({ report }) => report ?? []);
			},
			discard,
		};
	} catch (error) {
		await discard();
		throw error;
	}
}

function noOutput(): Oci2isoError {
	const what = "there is no output";
	return new Oci2isoError({ code: "INVALID_OPTION", kind: "usage", what, where: "output", expected: "one at least" });
}
