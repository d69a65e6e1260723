import { Oci2isoError, type Problem } from "../errors.ts";
import type { Choice } from "./contract.ts";

/** Collects what reading the contract brings up, so that everything is reported at once. */
export class Findings {
	readonly problems: Problem[] = [];
	readonly choices: Choice[] = [];

	problem(problem: Problem): undefined {
		this.problems.push(problem);
	}

	choice(choice: Choice): void {
		this.choices.push(choice);
	}

	/** Throws CONTRACT_NOT_MET with all problems, if there are any. */
	throwProblems(): void {
		const count = this.problems.length;
		if (count === 0) return;
		throw new Oci2isoError({
			code: "CONTRACT_NOT_MET",
			kind: "contract",
			what: `the image does not meet the Container-native ISO contract v0.1.0 in ${count} ${count === 1 ? "point" : "points"}`,
			problems: this.problems,
		});
	}
}
