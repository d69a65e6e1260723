// Runs when the package is installed: where the addon that it brings does not run, compiles one. Where that is not possible either, the portable codecs do its
// work, and the installation goes on.
import { spawnSync } from "node:child_process";
import { join, resolve } from "node:path";
import zlib from "node:zlib";

const script = join(import.meta.dirname, "build-native.mjs");
const prebuilt = resolve(import.meta.dirname, `../prebuilt/${process.platform}-${process.arch}/oci2iso.node`);

if (!loads(prebuilt)) {
	const { status, stderr, error } = spawnSync(process.execPath, [script], {
		encoding: "utf8",
		maxBuffer: 64 * 2 ** 20,
	});
	if (status !== 0) {
		const reason = error?.message ?? stderr.trimEnd().split("\n").at(-1);
		const without =
			zlib.zstdCompress === undefined
				? `Node.js ${process.versions.node} has no zstd of its own (22.15 has): until then choose --comp gzip`
				: "until then slower codecs are used";
		process.stderr.write(
			`oci2iso: installed without its native addon (${reason}); later: node ${script}; ${without}\n`,
		);
	}
}

/** In a process of its own: what was made for another machine may end it. */
function loads(file) {
	return spawnSync(process.execPath, ["-e", "require(process.argv[1])", file], { stdio: "ignore" }).status === 0;
}
