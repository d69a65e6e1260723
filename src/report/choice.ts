/** Something that neither the contract nor the user decided, and what was chosen. */
export interface Choice {
	/** Stable name, for example `kernel`, `efi-vendor`, `label`. */
	readonly subject: string;
	readonly chosen: string;
	readonly reason: string;
	readonly alternatives?: readonly string[] | undefined;
	/** The option or file that decides it otherwise. */
	readonly override?: string | undefined;
}
