/** One element of DER (X.690, 8.1): tag, and where its content lies. */
export interface DerElement {
	/** The identifier octet; multi-byte tags are refused. */
	readonly tag: number;
	readonly content: Uint8Array;
	/** Identifier, length and content. */
	readonly whole: Uint8Array;
}

export const DER = {
	integer: 0x02,
	octetString: 0x04,
	objectIdentifier: 0x06,
	sequence: 0x30,
	set: 0x31,
	context0: 0xa0,
} as const;

/** The element at the start of `bytes`, or undefined where there is none that fits. Lengths above 4 GiB and indefinite ones do not. */
export function derElement(bytes: Uint8Array): DerElement | undefined {
	const [tag, first] = bytes;
	if (tag === undefined || first === undefined || (tag & 0x1f) === 0x1f) return undefined;
	let at = 2;
	let length = first;
	if (first >= 0x80) {
		const count = first & 0x7f;
		if (count === 0 || count > 4 || at + count > bytes.byteLength) return undefined;
		length = 0;
		for (let i = 0; i < count; i++) length = length * 256 + (bytes[at++] ?? 0);
	}
	if (at + length > bytes.byteLength) return undefined;
	return { tag, content: bytes.subarray(at, at + length), whole: bytes.subarray(0, at + length) };
}

const MAX_ELEMENTS = 4096;

/** The elements that `content` is made of; none where any of it is something else. */
export function derElements(content: Uint8Array): DerElement[] {
	const elements: DerElement[] = [];
	let rest = content;
	while (rest.byteLength > 0) {
		const element = derElement(rest);
		if (element === undefined || elements.length === MAX_ELEMENTS) return [];
		elements.push(element);
		rest = rest.subarray(element.whole.byteLength);
	}
	return elements;
}

/** `1.2.840.113549.1.7.2` (X.690, 8.19). */
export function objectIdentifierText(content: Uint8Array): string {
	const arcs: number[] = [];
	let value = 0;
	for (const byte of content) {
		value = value * 128 + (byte & 0x7f);
		if (byte >= 0x80) continue;
		if (arcs.length === 0) {
			const root = Math.min(2, Math.floor(value / 40));
			arcs.push(root, value - root * 40);
		} else arcs.push(value);
		value = 0;
	}
	return arcs.join(".");
}
