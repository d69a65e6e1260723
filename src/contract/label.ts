import type { Problem } from "../errors.ts";
import type { Findings } from "../findings/findings.ts";
import type { OsRelease } from "./contract.ts";

/** Volume identifier of the primary volume descriptor (ECMA-119 8.4.7). */
const MAX_LABEL_BYTES = 32;
const USED_WHEN_INVALID = "INVALID";

interface LabelSources {
	/** The option's value. */
	readonly option: string | undefined;
	/** iso.yaml's value and its position; an empty one counts as absent. */
	readonly isoYaml: string | undefined;
	readonly isoYamlPosition: string | undefined;
	readonly osRelease: OsRelease;
	/** As `uname -m` has it. */
	readonly machineName: string;
}

/** The label of the ISO, checked. With a bad one a problem is added and what is returned is only a stand-in. */
export function chooseLabel(sources: LabelSources, findings: Findings): string {
	if (sources.option !== undefined) return check(sources.option, "--label", "pass another --label", findings);
	if (sources.isoYaml !== undefined && sources.isoYaml !== "") {
		const where = sources.isoYamlPosition ?? "iso.yaml";
		return check(sources.isoYaml, where, "change label in iso.yaml or pass --label", findings);
	}
	const { label, missesVersion } = defaultLabel(sources.osRelease, sources.machineName);
	const what = `the default label ${JSON.stringify(label)} is used${missesVersion ? ", without a version because os-release has no VERSION_ID" : ""}`;
	findings.choice({ code: "LABEL_DEFAULT", what, remedy: "set label in iso.yaml or pass --label" });
	return check(label, "/etc/os-release", "set label in iso.yaml or pass --label", findings);
}

/** The reference's labels per distribution. */
export function defaultLabel(
	osRelease: OsRelease,
	machineName: string,
): { readonly label: string; readonly missesVersion: boolean } {
	const version = osRelease.versionId;
	const join = (...parts: (string | undefined)[]) => parts.filter((part) => part !== undefined).join("-");
	switch (osRelease.id) {
		case "fedora":
			return { label: join(`Fedora-S-dvd-${machineName}`, version), missesVersion: version === undefined };
		case "centos":
			if (version === "8") return { label: `CentOS-Stream-8-${machineName}-dvd`, missesVersion: false };
			return { label: join("CentOS-Stream", version, `BaseOS-${machineName}`), missesVersion: version === undefined };
		case "rhel":
			return {
				label: join("RHEL", version?.replaceAll(".", "-"), `BaseOS-${machineName}`),
				missesVersion: version === undefined,
			};
		default:
			return { label: `Container-Installer-${machineName}`, missesVersion: false };
	}
}

/** Why a text cannot be a label; undefined where it can. */
export function labelFault(label: string): Problem | undefined {
	const byteLength = Buffer.byteLength(label, "utf8");
	const shown = JSON.stringify(label);
	if (/\p{Cc}|\p{Surrogate}|\p{Zl}|\p{Zp}/u.test(label)) {
		const expected = "text without control characters";
		return { code: "LABEL_CONTROL_CHARACTER", what: `the label is ${shown}`, expected };
	}
	if (byteLength > 0 && byteLength <= MAX_LABEL_BYTES) return undefined;
	const expected = `1 to ${MAX_LABEL_BYTES} bytes, as the ISO's volume identifier holds`;
	return { code: "LABEL_LENGTH", what: `the label ${shown} has ${byteLength} bytes`, expected };
}

function check(label: string, where: string, remedy: string, findings: Findings): string {
	const fault = labelFault(label);
	if (fault !== undefined) {
		findings.problem({ ...fault, where, remedy });
		return USED_WHEN_INVALID;
	}
	noteUnusual(label, where, remedy, findings);
	return label;
}

function noteUnusual(label: string, where: string, remedy: string, findings: Findings): void {
	const shown = JSON.stringify(label);
	const note = (code: string, what: string): void => findings.choice({ code, what, where, remedy });
	if (/\s/u.test(label))
		note(
			"LABEL_SPACE",
			`the label ${shown} has a space: root=live:CDLABEL= ends at it and such an entry cannot find its medium`,
		);
	// What udev keeps as it is in the names of /dev/disk/by-label; it encodes everything else.
	else if (/[^A-Za-z0-9#+\-.:=@_\u0080-\u{10ffff}]/u.test(label))
		note(
			"LABEL_SPECIAL",
			`the label ${shown} has characters that /dev/disk/by-label encodes: root=live:CDLABEL= may not find the medium`,
		);
	if (/[^ -~]/.test(label))
		note("LABEL_NOT_ASCII", `the label ${shown} is stored as UTF-8, which ECMA-119 does not provide for`);
	if (!/[A-Z0-9_-]/.test(label))
		note(
			"LABEL_REFERENCE",
			`the reference converter refuses the label ${shown}: it wants a capital letter, digit, _ or -`,
		);
}
