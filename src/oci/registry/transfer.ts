import type { Digest } from "../digest.ts";

/** Where one blob came from and what that took, for the build report. All byte counts are of bodies. */
export interface BlobTransfer {
	readonly digest: Digest;
	/** Host that gave the last byte; the registry or mirror itself, also where that sent on to another host. */
	host: string;
	/** Everything that was received, with what had to be thrown away. */
	fetchedBytes: number;
	/** Of these, bytes that a Range request asked for after a drop. */
	resumedBytes: number;
	/** Of these, bytes that were thrown away because a server sent again what was there already. */
	repeatedBytes: number;
	/** Bytes that were needed again and not fetched again. */
	skippedBytes: number;
	/** Attempts after the first. */
	retries: number;
}

/** One entry per blob, in the order of first use. */
export class TransferLog {
	readonly #transfers = new Map<Digest, BlobTransfer>();

	of(digest: Digest): BlobTransfer {
		const known = this.#transfers.get(digest);
		if (known !== undefined) return known;
		const transfer: BlobTransfer = {
			digest,
			host: "",
			fetchedBytes: 0,
			resumedBytes: 0,
			repeatedBytes: 0,
			skippedBytes: 0,
			retries: 0,
		};
		this.#transfers.set(digest, transfer);
		return transfer;
	}

	get all(): readonly Readonly<BlobTransfer>[] {
		return [...this.#transfers.values()];
	}
}
