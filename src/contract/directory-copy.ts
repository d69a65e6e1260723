import { type ByteString, compareByteStrings, displayName } from "../binary/byte-string.ts";
import { MiB } from "../binary/units.ts";
import type { Findings } from "../findings/findings.ts";
import type { ImageTree } from "../tree/image-tree.ts";
import type { DirectoryInode, FileInode } from "../tree/inode.ts";
import { lookupQuietly } from "../tree/lookup-quietly.ts";
import type { GrubModuleFile } from "./contract.ts";
import { type FoundDirectory, namesIn } from "./image-files.ts";

const MAX_DEPTH = 8;
/** Names that are looked at, links followed; GRUB's own directory has some 300. */
const MAX_NAMES = 10_000;
/** Of all contents together, each counted once, as the ISO holds it; GRUB's own directory has some 3 MiB. */
const MAX_BYTES = 64 * MiB;
const MAX_SKIPPED_SHOWN = 20;

/** Lists a directory as a copy that follows symbolic links would have it; what cannot be copied is left out with a note. */
export class DirectoryCopy {
	readonly #tree: ImageTree;
	readonly #findings: Findings;
	readonly #code: string;
	readonly #files: GrubModuleFile[] = [];
	/** The directories on the way to the one that is listed. */
	readonly #above = new Set<DirectoryInode>();
	readonly #contents = new Set<FileInode>();
	#names = 0;
	#byteLength = 0;
	#skipped = 0;
	/** The bound that was passed; the list is not complete then. */
	excess: string | undefined;

	/** `code` is that of what is left out. */
	constructor(tree: ImageTree, code: string, findings: Findings) {
		this.#tree = tree;
		this.#code = code;
		this.#findings = findings;
	}

	list(directory: FoundDirectory): GrubModuleFile[] {
		this.#visit(directory, "", 0);
		return this.#files.sort((a, b) => compareByteStrings(a.relativePath, b.relativePath));
	}

	/** Holds a file that is copied beside what is listed to the same bounds. */
	count(file: FileInode): void {
		this.#countName();
		this.#countContent(file);
	}

	#countName(): void {
		if (++this.#names > MAX_NAMES) this.excess ??= `${MAX_NAMES} names`;
	}

	#countContent(file: FileInode): void {
		if (!this.#contents.has(file)) this.#byteLength += file.byteLength;
		this.#contents.add(file);
		if (this.#byteLength > MAX_BYTES) this.excess ??= `${MAX_BYTES} bytes`;
	}

	#visit(directory: FoundDirectory, prefix: ByteString, depth: number): void {
		this.#above.add(directory.inode);
		for (const name of namesIn(directory)) {
			this.#countName();
			if (this.excess !== undefined) return;
			const path = `${directory.path}/${name}`;
			const found = lookupQuietly(this.#tree, path);
			const relativePath = prefix + name;
			if (found?.inode.type === "file") {
				this.#files.push({ relativePath, file: { path: found.path, inode: found.inode } });
				this.#countContent(found.inode);
			} else if (found?.inode.type === "directory") {
				if (this.#above.has(found.inode)) this.#skip(path, "a link to a directory that it is in");
				else if (depth === MAX_DEPTH) this.#skip(path, `directories nested more than ${MAX_DEPTH} deep`);
				else this.#visit({ path: found.path, inode: found.inode }, `${relativePath}/`, depth + 1);
			} else this.#skip(path, found === undefined ? "a link that leads nowhere" : `a ${found.inode.type}`);
		}
		this.#above.delete(directory.inode);
	}

	#skip(path: ByteString, reason: string): void {
		if (++this.#skipped > MAX_SKIPPED_SHOWN) return;
		const what = `not copied to the ISO: ${reason}`;
		this.#findings.choice({ code: this.#code, what, where: displayName(path) });
	}
}
