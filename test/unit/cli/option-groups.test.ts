import { Command } from "commander";
import { describe, expect, it } from "vitest";
import { registerBuild } from "../../../src/cli/build-command.ts";
import { registerInspect } from "../../../src/cli/inspect-command.ts";
import { addGroups, type GroupName, withFlags } from "../../../src/cli/option-groups.ts";
import { registerVerify } from "../../../src/cli/verify-command.ts";
import { checkOptions } from "../../../src/options/check-options.ts";
import {
	bootFields,
	flag,
	imageFields,
	registryFields,
	squashfsFields,
	treeFields,
} from "../../../src/options/fields.ts";

function commands(): ReadonlyMap<string, Command> {
	const program = new Command();
	registerBuild(program);
	registerInspect(program);
	registerVerify(program);
	return new Map(program.commands.map((command) => [command.name(), command]));
}

const groups = {
	image: imageFields,
	registry: registryFields,
	boot: bootFields,
	tree: treeFields,
	squashfs: squashfsFields,
};

describe("the groups of options", () => {
	it("have a property of the library for each option, and an option for each property", () => {
		const onlyHere = ["requireSecureBoot"];
		const onlyThere = ["transferPolicy"];
		for (const [name, fields] of Object.entries(groups)) {
			const command = addGroups(new Command(), name as GroupName);
			const properties = command.options.map((option) => option.attributeName());
			expect(properties.filter((property) => !onlyHere.includes(property)).sort()).toEqual(
				Object.keys(fields)
					.filter((property) => !onlyThere.includes(property))
					.sort(),
			);
		}
	});

	it("are the same for build, inspect and verify", () => {
		const flagsOf = (name: string) =>
			new Set(
				commands()
					.get(name)
					?.options.map(({ long }) => long),
			);
		const [build, inspect, verify] = ["build", "inspect", "verify"].map(flagsOf);
		for (const long of [
			"--authfile",
			"--creds",
			"--tls-verify",
			"--cert-dir",
			"--platform",
			"--max-inodes",
			"--exclude",
		])
			for (const known of [build, inspect, verify]) expect(known).toContain(long);
		for (const long of ["--preset", "--comp", "--level", "--block-size", "--label", "--kernel"])
			for (const known of [build, inspect]) expect(known).toContain(long);
	});

	it("give commander's values under the library's names", () => {
		const command = addGroups(new Command(), "image", "registry", "tree", "squashfs", "boot");
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
			blockSize: 131072,
		});
		expect(() =>
			checkOptions(given, { ...imageFields, ...registryFields, ...treeFields, ...squashfsFields }, []),
		).not.toThrow();
	});

	it("name the option of the command line in what the library says of a property", () => {
		const command = addGroups(new Command(), "squashfs", "tree");
		const error = (fields: object): unknown => {
			try {
				checkOptions(fields, { ...squashfsFields, ...treeFields, force: flag() }, []);
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
