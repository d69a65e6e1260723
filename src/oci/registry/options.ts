import { homedir } from "node:os";
import type { TransferPolicy } from "./retry-policy.ts";

/** What the user may say about registries; the command line's options have the same names. */
export interface RegistryOptions {
	/** The only auth.json to look at. Default: `REGISTRY_AUTH_FILE`, else the places of containers-auth.json(5). */
	readonly authFile?: string | undefined;
	/** `USER:PASSWORD` for the registry that the reference names; mirrors never see it. */
	readonly creds?: string | undefined;
	/** False: accept any certificate, and plain HTTP. Default: as registries.conf says, else true. */
	readonly tlsVerify?: boolean | undefined;
	/** The only directory with `*.crt`, `*.cert` and `*.key`. Default: the places of containers-certs.d(5). */
	readonly certDir?: string | undefined;
	readonly policy?: Partial<TransferPolicy> | undefined;
	readonly environment?: Environment | undefined;
}

/** What the machine says about registries. */
export interface Environment {
	readonly variables: Readonly<Record<string, string | undefined>>;
	/** The user's home directory. */
	readonly home: string;
	/** Below which `etc/containers` and its like are: "/". */
	readonly systemRoot: string;
}

export function hostEnvironment(): Environment {
	return { variables: process.env, home: homeDirectory(), systemRoot: "/" };
}

/** A user id that the machine does not know, as containers often have, has no home. */
function homeDirectory(): string {
	try {
		return homedir();
	} catch {
		return "/";
	}
}
