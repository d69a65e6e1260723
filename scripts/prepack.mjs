// Makes what is published and not checked in: dist/, and the C sources of zstd and lz4 without the packages around them, whose own addons nobody needs.
// `after` removes the copies again.
import { spawnSync } from "node:child_process";
import { copyFileSync, cpSync, readdirSync, rmSync } from "node:fs";
import { dirname, extname, join } from "node:path";
import { codecSources, root, VENDORED } from "./codec-sources.mjs";

rmSync(join(root, VENDORED), { recursive: true, force: true });
if (process.argv[2] !== "after") {
	const { status } = spawnSync(process.execPath, [join(root, "scripts/bundle.mjs"), "--types"], { stdio: "inherit" });
	if (status !== 0) {
		process.stderr.write("prepack: dist/ was not made: are the dependencies installed (npm ci)?\n");
		process.exit(1);
	}
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
