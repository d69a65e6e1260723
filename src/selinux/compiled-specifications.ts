import type { ByteString } from "../binary/byte-string.ts";
import { Matcher } from "./matcher.ts";
import { PatternFault, parsePattern } from "./parse-pattern.ts";
import { Program } from "./program.ts";
import { invalidPolicy, type Specification } from "./specifications.ts";

/**
 * Makes one matcher of the patterns that are at hand, each under its place in the array; `fileOf` names an input. Throws `Oci2isoError` SELINUX_POLICY_INVALID with file, line
 * and pattern, and as `Program.add` does.
 */
export function compileSpecifications(
	specifications: readonly (Specification | undefined)[],
	fileOf: (input: number) => string,
): Matcher {
	const program = new Program();
	for (const [number, specification] of specifications.entries()) {
		if (specification === undefined) continue;
		const fault = add(program, specification.pattern, number);
		if (fault !== undefined)
			throw invalidPolicy(
				`the pattern ${specification.pattern} cannot be followed: ${fault}`,
				fileOf(specification.input),
				specification.line,
			);
	}
	return new Matcher(program);
}

/** Why the pattern cannot be matched; undefined where it can. */
function add(program: Program, pattern: ByteString, number: number): string | undefined {
	try {
		return program.add(parsePattern(pattern), number) ? undefined : 'it goes on behind "$"';
	} catch (error) {
		if (error instanceof PatternFault) return error.message;
		throw error;
	}
}
