import { Oci2isoError } from "../errors.ts";
import { type Checksums, checksumPathOf, checksumText, fileChecksums } from "../output/checksums.ts";
import { namedIsos } from "../output/destination.ts";
import type { FileTarget } from "../output/file-target.ts";
import { openReport } from "../output/report-file.ts";
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

/** Undefined where none is asked for. Throws as `openReport`, and INVALID_OPTION (exit 2) where no file would have them. */
export function openChecksumFile({ outputs, checksum = [], overwrite, signal }: Work): ChecksumFile | undefined {
	if (checksum.length === 0) return undefined;
	const paths = namedIsos(outputs);
	if (paths.length === 0)
		throw new Oci2isoError({
			code: "INVALID_OPTION",
			kind: "usage",
			what: "no ISO has a name that a checksum could be written for",
			where: "checksum",
			remedy: "name a file with -o, or pipe the ISO through tee >(sha256sum)",
		});
	const files: { readonly path: string; readonly file: NonNullable<ReturnType<typeof openReport>> }[] = [];
	const discard = (): void => {
		for (const { file } of files) file.discard();
	};
	try {
		for (const path of paths) {
			const file = openReport(checksumPathOf(path), { overwrite });
			if (file !== undefined) files.push({ path, file });
		}
	} catch (error) {
		discard();
		throw error;
	}
	return {
		async write(target, progress) {
			progress.phase("digests");
			const onBytes = (done: number, total: number): void => progress.bytes(done, total);
			const checksums = await fileChecksums(target, checksum, { onBytes, signal });
			for (const { path, file } of files) await file.write(checksumText(path, checksums));
			return checksums;
		},
		async publish() {
			for (const { file } of files) await file.publish();
		},
		discard,
	};
}
