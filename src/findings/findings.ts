import { Oci2isoError, type Problem } from "../errors.ts";
import { ALL_PATHS, type BootPath, type Finding } from "./finding.ts";

/** Beside code, severity and what. */
export type FindingDetails = Pick<Finding, "evidence" | "remedy" | "containerfile">;

/** Collects findings in the order of the checks. */
export class Findings {
	readonly list: Finding[] = [];
	/** What was looked at, for people: `3 partitions`. */
	detail = "";
	/** Why the check could not come to an end, although nothing is wrong. */
	undecided: string | undefined;
	readonly #code: string;
	readonly #maxFindings: number;
	#faults = 0;
	#omitted = 0;

	/** `code` is that of faults and notes; findings beyond `maxFindings` are counted only. */
	constructor(code = "MEDIUM", maxFindings = Number.POSITIVE_INFINITY) {
		this.#code = code;
		this.#maxFindings = maxFindings;
	}

	get faults(): number {
		return this.#faults;
	}

	/** Findings beyond those in `list`. */
	get omitted(): number {
		return this.#omitted;
	}

	/** What the image does not meet. */
	get problems(): Problem[] {
		return this.list
			.filter(({ severity }) => severity === "blocker")
			.map(({ severity: _, blocks: _b, ...problem }) => problem);
	}

	/** What was left open and decided. */
	get choices(): Finding[] {
		return this.list.filter(({ severity }) => severity === "note");
	}

	problem(problem: Problem): undefined {
		this.add({ severity: "blocker", blocks: ALL_PATHS, ...problem });
	}

	choice(choice: Problem): void {
		this.add({ severity: "note", blocks: [], ...choice });
	}

	ok(code: string, what: string, evidence?: string): undefined {
		this.add({ code, severity: "ok", what, evidence, blocks: [] });
	}

	warn(code: string, what: string, details: FindingDetails = {}): undefined {
		this.add({ code, severity: "warning", what, blocks: [], ...details });
	}

	/** What ends at least one boot path: a blocker where BIOS or plain UEFI is among them. */
	block(code: string, what: string, blocks: readonly BootPath[], details: FindingDetails = {}): undefined {
		const severity = blocks.some((path) => path !== "secure-boot") ? "blocker" : "warning";
		this.add({ code, severity, what, blocks, ...details });
	}

	/** What fails the verification of a medium. */
	fault(what: string, where?: string, expected?: string): void {
		this.add({ code: this.#code, severity: "fault", what, where, expected, blocks: [] });
	}

	/** What was not checked or is merely odd. */
	note(what: string, where?: string): void {
		this.add({ code: this.#code, severity: "note", what, where, blocks: [] });
	}

	/** A fault unless `actual` is `wanted`. */
	equal<Value extends string | number | bigint | boolean>(
		name: string,
		actual: Value,
		wanted: Value,
		where?: string,
	): void {
		if (actual !== wanted) this.fault(`${name} is ${actual}`, where, `${wanted}`);
	}

	/** Takes over what a reader throws about bytes that are not what their format says; anything else is thrown on. */
	caught(error: unknown): void {
		if (!(error instanceof Oci2isoError) || error.kind !== "corrupt") throw error;
		this.fault(error.what, error.where, error.expected);
	}

	/** Of one of several things that are looked at alike: what is found is found here too, and says whose it is. */
	of(whose: string): Findings {
		const own = new Findings(this.#code, this.#maxFindings);
		const add = own.add.bind(own);
		own.add = (finding) => {
			add(finding);
			this.add({ ...finding, what: `${whose}: ${finding.what}` });
		};
		return own;
	}

	add(finding: Finding): void {
		if (finding.severity === "fault") this.#faults++;
		if (this.list.length < this.#maxFindings) this.list.push(finding);
		else this.#omitted++;
	}
}
