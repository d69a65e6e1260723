/** `OCI2ISO_SLOW=1` asks for what takes minutes and shows little that the rest does not. */
const isWanted = process.env["OCI2ISO_SLOW"] === "1";

/** Whether what takes long runs; says once what does not. */
export function isSlowWanted(what: string): boolean {
	if (!isWanted) process.stderr.write(`SKIPPED: ${what}; set OCI2ISO_SLOW=1\n`);
	return isWanted;
}

/** Of a campaign's rounds, or of a size, the fifth that is tried every time. */
export function roundsOf(full: number): number {
	return isWanted ? full : Math.ceil(full / 5);
}
