import { type ByteString, displayName } from "../binary/byte-string.ts";
import type { BootFile } from "../boot/boot-files.ts";
import { ISO_PATHS } from "../boot/iso-paths.ts";
import type { Findings } from "../findings/findings.ts";
import type { FileInode } from "../tree/inode.ts";
import { ContentDigest } from "./content-digest.ts";
import type { MediumContents } from "./medium-tree.ts";

type DigestOf = (file: FileInode) => string | undefined;

/** Every file of the volume by name: the image's, by rule, or unknown. Returns the paths of those that are not as they should be. */
export function checkFiles(
	files: readonly BootFile[],
	digestOf: DigestOf,
	{ digests, rootPaths }: MediumContents,
	{ isOwn, made }: { readonly isOwn: boolean; readonly made: readonly ByteString[] },
	findings: Findings,
): ReadonlySet<ByteString> {
	const wrong = new Set<ByteString>();
	const expected = new Set<ByteString>(made);
	for (const { iso, content } of files) {
		if (iso === undefined) continue;
		expected.add(iso);
		const actual = rootPaths.has(iso) ? ROOT : digests.get(iso);
		const { wanted, origin } = wantedOf(content, digestOf);
		if (actual === wanted && actual !== undefined) continue;
		wrong.add(iso);
		findings.fault(actual === undefined ? "it is missing" : "the content differs", `/${displayName(iso)}`, origin);
	}
	for (const path of [...digests.keys(), ...rootPaths]) {
		if (expected.has(path)) continue;
		wrong.add(path);
		const what = "nobody knows what it is for: the image's contract does not ask for it";
		if (isOwn) findings.fault(what, `/${displayName(path)}`, "no such file");
		else findings.note(what, `/${displayName(path)}`);
	}
	return wrong;
}

/** Stands for the digest of the root file system. */
const ROOT = "root file system";

function wantedOf(
	content: BootFile["content"],
	digestOf: DigestOf,
): { readonly wanted: string | undefined; readonly origin: string } {
	switch (content.kind) {
		case "rootfs":
			return { wanted: ROOT, origin: `another name of /${ISO_PATHS.rootFs}` };
		case "image":
			return {
				wanted: digestOf(content.file.inode),
				origin: `the image's /${displayName(content.file.path).replace(/^\//, "")}`,
			};
		default:
			return { wanted: digestOfBytes(content.bytes), origin: "what the image's settings make" };
	}
}

/** A `ContentDigest`, as text. */
export function digestOfBytes(bytes: Uint8Array): string {
	const digest = new ContentDigest(bytes.byteLength);
	digest.update(bytes);
	return digest.finish().toString("hex");
}
