import { throwIfAborted } from "../errors.ts";
import type { Finding } from "../findings/finding.ts";
import { Findings } from "../findings/findings.ts";
import { hostEnvironment } from "../oci/registry/options.ts";
import { checkCache } from "./cache-check.ts";
import { checkCodecs } from "./codec-check.ts";
import { checkConfinement } from "./confinement-check.ts";
import { checkPlaces } from "./place-check.ts";
import { checkRegistries } from "./registry-check.ts";
import { checkResources } from "./resource-check.ts";

/** What this machine can do, and what it lacks. */
export interface HostExamination {
	readonly findings: readonly Finding[];
	/** Whether a build with the default options could work. */
	readonly isUsable: boolean;
}

/** Looks at this machine and this user's configuration, and changes nothing. `cache` is the cache's directory, where there is one. Rejects with INTERRUPTED. */
export async function examineHost(
	cache: string | undefined,
	signal?: AbortSignal | undefined,
): Promise<HostExamination> {
	const findings = new Findings();
	const environment = hostEnvironment();
	for (const check of [
		() => checkCodecs(findings),
		() => checkResources(findings),
		() => checkPlaces(findings, cache),
		() => checkCache(findings, cache, signal),
		() => checkConfinement(findings),
		() => checkRegistries(findings, environment),
	]) {
		throwIfAborted(signal);
		await check();
	}
	return { findings: findings.list, isUsable: findings.problems.length === 0 };
}
