// Makes what is published and not checked in: dist/, and the C sources of zstd and lz4 without the packages around them, whose own addons nobody needs.
// `after` removes the copies again.
import { spawnSync } from "node:child_process";
import { copyFileSync, cpSync, existsSync, readdirSync, rmSync } from "node:fs";
import { dirname, extname, join } from "node:path";
import { codecSources, root, VENDORED } from "./codec-sources.mjs";

rmSync(join(root, VENDORED), { recursive: true, force: true });
if (process.argv[2] !== "after") {
	const compiler = join(root, "node_modules/typescript/bin/tsc");
	if (!existsSync(compiler)) {
		process.stderr.write("prepack: the dependencies are not installed: run npm ci\n");
		process.exit(1);
	}
	rmSync(join(root, "dist"), { recursive: true, force: true });
	const { status } = spawnSync(process.execPath, [compiler, "-p", "tsconfig.build.json"], {
		cwd: root,
		stdio: "inherit",
	});
	if (status !== 0) process.exit(1);
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
