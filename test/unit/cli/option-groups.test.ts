import { Command } from "commander";
import { describe, expect, it } from "vitest";
import { registerBuild } from "../../../src/cli/build-command.ts";
import { registerInspect } from "../../../src/cli/inspect-command.ts";
import { addGroups, withFlags } from "../../../src/cli/option-groups.ts";
import { registerVerify } from "../../../src/cli/verify-command.ts";
import { checkOptions } from "../../../src/options/check-options.ts";
import {
	bootFields,
	cacheFields,
	flag,
	imageFields,
	limitFields,
	mediumFields,
	registryFields,
	rootFileSystemFields,
	runFields,
	treeFields,
} from "../../../src/options/fields.ts";

function commands(): ReadonlyMap<string, Command> {
	const program = new Command();
	registerBuild(program);
	registerInspect(program);
	registerVerify(program);
	return new Map(program.commands.map((command) => [command.name(), command]));
}

describe("the groups of options", () => {
	it("are the same for build, inspect and verify, and the library's", () => {
		const namesOf = (name: string) =>
			commands()
				.get(name)
				?.options.map((option) => option.attributeName()) ?? [];
		const image = Object.keys({ ...imageFields, ...limitFields, ...registryFields, ...treeFields });
		for (const name of ["build", "inspect", "verify"]) expect(namesOf(name)).toEqual(expect.arrayContaining(image));
		const content = Object.keys({ ...bootFields, ...rootFileSystemFields });
		for (const name of ["build", "inspect"]) expect(namesOf(name)).toEqual(expect.arrayContaining(content));
		const rest = Object.keys({ ...runFields, ...mediumFields, ...cacheFields });
		expect(namesOf("build")).toEqual(expect.arrayContaining(rest));
	});

	it("give commander's values under the library's names", () => {
		const command = addGroups(new Command(), "image", "registry", "tree", "rootFileSystem", "boot");
		command
			.exitOverride()
			.parse(
				[
					"--authfile",
					"a",
					"--tls-verify=0",
					"--exclude",
					"x",
					"--exclude",
					"y",
					"--no-default-excludes",
					"--no-fragments",
					"--all-root",
					"--block-size",
					"128K",
				],
				{ from: "user" },
			);
		const given = command.opts();
		expect(given).toEqual({
			authFile: "a",
			tlsVerify: false,
			exclude: ["x", "y"],
			defaultExcludes: false,
			allRoot: true,
			fragments: false,
			exports: true,
			blockSize: 131072,
		});
		expect(() =>
			checkOptions(given, { ...imageFields, ...registryFields, ...treeFields, ...rootFileSystemFields }, []),
		).not.toThrow();
	});

	it("name the option of the command line in what the library says of a property", () => {
		const command = addGroups(new Command(), "rootFileSystem", "tree");
		const error = (fields: object): unknown => {
			try {
				checkOptions(fields, { ...rootFileSystemFields, ...treeFields, force: flag() }, []);
				return undefined;
			} catch (thrown) {
				return withFlags(thrown, command);
			}
		};
		expect(error({ blockSize: 5 })).toMatchObject({ where: "--block-size", exitStatus: 2 });
		expect(error({ defaultExcludes: 5 })).toMatchObject({ where: "--default-excludes" });
		expect(error({ force: 5 })).toMatchObject({ where: "force" });
	});
});
