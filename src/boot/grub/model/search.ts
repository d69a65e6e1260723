import type { ByteString } from "../../../binary/byte-string.ts";
import type { Status } from "./outcome.ts";
import type { GrubStorage } from "./storage.ts";
import type { GrubVariables } from "./variables.ts";

/** What a command of the `search` family is to look for; `by` is empty where it does not say. */
interface GrubSearch {
	readonly by: "file" | "label" | "uuid" | "";
	/** Which variable gets the device. */
	readonly variable: ByteString | undefined;
	readonly target: ByteString | undefined;
	/** An option that builds of GRUB have or have not. */
	readonly unknownOption: ByteString | undefined;
	/** An option lacks its value: the command fails. */
	readonly isFaulty: boolean;
}

const BY: ReadonlyMap<string, GrubSearch["by"]> = new Map([
	["search.file", "file"],
	["search.fs_label", "label"],
	["search.fs_uuid", "uuid"],
]);
const HINTS = ["", "-ieee1275", "-bios", "-baremetal", "-efi", "-arc"].map((suffix) => `hint${suffix}`);
/** What an option does, by its long and its short name. */
type Meaning = "set" | "file" | "label" | "uuid" | "hint" | "flag";
const OPTIONS: ReadonlyMap<ByteString, Meaning> = new Map<ByteString, Meaning>([
	["set", "set"],
	["s", "set"],
	["file", "file"],
	["f", "file"],
	["label", "label"],
	["l", "label"],
	["fs-uuid", "uuid"],
	["u", "uuid"],
	["no-floppy", "flag"],
	["n", "flag"],
	...[...HINTS, "h"].map((name): [ByteString, Meaning] => [name, "hint"]),
]);

/** As GRUB takes options apart (grub-core/lib/arg.c): the value of a long one may be the next word, and so may that of the last letter of short ones. */
export function readSearchArguments(command: string, args: readonly ByteString[]): GrubSearch {
	const sound = { unknownOption: undefined, isFaulty: false };
	if (command !== "search") return { ...sound, by: BY.get(command) ?? "", variable: args[1], target: args[0] };
	const set = new Set<string>();
	let variable: ByteString | undefined;
	let unknownOption: ByteString | undefined;
	let isFaulty = false;
	const words: ByteString[] = [];
	const take = (name: ByteString, value: ByteString | undefined): void => {
		const option = OPTIONS.get(name);
		if (option === undefined) unknownOption ??= name;
		else if (option === "set") variable = value ?? "root";
		else if (option === "hint" ? value === undefined : value !== undefined) isFaulty = true;
		else set.add(option);
	};
	for (let index = 0; index < args.length; index++) {
		const word = args[index] ?? "";
		const next = args[index + 1];
		const wantsValue = (name: ByteString): boolean => ["set", "hint"].includes(OPTIONS.get(name) ?? "");
		if (word === "--") {
			words.push(...args.slice(index + 1));
			break;
		}
		if (!word.startsWith("-") || word === "-") words.push(word);
		else if (word.startsWith("--")) {
			const equals = word.indexOf("=");
			const name = word.slice(2, equals < 0 ? undefined : equals);
			let value = equals < 0 ? undefined : word.slice(equals + 1);
			if (value === undefined && wantsValue(name) && next !== undefined && !next.startsWith("-")) {
				value = next;
				index++;
			}
			take(name, value);
		} else {
			for (const letter of word.slice(1, -1)) take(letter, undefined);
			const last = word.slice(-1);
			const isValue = wantsValue(last) && next !== undefined && (last === "h" || !next.startsWith("-"));
			take(last, isValue ? next : undefined);
			if (isValue) index++;
		}
	}
	const by = (["label", "uuid", "file"] as const).find((each) => set.has(each)) ?? "";
	// A last `--set` may have taken the target for its value.
	const [target = variable] = words;
	return { by, variable: words.length === 0 ? "root" : variable, target, unknownOption, isFaulty };
}

/** Whether a `search` finds a device, which its variable then names; undefined where that is not known. */
export function runSearch(
	command: string,
	args: readonly ByteString[],
	storage: GrubStorage,
	variables: GrubVariables,
): Status {
	const { by, variable, target, unknownOption, isFaulty } = readSearchArguments(command, args);
	if (isFaulty || (unknownOption === undefined && target === undefined)) return false;
	if (by === "uuid" || unknownOption !== undefined || target === undefined) {
		if (variable !== undefined) variables.environment.set(variable, undefined);
		return undefined;
	}
	if (by === "") return false;
	const device = storage.search(by, target);
	if (device !== undefined && variable !== undefined) variables.set(variable, device);
	return device !== undefined;
}
