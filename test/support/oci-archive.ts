import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { pack } from "tar-stream";

export type ArchiveEntry =
	| { readonly name: string; readonly bytes: Uint8Array }
	| { readonly name: string; readonly type: "symlink" | "link"; readonly linkname: string }
	| { readonly name: string; readonly type: "directory" };

/** A tar archive of these entries, in this order. Long names and large sizes become PAX headers. */
export async function tarOf(entries: readonly ArchiveEntry[]): Promise<Buffer> {
	const archive = pack();
	for (const entry of entries) {
		const mtime = new Date(0);
		if ("bytes" in entry) archive.entry({ name: entry.name, mtime }, Buffer.from(entry.bytes));
		else if (entry.type === "directory") archive.entry({ name: entry.name, type: entry.type, mtime });
		else archive.entry({ name: entry.name, type: entry.type, linkname: entry.linkname, mtime });
	}
	archive.finalize();
	const pieces: Buffer[] = [];
	for await (const piece of archive as AsyncIterable<Uint8Array>) pieces.push(Buffer.from(piece));
	return Buffer.concat(pieces);
}

/** Every regular file below a directory, by relative path. */
export function filesBelow(directory: string): { name: string; bytes: Buffer }[] {
	return readdirSync(directory, { recursive: true, encoding: "utf8" })
		.sort()
		.filter((name) => statSync(join(directory, name)).isFile())
		.map((name) => ({ name, bytes: readFileSync(join(directory, name)) }));
}
