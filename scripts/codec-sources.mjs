/**
 * Where the C sources of zstd and lz4 are that the addon is compiled from, relative to the package, for binding.gyp: in a checkout those of the pinned
 * packages, in the published package the copy that `npm pack` put into it.
 */
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, relative, resolve } from "node:path";

export const root = resolve(import.meta.dirname, "..");
export const VENDORED = "native/vendor";

const SOURCES = {
	zstd: { package: "zstd-napi", directory: "deps/zstd/lib", header: "zstd.h" },
	lz4: { package: "lz4", directory: "deps/lz4/lib", header: "lz4.h" },
};

/** Absolute; throws where they are nowhere. */
export function codecSources(name) {
	const source = SOURCES[name];
	const vendored = join(root, VENDORED, name);
	if (existsSync(join(vendored, source.header))) return vendored;
	const require = createRequire(import.meta.url);
	return join(dirname(require.resolve(`${source.package}/package.json`)), source.directory);
}

if (process.argv[1] === import.meta.filename)
	process.stdout.write(relative(root, codecSources(process.argv[2])).replaceAll("\\", "/"));
