import type { ByteString } from "../../../binary/byte-string.ts";
import type { GrubNode } from "./medium.ts";
import { notKnown, type Status, type Words } from "./outcome.ts";

const MAX_DEPTH = 100;

/** `test EXPRESSION`, whose `-a` and `-o` have one precedence after the other, as GRUB evaluates them. */
export function evaluateTest(words: Words, nodeAt: (path: ByteString) => GrubNode | undefined): Status {
	const args = words.at(-1) === "]" ? words.slice(0, -1) : [...words];
	let at = 0;
	let depth = 0;
	const expression = (): Status => {
		let result = term();
		while (args[at] === "-o") {
			at++;
			const other = term();
			result =
				result === true || other === true ? true : result === undefined || other === undefined ? undefined : false;
		}
		return result;
	};
	const term = (): Status => {
		// Nothing at all is true.
		let result: Status = true;
		while (at < args.length && args[at] !== "-o" && args[at] !== ")") {
			if (args[at] === "-a") {
				at++;
				continue;
			}
			const other = primary();
			result =
				result === false || other === false ? false : result === undefined || other === undefined ? undefined : true;
		}
		return result;
	};
	const primary = (): Status => {
		if (++depth > MAX_DEPTH) notKnown("a test is too long");
		const first = args[at++];
		if (first === "!") {
			const inner = primary();
			return inner === undefined ? undefined : !inner;
		}
		if (first === "(") {
			const inner = expression();
			at++;
			return inner;
		}
		const operator = args[at];
		if (operator !== undefined && at + 1 < args.length && (COMPARISONS.has(operator) || /^-[no]t/.test(operator))) {
			const second = args[at + 1];
			at += 2;
			return first === undefined || second === undefined ? undefined : COMPARISONS.get(operator)?.(first, second);
		}
		if (first !== undefined && /^-[defnsz]$/.test(first) && at < args.length) {
			const operand = args[at++];
			if (operand === undefined) return undefined;
			if (first === "-n") return operand !== "";
			if (first === "-z") return operand === "";
			const node = nodeAt(operand);
			if (first === "-d") return node?.type === "directory";
			if (first === "-e") return node !== undefined;
			return node?.type === "file" && (first === "-f" || node.byteLength > 0);
		}
		return first === undefined ? (at > args.length ? false : undefined) : first !== "";
	};
	return expression();
}

/** Others are octal, hexadecimal, or none. */
const DECIMAL = /^-?(0|[1-9][0-9]{0,17})$/;
const numbers =
	(compare: (a: bigint, b: bigint) => boolean) =>
	(a: ByteString, b: ByteString): Status =>
		DECIMAL.test(a) && DECIMAL.test(b) ? compare(BigInt(a), BigInt(b)) : undefined;
const COMPARISONS = new Map<ByteString, (a: ByteString, b: ByteString) => Status>([
	["=", (a, b) => a === b],
	["==", (a, b) => a === b],
	["!=", (a, b) => a !== b],
	["<", (a, b) => a < b],
	["<=", (a, b) => a <= b],
	[">", (a, b) => a > b],
	[">=", (a, b) => a >= b],
	["-eq", numbers((a, b) => a === b)],
	["-ne", numbers((a, b) => a !== b)],
	["-lt", numbers((a, b) => a < b)],
	["-le", numbers((a, b) => a <= b)],
	["-gt", numbers((a, b) => a > b)],
	["-ge", numbers((a, b) => a >= b)],
	...["-pgt", "-pge", "-plt", "-ple"].map((name): [ByteString, () => Status] => [name, () => undefined]),
]);
