import { Oci2isoError } from "../errors.ts";
import type { Findings } from "../findings/findings.ts";
import { credentialPlaces, registriesConfFault } from "../oci/registry/credential-places.ts";
import type { Environment } from "../oci/registry/options.ts";

/** Whose credentials would be used, never what they are. */
export async function checkRegistries(findings: Findings, environment: Environment): Promise<void> {
	const places = await credentialPlaces(environment);
	for (const place of places) {
		if (place instanceof Oci2isoError) {
			findings.warn(place.code, place.what, { evidence: place.where, remedy: place.remedy });
			continue;
		}
		const { path, registries, helpers, isExposed } = place;
		const names = registries.length === 0 ? "no registry" : registries.join(", ");
		const asked = helpers.length === 0 ? "" : `, with ${helpers.map((name) => `docker-credential-${name}`).join(", ")}`;
		findings.ok("CREDENTIALS", `credentials for ${names}${asked}`, path);
		if (isExposed && registries.length > 0)
			findings.warn("CREDENTIALS_EXPOSED", "other users of this machine may read these credentials", {
				evidence: path,
				remedy: `chmod 600 ${path}`,
			});
	}
	if (places.length === 0) findings.ok("CREDENTIALS", "no credentials: registries are asked anonymously");
	const fault = await registriesConfFault(environment);
	if (fault !== undefined) findings.warn(fault.code, fault.what, { evidence: fault.where, remedy: fault.remedy });
}
