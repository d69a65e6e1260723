import { createHash, type Hash } from "node:crypto";
import { KiB, MiB } from "../../binary/units.ts";
import { assert } from "../../errors.ts";
import { type PeLayout, readCertificateTable } from "./pe-layout.ts";

export type DigestAlgorithm = "sha1" | "sha256" | "sha384" | "sha512";

/** What decides whether a program is trusted. */
export interface SignedProgram {
	/** PKCS #7 `SignedData` of each signature, DER, in the file's order. */
	readonly signatures: readonly Uint8Array[];
	/** What is wrong with it although it can be read, in words: layouts whose digest or signatures firmware does not accept. */
	readonly faults: readonly string[];
	/**
	 * Authenticode's digest of the program ("Calculating the PE Image Hash"): headers, sections in the file's order and what follows them,
	 * without checksum, certificate directory entry and certificate table. Where the layout is at fault, all of the program in one piece.
	 */
	digest(algorithm: DigestAlgorithm): Buffer;
}

/** `isWhole` of its certificate table, which is read apart; `fileBytes` long. */
export function layoutFaults({ fault, certificates }: PeLayout, fileBytes: number, isWhole: boolean): string[] {
	const faults = fault === undefined ? [] : [fault];
	if (certificates.start < certificates.end && certificates.end !== fileBytes)
		faults.push("its certificate table does not end the file");
	if (!isWhole) faults.push("its certificate table is malformed");
	return faults;
}

/** Headers of a program and Linux's boot protocol are in these first bytes, and the release where the protocol can point to, unless they are in an odd place. */
export const PASSING_HEAD_BYTES = 128 * KiB;
const MAX_CERTIFICATE_TABLE_BYTES = MiB;

/** Digests a program and keeps its certificate table while its bytes pass, from the first on. For layouts that `canPass`. */
export class PassingProgram {
	readonly #layout: PeLayout;
	readonly #hashes: ReadonlyMap<DigestAlgorithm, Hash>;
	readonly #table: Buffer;
	/** Bytes that passed. */
	#position = 0;
	/** The first of the digested ranges that has not passed whole. */
	#range = 0;

	constructor(layout: PeLayout, algorithms: Iterable<DigestAlgorithm>) {
		this.#layout = layout;
		this.#hashes = new Map([...algorithms].map((algorithm) => [algorithm, createHash(algorithm)]));
		this.#table = Buffer.alloc(layout.certificates.end - layout.certificates.start);
	}

	/** Digested ranges follow one another in the file, and the certificate table has at most 1 MiB. */
	static canPass({ digested, certificates }: PeLayout): boolean {
		return (
			certificates.end - certificates.start <= MAX_CERTIFICATE_TABLE_BYTES &&
			digested.every(({ start }, index) => start >= (digested[index - 1]?.end ?? 0))
		);
	}

	push(bytes: Uint8Array): void {
		const { digested, certificates } = this.#layout;
		const from = this.#position;
		const to = from + bytes.byteLength;
		for (let range = digested[this.#range]; range !== undefined && range.start < to; range = digested[this.#range]) {
			const piece = bytes.subarray(Math.max(range.start - from, 0), Math.min(range.end, to) - from);
			for (const hash of this.#hashes.values()) hash.update(piece);
			if (range.end > to) break;
			this.#range++;
		}
		if (certificates.start < to && certificates.end > from)
			this.#table.set(
				bytes.subarray(Math.max(certificates.start - from, 0), Math.min(certificates.end, to) - from),
				Math.max(from - certificates.start, 0),
			);
		this.#position = to;
	}

	/** The program, once all of it has passed; it has the digests that were asked for. */
	finish(): SignedProgram {
		const zeros = Buffer.alloc(this.#layout.digestedZeros);
		const digests = new Map([...this.#hashes].map(([name, hash]) => [name, hash.update(zeros).digest()]));
		const { signatures, isWhole } = readCertificateTable(this.#table);
		return {
			signatures,
			faults: layoutFaults(this.#layout, this.#position, isWhole),
			digest(algorithm) {
				const digest = digests.get(algorithm);
				assert(digest !== undefined, `${algorithm} was asked for`);
				return digest;
			},
		};
	}
}
