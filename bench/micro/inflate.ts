import { spawnSync } from "node:child_process";
import { createReadStream, existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { createGunzip } from "node:zlib";
import { readRegion } from "../../src/oci/file-region.ts";
import { gunzip } from "../../src/oci/gunzip.ts";
import { unzstd } from "../../src/oci/unzstd.ts";
import { microInputs, report } from "./repeat.ts";

/** Layers as oci2iso inflates them, beside what node and the host's tools do with the same bytes. Speeds are of the bytes that come out. */
const { gzipLayer, tar, scratch } = microInputs();
const tarBytes = statSync(tar).size;
const region = (path: string) => ({ path, position: 0, byteLength: statSync(path).size });

async function drain(chunks: AsyncIterable<Uint8Array>): Promise<void> {
	let byteLength = 0;
	for await (const chunk of chunks) byteLength += chunk.byteLength;
	if (byteLength !== tarBytes) throw new Error(`${byteLength} bytes came out instead of ${tarBytes}`);
}

await report("inflate: gzip, as a layer is read", tarBytes, () =>
	drain(gunzip(readRegion(region(gzipLayer)), "layer")),
);
await report("inflate: gzip, node's stream with its defaults", tarBytes, () =>
	drain(createReadStream(gzipLayer).pipe(createGunzip())),
);
for (const tool of ["gzip", "pigz", "igzip"]) {
	if (spawnSync(tool, ["--version"], { stdio: "ignore" }).status !== 0) continue;
	const command = ["-c", '"$1" -dc "$2" >/dev/null', "sh", tool, gzipLayer];
	await report(`inflate: ${tool} -dc`, tarBytes, () => void spawnSync("sh", command), { inChild: true });
}

const zstdLayer = join(scratch, "layer.zst");
spawnSync("zstd", ["-q", "-3", "-f", tar, "-o", zstdLayer]);
if (existsSync(zstdLayer) && readFileSync(zstdLayer).byteLength > 0)
	await report("inflate: zstd -3, as a layer is read", tarBytes, () =>
		drain(unzstd(readRegion(region(zstdLayer)), "layer")),
	);
else process.stderr.write("SKIPPED: inflating zstd: needs the zstd command\n");
