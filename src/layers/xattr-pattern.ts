import { type ByteString, byteStringFromText } from "../binary/byte-string.ts";
import { Oci2isoError } from "../errors.ts";

/** One byte of a name: any, exactly this one, or one of a class. */
type Step = "any-string" | "any-byte" | { readonly bytes: ReadonlySet<string>; readonly negated: boolean };

/**
 * Compiles a shell pattern (fnmatch(3) without flags, as GNU tar's `--xattrs-exclude` takes it) for the full names of extended attributes:
 * `*` is any string, `?` any byte, `[a-z]` and `[!a-z]` a class, `\` takes the next character as it is. It has to match the whole name.
 * The result takes time in proportion to the product of both lengths at most. Throws `Oci2isoError` INVALID_PATTERN (usage).
 */
export function compileXattrPattern(pattern: string): (name: ByteString) => boolean {
	const steps = parse(byteStringFromText(pattern), (what) => {
		throw new Oci2isoError({
			code: "INVALID_PATTERN",
			kind: "usage",
			what: `"${pattern}" ${what}`,
			where: "--drop-xattr",
			expected: 'a shell pattern for the names of extended attributes, for example "security.selinux" or "user.*"',
		});
	});
	return (name) => matches(steps, name);
}

function parse(pattern: ByteString, fail: (what: string) => never): Step[] {
	const steps: Step[] = [];
	if (pattern === "") fail("matches nothing");
	for (let at = 0; at < pattern.length; at++) {
		const character = pattern.charAt(at);
		if (character === "*") {
			if (steps.at(-1) !== "any-string") steps.push("any-string");
		} else if (character === "?") steps.push("any-byte");
		else if (character === "[") {
			const end = classEnd(pattern, at) ?? fail("has a class without its end");
			steps.push(parseClass(pattern.slice(at + 1, end), fail));
			at = end;
		} else {
			if (character === "\\" && ++at === pattern.length) fail("ends in a backslash");
			steps.push({ bytes: new Set(pattern.charAt(at)), negated: false });
		}
	}
	return steps;
}

/** The position of the bracket that ends the class begun at `start`; one that comes first is a member. */
function classEnd(pattern: ByteString, start: number): number | undefined {
	let at = start + 1;
	if (pattern[at] === "!" || pattern[at] === "^") at++;
	if (pattern[at] === "]") at++;
	const end = pattern.indexOf("]", at);
	return end === -1 ? undefined : end;
}

function parseClass(text: ByteString, fail: (what: string) => never): Step {
	const negated = text.startsWith("!") || text.startsWith("^");
	const members = negated ? text.slice(1) : text;
	if (/\[[:.=]|\\/.test(members)) fail("has a named class or a backslash in a class");
	const bytes = new Set<string>();
	for (let at = 0; at < members.length; at++) {
		const first = members.charCodeAt(at);
		const isRange = members[at + 1] === "-" && at + 2 < members.length;
		const last = isRange ? members.charCodeAt(at + 2) : first;
		if (last < first) fail("has a range that ends before it begins");
		for (let code = first; code <= last; code++) bytes.add(String.fromCharCode(code));
		if (isRange) at += 2;
	}
	return { bytes, negated };
}

function matches(steps: readonly Step[], name: ByteString): boolean {
	let step = 0;
	let at = 0;
	// Where to go on when a mismatch shows that the last `*` has to take one byte more.
	let retryStep = -1;
	let retryAt = 0;
	while (at < name.length) {
		const wanted = steps[step];
		if (wanted === "any-string") {
			retryStep = ++step;
			retryAt = at;
		} else if (wanted !== undefined && isMatch(wanted, name.charAt(at))) {
			step++;
			at++;
		} else if (retryStep !== -1) {
			step = retryStep;
			at = ++retryAt;
		} else return false;
	}
	while (steps[step] === "any-string") step++;
	return step === steps.length;
}

function isMatch(step: Exclude<Step, "any-string">, byte: string): boolean {
	return step === "any-byte" || step.bytes.has(byte) !== step.negated;
}
