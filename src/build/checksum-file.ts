import { Oci2isoError } from "../errors.ts";
import { type Checksums, checksumPathOf, checksumText, fileChecksums } from "../output/checksums.ts";
import type { FileTarget } from "../output/file-target.ts";
import { resolvePlace } from "../output/place.ts";
import { openReport } from "../output/report-file.ts";
import type { Work } from "./options.ts";
import type { BuildProgress } from "./progress.ts";

/** The file of the medium's checksums, which gets its name after the medium has its own. */
export interface ChecksumFile {
	/** Of the finished medium. Rejects with `Oci2isoError` (exit 6) where it cannot be read back or the file not be written. */
	write(target: FileTarget, progress: BuildProgress): Promise<Checksums>;
	publish(): Promise<void>;
	/** Leaves nothing behind but what was published; never throws. */
	discard(): void;
}

/** Undefined where none is asked for. Throws as `openReport`, and INVALID_OPTION (exit 2) for a medium without a name. */
export function openChecksumFile({ output, checksum, overwrite, signal }: Work): ChecksumFile | undefined {
	if (checksum === undefined || checksum.length === 0) return undefined;
	const file = resolvePlace(output).kind === "stdout" ? undefined : openReport(checksumPathOf(output), { overwrite });
	if (file === undefined)
		throw new Oci2isoError({
			code: "INVALID_OPTION",
			kind: "usage",
			what: "standard output has no name that a checksum could be written for",
			where: "checksum",
			remedy: "name a file with -o, or pipe the ISO through tee >(sha256sum)",
		});
	return {
		async write(target, progress) {
			progress.phase("digests");
			const onBytes = (done: number, total: number): void => progress.bytes(done, total);
			const checksums = await fileChecksums(target, checksum, { onBytes, signal });
			await file.write(checksumText(output, checksums));
			return checksums;
		},
		publish: () => file.publish(),
		discard: () => file.discard(),
	};
}
