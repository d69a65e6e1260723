import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "./run.ts";

/** Mounts the file system in a part of a file through the kernel (root), gives its mount point to `use`, and unmounts it. */
export async function withLoopMount<Result>(
	file: string,
	type: string,
	{ offsetBytes = 0, sizeBytes }: { readonly offsetBytes?: number; readonly sizeBytes?: number },
	use: (mountPoint: string) => Promise<Result>,
): Promise<Result> {
	const mountPoint = await mkdtemp(join(tmpdir(), "oci2iso-mount-"));
	const limit = sizeBytes === undefined ? "" : `,sizelimit=${sizeBytes}`;
	try {
		await run("mount", ["-t", type, "-o", `ro,loop,offset=${offsetBytes}${limit}`, file, mountPoint]);
		try {
			return await use(mountPoint);
		} finally {
			await run("umount", [mountPoint]);
		}
	} finally {
		await rm(mountPoint, { recursive: true, force: true });
	}
}
