import { join } from "node:path";
import { rootCertificates } from "node:tls";
import { configurationNames, readIfThere } from "./config-files.ts";
import { registryFailure } from "./fault.ts";
import type { Environment } from "./options.ts";

/** PEM texts for the connections to one registry. */
export interface Certificates {
	/** Authorities to trust besides the machine's. */
	readonly authorities: readonly string[];
	/** To show to the registry itself; to no other host. */
	readonly client: readonly { readonly certificate: string; readonly key: string }[];
}

/** Where distributions keep the authorities that the machine trusts. */
const SYSTEM_BUNDLES = [
	"etc/ssl/certs/ca-certificates.crt",
	"etc/pki/tls/certs/ca-bundle.crt",
	"etc/ssl/ca-bundle.pem",
	"etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
	"etc/ssl/cert.pem",
];

/**
 * `--cert-dir`, else the first directory for `HOST[:PORT]` of containers-certs.d(5): authorities are its `*.crt`, client certificates its `*.cert`
 * each with a `*.key`. Throws `Oci2isoError` CERTIFICATE_INVALID (exit 4) naming the file.
 */
export async function loadCertificates(
	host: string,
	certDir: string | undefined,
	{ home, systemRoot }: Environment,
): Promise<Certificates> {
	const places =
		certDir === undefined
			? [join(home, ".config/containers"), join(systemRoot, "etc/containers"), join(systemRoot, "etc/docker")].map(
					(parent) => join(parent, "certs.d", host),
				)
			: [certDir];
	for (const directory of places) {
		const names = await configurationNames(directory);
		if (names.length > 0) return await readDirectory(directory, names);
		if (certDir !== undefined)
			throw registryFailure("CERTIFICATE_INVALID", "the directory of --cert-dir is empty or absent", certDir);
	}
	return { authorities: [], client: [] };
}

async function readDirectory(directory: string, names: readonly string[]): Promise<Certificates> {
	const authorities: string[] = [];
	const client: { certificate: string; key: string }[] = [];
	for (const name of names) {
		if (name.endsWith(".crt")) authorities.push(await pem(join(directory, name)));
		if (!name.endsWith(".cert")) continue;
		const key = `${name.slice(0, -".cert".length)}.key`;
		client.push({ certificate: await pem(join(directory, name)), key: await pem(join(directory, key)) });
	}
	return { authorities, client };
}

async function pem(path: string): Promise<string> {
	const text = await readIfThere(path);
	if (text === undefined)
		throw registryFailure("CERTIFICATE_INVALID", "file is missing beside its client certificate", path);
	if (!text.includes("-----BEGIN ")) throw registryFailure("CERTIFICATE_INVALID", "file is not in PEM format", path);
	return text;
}

/** What the machine trusts: `SSL_CERT_FILE` or the distribution's bundle, else the list of this runtime; with `NODE_EXTRA_CA_CERTS`. */
export async function systemAuthorities({ variables, systemRoot }: Environment): Promise<string[]> {
	const extraPath = variables["NODE_EXTRA_CA_CERTS"];
	const extra = extraPath ? await readIfThere(extraPath) : undefined;
	const added = extra === undefined ? [] : [extra];
	const named = variables["SSL_CERT_FILE"];
	for (const path of named ? [named] : SYSTEM_BUNDLES.map((bundle) => join(systemRoot, bundle))) {
		const bundle = await readIfThere(path);
		if (bundle?.includes("-----BEGIN ") === true) return [bundle, ...added];
	}
	return [...rootCertificates, ...added];
}
