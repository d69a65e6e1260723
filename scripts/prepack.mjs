// Makes what is published and not checked in: dist/, man/, the addon for machines like this one, and the C sources of zstd and lz4, to compile it elsewhere, without the
// packages around them, whose own addons nobody needs. `after` removes the copies again.
import { spawnSync } from "node:child_process";
import { copyFileSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, extname, join } from "node:path";
import { codecSources, root, VENDORED } from "./codec-sources.mjs";
import { staticLibrary } from "./static-library.mjs";

const PREBUILT = join(root, "prebuilt");

for (const made of [join(root, VENDORED), PREBUILT, join(root, "man")]) rmSync(made, { recursive: true, force: true });
if (process.argv[2] !== "after") {
	if (!run("bundle.mjs", "--types")) fail("dist/ was not made: are the dependencies installed (npm ci)?");
	if (!run("man-pages.mjs")) fail("man/ was not made");
	if (run("build-native.mjs")) copyAddon();
	else
		process.stderr.write("prepack: packed without a compiled addon: it is compiled where the package is installed\n");
	copySources();
}

function run(script, ...args) {
	return spawnSync(process.execPath, [join(root, "scripts", script), ...args], { stdio: "inherit" }).status === 0;
}

function fail(reason) {
	process.stderr.write(`prepack: ${reason}\n`);
	process.exit(1);
}

/** Without what only a debugger reads, and with the licences of what is linked into it. */
function copyAddon() {
	const directory = join(PREBUILT, `${process.platform}-${process.arch}`);
	mkdirSync(directory, { recursive: true });
	for (const name of ["oci2iso.node", "oci2iso_confine"]) {
		const built = join(root, "build/Release", name);
		if (!existsSync(built)) continue;
		copyFileSync(built, join(directory, name));
		spawnSync("strip", [process.platform === "linux" ? "--strip-unneeded" : "-x", join(directory, name)]);
	}
	const licences = ["deflate", "lzma"].filter((name) => staticLibrary(name) !== undefined).map(licenceOf);
	writeFileSync(join(directory, "LICENSES.txt"), licences.join("\n\n"));
}

/** Of a library of the system that is linked in, where Debian and Fedora have them. */
function licenceOf(name) {
	const places = { deflate: ["libdeflate-dev", "libdeflate-static"], lzma: ["liblzma-dev", "xz-static", "xz-libs"] }[
		name
	];
	const files = places.flatMap((place) => [
		`/usr/share/doc/${place}/copyright`,
		`/usr/share/licenses/${place}/COPYING`,
	]);
	const file = files.find((path) => existsSync(path));
	if (file === undefined)
		fail(`lib${name}.a is linked into the addon, and its licence is in none of ${files.join(", ")}`);
	return `lib${name}\n\n${readFileSync(file, "utf8")}`;
}

function copySources() {
	for (const name of ["zstd", "lz4"]) {
		const from = codecSources(name);
		const to = join(root, VENDORED, name);
		cpSync(from, to, { recursive: true, filter: (path) => extname(path) === "" || /\.[chS]$/.test(path) });
		const licence = [from, dirname(from)].flatMap((place) =>
			readdirSync(place)
				.filter((file) => file === "LICENSE")
				.map((file) => join(place, file)),
		)[0];
		copyFileSync(licence, join(to, "LICENSE"));
	}
}
