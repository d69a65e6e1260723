import { Oci2isoError } from "../errors.ts";
import {
	type ChecksumAlgorithm,
	type Checksums,
	checksumPathOf,
	checksumText,
	fileChecksums,
} from "../output/checksums.ts";
import { namedIsos } from "../output/destination.ts";
import type { FileTarget } from "../output/file-target.ts";
import { openReports } from "../output/report-file.ts";
import type { Work } from "./options.ts";
import type { BuildProgress } from "./progress.ts";

/** The file of the ISO's checksums, beside each name of it; it gets its own after the ISO. */
export interface ChecksumFile {
	/** Of the finished medium. Rejects with `Oci2isoError` (exit 6) where it cannot be read back or the file not be written. */
	write(target: FileTarget, progress: BuildProgress): Promise<Checksums>;
	publish(): Promise<void>;
	/** Leaves nothing behind but what was published; never throws. */
	discard(): void;
}

/** Undefined where none is asked for. Throws as `openReports`, and INVALID_OPTION (exit 2) where no file would have them. */
export function openChecksumFile({ outputs, checksum = [], overwrite, signal }: Work): ChecksumFile | undefined {
	if (checksum.length === 0) return undefined;
	const isos = namedIsos(outputs);
	if (isos.length === 0)
		throw new Oci2isoError({
			code: "INVALID_OPTION",
			kind: "usage",
			what: "no ISO has a name that a checksum could be written for",
			where: "checksum",
			remedy: "name a file with -o, or pipe the ISO through tee >(sha256sum)",
		});
	const wanted = isos.map((iso) => ({ iso, path: checksumPathOf(iso) }));
	const { files, publish, discard } = openReports(wanted, { overwrite });
	return {
		async write(target, progress) {
			const checksums = await progressingChecksums(target, checksum, progress, signal);
			for (const { iso, file } of files) await file.write(checksumText(iso, checksums));
			return checksums;
		},
		publish,
		discard,
	};
}

/** Of the whole file, as a phase of the build. Rejects as `fileChecksums`. */
export function progressingChecksums(
	target: FileTarget,
	algorithms: readonly ChecksumAlgorithm[],
	progress: BuildProgress,
	signal: AbortSignal | undefined,
): Promise<Checksums> {
	progress.phase("digests");
	return fileChecksums(target, algorithms, { onBytes: (done, total) => progress.bytes(done, total), signal });
}
