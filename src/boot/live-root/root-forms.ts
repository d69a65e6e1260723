/** One clause of the `case` by which parse-dmsquash-live knows what `root=` means. */
export interface RootForm {
	/** Patterns of the shell, any of which fits. */
	readonly patterns: readonly string[];
	readonly kind: RootFormKind;
}

type RootFormKind =
	/** `LABEL=`, `UUID=`, `PARTLABEL=`, `PARTUUID=`. */
	| "tag"
	/** `CDLABEL=`. */
	| "cdlabel"
	/** An ISO in the initramfs or on a disk. */
	| "iso-file"
	/** An image in the initramfs. */
	| "image-file"
	/** A device, with or without `live:` before it. */
	| "device"
	/** Taken as it stands: without `live:` nothing comes of it. */
	| "as-is";

/** As releases 050 to 112 have them. */
export const DEFAULT_ROOT_FORMS: readonly RootForm[] = [
	{
		patterns: ["LABEL", "UUID", "PARTUUID", "PARTLABEL"].flatMap((tag) => [`live:${tag}=*`, `${tag}=*`]),
		kind: "tag",
	},
	{ patterns: ["live:CDLABEL=*", "CDLABEL=*"], kind: "cdlabel" },
	{ patterns: ["live:/*.[Ii][Ss][Oo]", "/*.[Ii][Ss][Oo]"], kind: "iso-file" },
	{ patterns: ["live:/dev/*"], kind: "as-is" },
	{ patterns: ["live:/*.[Ii][Mm][Gg]", "/*.[Ii][Mm][Gg]"], kind: "image-file" },
	{ patterns: ["live:nfs*"], kind: "as-is" },
];

const MAX_FORMS = 100;
const MAX_PATTERN_CHARACTERS = 200;
const MAX_SCRIPT_CHARACTERS = 64 * 1024;

/** The clauses of `case "$liveroot" in` in a parse-dmsquash-live; none where it does not read so. */
export function rootFormsIn(script: string): RootForm[] {
	const text = script.slice(0, MAX_SCRIPT_CHARACTERS);
	const start = text.indexOf('case "$liveroot" in');
	const end = text.indexOf("esac", start);
	if (start < 0 || end < 0) return [];
	const forms: RootForm[] = [];
	for (const clause of text.slice(text.indexOf("\n", start), end).split(";;").slice(0, MAX_FORMS)) {
		const open = clause.indexOf(")");
		if (open < 0) continue;
		const body = clause.slice(open + 1);
		const patterns = clause
			.slice(0, open)
			.split("|")
			.map((pattern) => pattern.trim())
			.filter((pattern) => pattern.length <= MAX_PATTERN_CHARACTERS);
		forms.push({ patterns, kind: kindOf(body) });
	}
	return forms;
}

function kindOf(body: string): RootFormKind {
	if (body.includes("label_uuid_to_dev")) return "tag";
	if (body.includes("by-label/")) return "cdlabel";
	if (body.includes("liveiso:")) return "iso-file";
	if (body.includes("-f ")) return "image-file";
	return body.includes('root="live:') ? "device" : "as-is";
}

export function formOf(forms: readonly RootForm[], liveRoot: string): RootFormKind | undefined {
	return forms.find(({ patterns }) => patterns.some((pattern) => matchesGlob(pattern, liveRoot)))?.kind;
}

/** A shell pattern of `*`, `?` and `[...]`, in time proportional to the product of the two lengths. */
export function matchesGlob(pattern: string, text: string): boolean {
	const reach = (at: number, into: Set<number>): void => {
		into.add(at);
		if (pattern[at] === "*") reach(at + 1, into);
	};
	let places = new Set<number>();
	reach(0, places);
	for (const c of text) {
		const next = new Set<number>();
		for (const at of places) {
			const p = pattern[at];
			const close = p === "[" ? pattern.indexOf("]", at + 2) : -1;
			if (p === "*") reach(at, next);
			else if (close > 0) {
				if (pattern.slice(at + 1, close).includes(c)) reach(close + 1, next);
			} else if (p === "?" || p === c) reach(at + 1, next);
		}
		places = next;
	}
	return places.has(pattern.length);
}
