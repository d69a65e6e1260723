import { corrupt, type Oci2isoError } from "../errors.ts";

/** One element of a DER encoding (X.690). */
export interface DerNode {
	/** Identifier octet; only tag numbers below 31 occur in what is read here. */
	readonly tag: number;
	readonly content: Uint8Array;
	/** With identifier and length. */
	readonly raw: Uint8Array;
}

export const DER_TAG = {
	integer: 0x02,
	octetString: 0x04,
	objectIdentifier: 0x06,
	sequence: 0x30,
	set: 0x31,
	context0: 0xa0,
} as const;

const MAX_CHILDREN = 1000;

/** The element at the beginning of `bytes`. Throws `Oci2isoError` BAD_DER. */
export function readDer(bytes: Uint8Array): DerNode {
	const [tag, first] = bytes;
	if (tag === undefined || first === undefined || (tag & 0x1f) === 0x1f) throw bad("no element");
	let at = 2;
	let length = first;
	if (first >= 0x80) {
		const count = first & 0x7f;
		if (count === 0 || count > 4) throw bad(`a length of ${count} octets`);
		length = 0;
		for (; at < 2 + count; at++) length = length * 256 + (bytes[at] ?? 0);
	}
	if (at + length > bytes.byteLength) throw bad(`an element of ${length} bytes`);
	return { tag, content: bytes.subarray(at, at + length), raw: bytes.subarray(0, at + length) };
}

/** The elements inside a constructed one. Throws `Oci2isoError` BAD_DER. */
export function derChildren(node: DerNode): DerNode[] {
	const children: DerNode[] = [];
	for (let rest = node.content; rest.byteLength > 0; ) {
		if (children.length === MAX_CHILDREN) throw bad("too many elements");
		const child = readDer(rest);
		children.push(child);
		rest = rest.subarray(child.raw.byteLength);
	}
	return children;
}

/** The children, which must have these tags in this order (more may follow). */
export function derFields(node: DerNode, ...tags: readonly number[]): DerNode[] {
	const children = derChildren(node);
	if (tags.some((tag, i) => children[i]?.tag !== tag)) throw bad("an element of another type");
	return children;
}

/** `1.2.840.113549` of an object identifier's content. */
export function objectIdentifier(node: DerNode): string {
	const numbers: number[] = [];
	let value = 0;
	for (const byte of node.content) {
		value = value * 128 + (byte & 0x7f);
		if ((byte & 0x80) !== 0) continue;
		if (numbers.length === 0) {
			const top = Math.min(2, Math.floor(value / 40));
			numbers.push(top, value - 40 * top);
		} else numbers.push(value);
		value = 0;
	}
	return numbers.join(".");
}

function bad(what: string): Oci2isoError {
	return corrupt("BAD_DER", `a signature is malformed: ${what}`, undefined, "DER");
}
