/** A parser under test. */
export interface FuzzTarget {
	/** Names it in the corpus and in reports: letters, digits and dashes. */
	readonly name: string;
	/** Inputs that the parser understands, small. */
	seeds(): readonly Uint8Array[] | Promise<readonly Uint8Array[]>;
	/** Words of the format, with `~` between them. */
	readonly dictionary?: string;
	/** Longest input; default 4096. */
	readonly maxBytes?: number;
	/**
	 * Feeds the parser. Must end; may throw `Oci2isoError` (or be rejected with one), as the product does about input that is not what it should be.
	 * Anything else that is thrown is a finding.
	 */
	run(input: Buffer): unknown;
}

export function utf8(...texts: readonly string[]): Uint8Array[] {
	return texts.map((text) => Buffer.from(text));
}

/** What targets share is made when the first of them runs. */
export function once<Value>(make: () => Value): () => Value {
	let made: { readonly value: Value } | undefined;
	return () => {
		made ??= { value: make() };
		return made.value;
	};
}
