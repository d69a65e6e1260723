import { hash } from "node:crypto";

/** Makes the SHA-256 of contents, 32 bytes each, which the caller may keep. */
export interface ContentHasher {
	one(content: Uint8Array): Uint8Array;
	/** Two at once can take less time than one after the other. */
	two(first: Uint8Array, second: Uint8Array): readonly [Uint8Array, Uint8Array];
}

export const PORTABLE_HASHER: ContentHasher = {
	one: (content) => hash("sha256", content, "buffer"),
	two: (first, second) => [hash("sha256", first, "buffer"), hash("sha256", second, "buffer")],
};
