import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fetchClosure } from "../../fixtures/debian/apt.ts";

/** How to run `mkfs.erofs`: the words before its arguments. */
export type MakeErofs = readonly string[];

/** Those of Debian's releases beside this machine's, unpacked below `directory` with their libraries. Throws where the mirror cannot be reached. */
export async function makeErofsOf(suite: string, directory: string): Promise<MakeErofs> {
	const packages = join(directory, suite);
	mkdirSync(packages, { recursive: true });
	const debs = await fetchClosure(["erofs-utils"], packages, {
		closureFile: join(packages, "closure.json"),
		suite,
		architecture: "amd64",
		refresh: false,
		log: () => {},
	});
	const root = join(packages, "root");
	for (const { path } of debs) execFileSync("dpkg-deb", ["-x", path, root]);
	const libraries = join(root, "usr/lib/x86_64-linux-gnu");
	const loader = readdirSync(libraries).find((name) => /^ld-linux.*\.so/.test(name)) ?? "ld-linux-x86-64.so.2";
	return [join(libraries, loader), "--library-path", libraries, join(root, "usr/bin/mkfs.erofs")];
}
