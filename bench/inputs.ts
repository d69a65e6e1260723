import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { copyImage, unpackLayout } from "../test/support/reference-pipeline.ts";
import { missingCommands } from "./machine.ts";

/** The image in every form that a contender takes. What is not asked for is not made. */
export interface Inputs {
	readonly name: string;
	/** OCI layout with the tag `latest` and gzip layers, which all tools read. */
	readonly layoutDir: string;
	/** Unpacked; `prepare` has made it. */
	rootfs(): string;
	/** One tar of the unpacked tree; `prepare` has made it. */
	mergedTar(): string;
	/** Makes the unpacked forms; takes no part in any measurement. */
	prepare(options: { readonly rootless: boolean }): Promise<void>;
}

/** What most builders push. */
const GZIP_LEVEL = 6;

/**
 * `reference` is as skopeo writes it. Its layers are made gzip once, before anything is measured, because umoci reads no zstd:
 * both sides then read the same bytes. Without skopeo an `oci:DIR:TAG` is taken as it is.
 */
export async function openInputs(name: string, reference: string, work: string): Promise<Inputs> {
	const layoutDir = await gzipLayout(reference, join(work, "image"));
	const bundle = join(work, "bundle");
	const rootfs = join(bundle, "rootfs");
	const tar = join(work, "merged.tar");
	return {
		name,
		layoutDir,
		rootfs: () => rootfs,
		mergedTar: () => tar,
		async prepare({ rootless }) {
			if (missingCommands(["umoci", ...(rootless ? [] : ["root"])]).length > 0) return;
			if (!existsSync(rootfs)) await unpackLayout(layoutDir, bundle, { rootless });
			if (!existsSync(tar))
				execFileSync("tar", ["--xattrs", "--xattrs-include=*", "--sort=name", "-C", rootfs, "-cf", tar, "."]);
		},
	};
}

async function gzipLayout(reference: string, layoutDir: string): Promise<string> {
	if (missingCommands(["skopeo"]).length === 0) {
		mkdirSync(layoutDir, { recursive: true });
		return copyImage(reference, layoutDir, GZIP_LEVEL);
	}
	const path = /^oci:(.+):latest$/.exec(reference)?.[1];
	if (path === undefined) throw new Error(`${reference}: without skopeo the image must be oci:DIR:latest`);
	return resolve(path);
}
