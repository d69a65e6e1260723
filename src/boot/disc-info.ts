import { type ByteString, byteStringFromText } from "../binary/byte-string.ts";

/**
 * `.discinfo` as Anaconda reads it: time stamp as Python prints a float, version, architecture, each on a line.
 * `epochSeconds` is an integer; a missing version is an empty line.
 */
export function discInfo(epochSeconds: number, versionId: string | undefined, architecture: string): ByteString {
	const version = (versionId ?? "").replace(/\p{Cc}/gu, " ");
	return byteStringFromText(`${epochSeconds}.0\n${version}\n${architecture}\n`);
}
