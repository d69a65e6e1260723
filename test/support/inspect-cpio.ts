/** A member of a newc archive as tests take one apart and put it together. */
export interface NewcMember {
	readonly path: string;
	readonly mode: number;
	readonly content: Buffer;
	/** The other header fields, in the header's order of 13 numbers. */
	readonly fields: readonly number[];
}

const HEADER_BYTES = 110;

/** The members of one archive, without its trailer. For archives of our own making only. */
export function newcMembers(archive: Buffer): NewcMember[] {
	const members: NewcMember[] = [];
	for (let at = 0; ; ) {
		const fields = Array.from({ length: 13 }, (_, i) =>
			Number.parseInt(archive.toString("latin1", at + 6 + 8 * i, at + 14 + 8 * i), 16),
		);
		const [, mode = 0, , , , , byteLength = 0, , , , , nameBytes = 0] = fields;
		const path = archive.toString("latin1", at + HEADER_BYTES, at + HEADER_BYTES + nameBytes - 1);
		if (path === "TRAILER!!!") return members;
		const start = align(at + HEADER_BYTES + nameBytes);
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
