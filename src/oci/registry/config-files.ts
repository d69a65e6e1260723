import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf } from "../failures.ts";
import { ifThere, namesIn } from "../if-there.ts";
import { registryFailure } from "./fault.ts";
import type { Environment } from "./options.ts";
import { parseRegistriesConf, type RegistriesConf } from "./registries-conf.ts";

/** Reads registries.conf and its drop-ins from the places of containers-registries.conf(5); none of them has to be there. */
export async function loadRegistriesConf({ variables, home, systemRoot }: Environment): Promise<RegistriesConf> {
	const named = variables["CONTAINERS_REGISTRIES_CONF"] || variables["REGISTRIES_CONFIG_PATH"];
	if (named !== undefined && named !== "") {
		const text = await readIfThere(named);
		if (text === undefined)
			throw registryFailure("CONFIGURATION_UNREADABLE", "there is no such registries.conf", named);
		return parseRegistriesConf([{ path: named, text }]);
	}
	const system = join(systemRoot, "etc/containers");
	const own = join(home, ".config/containers");
	const files: { path: string; text: string }[] = [];
	for (const path of [join(own, "registries.conf"), join(system, "registries.conf")]) {
		const text = await readIfThere(path);
		if (text === undefined) continue;
		files.push({ path, text });
		break;
	}
	for (const directory of [system, own].map((parent) => join(parent, "registries.conf.d")))
		for (const name of (await configurationNames(directory)).filter((entry) => entry.endsWith(".conf"))) {
			const path = join(directory, name);
			const text = await readIfThere(path);
			if (text !== undefined) files.push({ path, text });
		}
	return parseRegistriesConf(files);
}

/** A configuration file as UTF-8, or undefined where there is none. Throws `Oci2isoError` CONFIGURATION_UNREADABLE (exit 4). */
export function readIfThere(path: string): Promise<string | undefined> {
	return ifThere(() => readFile(path, "utf8"), unreadableAt(path));
}

/** The entries of a directory of configuration files, as `namesIn` has them. Throws as `readIfThere`. */
export function configurationNames(directory: string): Promise<string[]> {
	return namesIn(directory, unreadableAt(directory));
}

function unreadableAt(path: string): (error: unknown) => Error {
	return (error) =>
		registryFailure("CONFIGURATION_UNREADABLE", `cannot read it: ${errnoOf(error) ?? "unknown reason"}`, path);
}
