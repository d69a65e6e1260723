import { tryConfinements } from "../buildroot/preflight.ts";
import { Oci2isoError } from "../errors.ts";
import type { Findings } from "../findings/findings.ts";

/** What `--tools buildroot` needs, and nothing else. */
export async function checkConfinement(findings: Findings): Promise<void> {
	try {
		const { namespaces, landlock } = await tryConfinements(["namespaces", "landlock"]);
		for (const [name, reason] of [
			["user namespaces and seccomp", namespaces],
			["Landlock and seccomp", landlock],
		] as const)
			if (reason === undefined) findings.ok("CONFINEMENT", `the image's tools could be confined with ${name}`);
			else findings.choice({ code: "CONFINEMENT", what: `no ${name}: ${reason}` });
		if (namespaces !== undefined && landlock !== undefined)
			findings.warn("CONFINEMENT", "the image's tools are not run here (--tools buildroot); builds do without them");
	} catch (error) {
		if (!(error instanceof Oci2isoError) || error.kind === "interrupted") throw error;
		findings.choice({ code: "CONFINEMENT", what: `not tried: ${error.what}` });
	}
}
