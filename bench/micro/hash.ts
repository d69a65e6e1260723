import { createHash } from "node:crypto";
import { statSync } from "node:fs";
import { crc32 } from "node:zlib";
import { KiB, MiB } from "../../src/binary/units.ts";
import { computeMediaChecksum } from "../../src/formats/isomd5/media-checksum.ts";
import { Digester } from "../../src/oci/digest.ts";
import { FileSource } from "../../src/oci/file-region.ts";
import { microInputs, report } from "./repeat.ts";

/** Digests of blobs, layers and files, and the media checksum. */
const bytes = Buffer.alloc(64 * MiB, "a byte or two of input");

for (const chunkBytes of [64 * KiB, MiB])
	await report(`hash: SHA-256 of a blob, ${chunkBytes / KiB} KiB at a time`, bytes.byteLength, () => {
		const digester = new Digester("sha256");
		for (let at = 0; at < bytes.byteLength; at += chunkBytes) digester.update(bytes.subarray(at, at + chunkBytes));
		digester.finish();
	});
await report("hash: SHA-256 of files of 4 KiB", bytes.byteLength, () => {
	for (let at = 0; at < bytes.byteLength; at += 4 * KiB)
		createHash("sha256")
			.update(bytes.subarray(at, at + 4 * KiB))
			.digest("binary");
});
await report("hash: CRC-32", bytes.byteLength, () => {
	crc32(bytes);
});

const { iso } = microInputs();
const isoBytes = statSync(iso).size;
const file = await FileSource.open(iso, isoBytes);
await report("hash: media checksum of an ISO (MD5)", isoBytes, async () => {
	await computeMediaChecksum(file);
});
await file.close();
