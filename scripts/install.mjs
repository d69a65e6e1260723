// Runs when the package is installed: compiles the addon where that is possible. Where it is not, the portable codecs do its work, and the installation goes on.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import zlib from "node:zlib";

const script = join(import.meta.dirname, "build-native.mjs");
const { status, stderr, error } = spawnSync(process.execPath, [script], { encoding: "utf8", maxBuffer: 64 * 2 ** 20 });
if (status !== 0) {
	const reason = error?.message ?? stderr.trimEnd().split("\n").at(-1);
	const without =
		zlib.zstdCompress === undefined
			? `Node.js ${process.versions.node} has no zstd of its own (22.15 has): until then choose --comp gzip`
			: "until then slower codecs are used";
	process.stderr.write(`oci2iso: installed without its native addon (${reason}); later: node ${script}; ${without}\n`);
}
