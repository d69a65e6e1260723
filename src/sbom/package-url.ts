import { PackageURL } from "packageurl-js";
import type { Distribution, ImageIdentity } from "./inventory.ts";
import type { InstalledPackage } from "./packages.ts";

/** Namespaces that are not os-release's ID. */
const NAMESPACES: Readonly<Record<string, string>> = { rhel: "redhat" };

/**
 * The package's URL (package-url.github.io), with the qualifiers that Syft gives: `arch`, `epoch`, `upstream` and `distro`.
 * Undefined for a name that no URL can have.
 */
export function packageUrl(found: InstalledPackage, distribution: Distribution): string | undefined {
	const { type, name, version, epoch, architecture, upstream } = found;
	const { id, versionId, buildId } = distribution;
	const release = versionId ?? buildId;
	const distro = id === undefined ? undefined : release === undefined ? id : `${id}-${release}`;
	const qualifiers = {
		arch: architecture,
		epoch: epoch === undefined ? undefined : `${epoch}`,
		upstream,
		distro,
	};
	return urlOf(type, id === undefined ? undefined : (NAMESPACES[id] ?? id), name, version, qualifiers);
}

/** Of an image in a registry. */
export function imageUrl({ repository, manifestDigest }: ImageIdentity): string | undefined {
	if (repository === undefined) return undefined;
	const name = repository.slice(repository.lastIndexOf("/") + 1);
	return urlOf("oci", undefined, name, manifestDigest, { repository_url: repository });
}

function urlOf(
	type: string,
	namespace: string | undefined,
	name: string,
	version: string,
	qualifiers: Readonly<Record<string, string | undefined>>,
): string | undefined {
	const given = Object.fromEntries(
		Object.entries(qualifiers).flatMap(([key, value]) => (value === undefined || value === "" ? [] : [[key, value]])),
	);
	try {
		return new PackageURL(type, namespace, name, version, given, undefined).toString();
	} catch {
		// lone surrogates, for example
		return undefined;
	}
}
