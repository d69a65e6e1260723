import { join } from "node:path";
import { unsupported } from "../failures.ts";
import type { Environment } from "../registry/options.ts";
import { parseStorageConf, type StorageConf } from "./storage-conf.ts";
import type { NamedStore } from "./storage-reference.ts";
import { readStoreFile, storeNames } from "./store-file.ts";

/** Where images may be. */
export interface StorePlaces {
	/** "overlay" or "vfs"; undefined: the one that is there. */
	readonly driver: string | undefined;
	/** Graph roots, the user's own first, then those that it is laid over. */
	readonly roots: readonly string[];
}

const DRIVERS = ["overlay", "vfs"];
const MAX_CONF_BYTES = 1024 * 1024;

/** Throws `Oci2isoError` (exit 2) where storage.conf makes no sense, or names a driver whose stores are not files: STORAGE_CONF_INVALID, STORE_UNSUPPORTED. */
export async function storePlaces(named: NamedStore | undefined, environment: Environment): Promise<StorePlaces> {
	if (named === undefined) return await ownPlaces(environment);
	return {
		driver: knownDriver(named.driver, named.graphRoot),
		roots: [named.graphRoot, ...imageStoresOf(named.options)],
	};
}

/** Of the user, as podman finds them. */
async function ownPlaces(environment: Environment): Promise<StorePlaces> {
	const { variables, home } = environment;
	const userId = rootlessUserId(variables);
	const { system, own } = await readConfs(environment, userId !== 0);
	const expand = (path: string | undefined): string | undefined =>
		path === undefined ? undefined : expandVariables(path, { ...variables, UID: String(userId) });
	const dataHome = variables["XDG_DATA_HOME"] || join(home, ".local/share");
	const userRoot = expand(system.rootlessStoragePath) ?? join(dataHome, "containers/storage");
	const systemRoot = expand(system.graphRoot) ?? join(environment.systemRoot, "var/lib/containers/storage");
	// what is meant for root says nothing of where a user's images are
	const graphRoot = expand(own.graphRoot ?? own.rootlessStoragePath) ?? (userId === 0 ? systemRoot : userRoot);
	const imageStore = expand(own.imageStore ?? (userId === 0 ? system.imageStore : undefined));
	const named = [...own.additionalImageStores, ...system.additionalImageStores].map((path) => expand(path) ?? path);
	const roots = [imageStore, graphRoot, ...imageStoresOf((variables["STORAGE_OPTS"] ?? "").split(",")), ...named];
	return {
		driver: knownDriver(variables["STORAGE_DRIVER"] || (own.driver ?? system.driver), graphRoot),
		roots: [...new Set(roots.filter((root) => root !== undefined))],
	};
}

/** The user whose store is meant: `podman unshare` and `buildah unshare` make that user root of a namespace. 0 is the system's root. */
export function rootlessUserId(variables: Environment["variables"]): number {
	const stated = variables["_CONTAINERS_ROOTLESS_UID"];
	return stated === undefined || !/^\d{1,10}$/.test(stated) ? (process.getuid?.() ?? 0) : Number(stated);
}

interface Confs {
	readonly system: StorageConf;
	/** The user's, or the one that the environment names. */
	readonly own: StorageConf;
}

async function readConfs({ variables, home, systemRoot }: Environment, isUser: boolean): Promise<Confs> {
	const none: StorageConf = { additionalImageStores: [] };
	const read = async (path: string): Promise<StorageConf | undefined> => {
		const bytes = await readStoreFile(path, MAX_CONF_BYTES);
		return bytes === undefined ? undefined : parseStorageConf({ path, text: bytes.toString("utf8") });
	};
	const named = variables["CONTAINERS_STORAGE_CONF"];
	if (named) {
		const own = await read(named);
		if (own !== undefined) return { system: none, own };
		throw unsupported("STORAGE_CONF_INVALID", "there is no such storage.conf", named, "see CONTAINERS_STORAGE_CONF");
	}
	const ofSystem: StorageConf[] = [];
	for (const directory of ["usr/share/containers", "etc/containers"].map((path) => join(systemRoot, path))) {
		const dropIns = (await storeNames(join(directory, "storage.conf.d"))).filter((name) => name.endsWith(".conf"));
		for (const name of ["storage.conf", ...dropIns.map((each) => join("storage.conf.d", each))]) {
			const conf = await read(join(directory, name));
			if (conf !== undefined) ofSystem.push(conf);
		}
	}
	const configHome = variables["XDG_CONFIG_HOME"] || join(home, ".config");
	const own = isUser ? await read(join(configHome, "containers/storage.conf")) : undefined;
	return { system: ofSystem.reduce(merged, none), own: own ?? none };
}

/** What the later file says goes. */
function merged(earlier: StorageConf, later: StorageConf): StorageConf {
	return {
		driver: later.driver ?? earlier.driver,
		graphRoot: later.graphRoot ?? earlier.graphRoot,
		imageStore: later.imageStore ?? earlier.imageStore,
		rootlessStoragePath: later.rootlessStoragePath ?? earlier.rootlessStoragePath,
		additionalImageStores: [...later.additionalImageStores, ...earlier.additionalImageStores],
	};
}

function expandVariables(path: string, variables: Environment["variables"]): string {
	return path.replace(
		/\$(?:\{(\w+)\}|(\w+))/g,
		(_, braced?: string, plain?: string) => variables[braced ?? plain ?? ""] ?? "",
	);
}

function knownDriver(driver: string | undefined, where: string): string | undefined {
	const name = driver === "overlay2" ? "overlay" : driver;
	if (name === undefined || DRIVERS.includes(name)) return name;
	throw unsupportedDriver(name, where);
}

/** The driver whose images are below a root; undefined where there are none. Throws STORE_UNSUPPORTED (exit 2). */
export async function driverBelow(root: string): Promise<string | undefined> {
	const names = (await storeNames(root)).flatMap((name) => (name.endsWith("-images") ? [name.slice(0, -7)] : []));
	const driver = DRIVERS.find((known) => names.includes(known)) ?? names[0];
	return driver === undefined ? undefined : knownDriver(driver, root);
}

function unsupportedDriver(driver: string, where: string) {
	return unsupported(
		"STORE_UNSUPPORTED",
		`the store's driver "${driver.slice(0, 64)}" is not served, but ${DRIVERS.join(" and ")} are`,
		where,
		"run `podman save --format oci-archive -o FILE IMAGE` and give oci-archive:FILE",
	);
}

/** `[DRIVER.]imagestore=DIR` among options of a graph driver. */
function imageStoresOf(options: readonly string[]): string[] {
	return options.flatMap((option) => {
		const [, path] = /^(?:\w*\.)?(?:additional)?imagestore=(\/.*)$/.exec(option.trim()) ?? [];
		return path === undefined ? [] : [path];
	});
}
