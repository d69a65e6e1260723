import { displayName } from "../binary/byte-string.ts";
import { corrupt, type Oci2isoError, throwIfAborted } from "../errors.ts";
import { Findings } from "../findings/findings.ts";
import { CHECKS, type CheckName } from "./checks.ts";
import type { CheckReport, VerifyReport } from "./report.ts";

/** Findings of one check that are kept; the rest is counted. */
const MAX_FINDINGS = 100;

type Known<Values extends readonly unknown[]> = { [Index in keyof Values]: Exclude<Values[Index], undefined> };

/** Runs checks one after the other; what one of them cannot read fails it, and those that build on it are skipped. */
export class CheckRun {
	readonly #done = new Map<CheckName, CheckReport>();
	readonly #signal: AbortSignal | undefined;
	#faults = 0;

	constructor(signal: AbortSignal | undefined) {
		this.#signal = signal;
	}

	/** `needs` are the results of other checks: skipped when one is undefined. Returns undefined where the check could not end. */
	async check<const Needs extends readonly unknown[], Result>(
		name: CheckName,
		needs: Needs,
		action: (findings: Findings, ...needs: Known<Needs>) => Result | Promise<Result>,
	): Promise<Result | undefined> {
		throwIfAborted(this.#signal);
		if (needs.includes(undefined)) {
			this.skip(name, "what it builds on could not be read");
			return undefined;
		}
		const findings = new Findings(name.toUpperCase().replaceAll("-", "_"), MAX_FINDINGS);
		let result: Result | undefined;
		try {
			result = await action(findings, ...(needs as Known<Needs>));
		} catch (error) {
			findings.caught(error);
		}
		const status = findings.faults > 0 ? "fail" : findings.undecided === undefined ? "pass" : "skipped";
		this.#faults += findings.faults;
		const { list, omitted } = findings;
		const detail = findings.undecided ?? findings.detail;
		this.#done.set(name, { name, title: CHECKS[name], status, detail, findings: list, omittedFindings: omitted });
		return result;
	}

	skip(name: CheckName, why: string): undefined {
		const title = CHECKS[name];
		this.#done.set(name, { name, title, status: "skipped", detail: why, findings: [], omittedFindings: 0 });
	}

	missing(path: string): Oci2isoError {
		return corrupt("FILE_MISSING", "it is not on the medium", path, "a file");
	}

	report(byteLength: number, volumeIdentifier: string | undefined): VerifyReport {
		return {
			byteLength,
			volumeIdentifier: volumeIdentifier === undefined ? undefined : displayName(volumeIdentifier),
			verdict: this.#faults === 0 ? "pass" : "fail",
			faults: this.#faults,
			checks: (Object.keys(CHECKS) as CheckName[]).flatMap((name) => this.#done.get(name) ?? []),
		};
	}
}
