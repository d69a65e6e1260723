/** A member of a newc archive as tests take one apart and put it together. */
export interface NewcMember {
	readonly path: string;
	readonly mode: number;
	readonly content: Buffer;
	/** The other header fields, in the header's order of 13 numbers. */
	readonly fields: readonly number[];
}

const HEADER_BYTES = 110;

/** The members of the archive that `archive` begins with, without its trailer, and where it ends. Throws where there is none. */
export function readNewc(archive: Buffer): { readonly members: readonly NewcMember[]; readonly byteLength: number } {
	const members: NewcMember[] = [];
	for (let at = 0; ; ) {
		if (archive.toString("latin1", at, at + 6) !== "070701") throw new Error(`no member of a newc archive at ${at}`);
		const fields = Array.from({ length: 13 }, (_, i) =>
			Number.parseInt(archive.toString("latin1", at + 6 + 8 * i, at + 14 + 8 * i), 16),
		);
		const [, mode = 0, , , , , byteLength = 0, , , , , nameBytes = 0] = fields;
		const path = archive.toString("latin1", at + HEADER_BYTES, at + HEADER_BYTES + nameBytes - 1);
		const start = align(at + HEADER_BYTES + nameBytes);
		if (path === "TRAILER!!!") return { members, byteLength: start };
		members.push({ path, mode, content: archive.subarray(start, start + byteLength), fields });
		at = align(start + byteLength);
	}
}

/** A newc archive with its trailer. */
export function newcArchive(members: readonly Partial<NewcMember>[]): Buffer {
	const all = [...members, { path: "TRAILER!!!" }];
	return Buffer.concat(all.flatMap((member) => newcMember(member)));
}

function newcMember({
	path = "",
	mode = 0o100644,
	content = Buffer.alloc(0),
	fields = [],
}: Partial<NewcMember>): Buffer[] {
	const nameBytes = Buffer.byteLength(path, "latin1") + 1;
	const numbers = Array.from({ length: 13 }, (_, i) => fields[i] ?? (i === 4 ? 1 : 0));
	numbers[1] = mode;
	numbers[6] = content.byteLength;
	numbers[11] = nameBytes;
	const header = `070701${numbers.map((value) => value.toString(16).padStart(8, "0")).join("")}`;
	return [padded(Buffer.from(`${header}${path}\0`, "latin1")), padded(content)];
}

function padded(bytes: Buffer): Buffer {
	return Buffer.concat([bytes, Buffer.alloc(align(bytes.byteLength) - bytes.byteLength)]);
}

function align(offset: number): number {
	return Math.ceil(offset / 4) * 4;
}
