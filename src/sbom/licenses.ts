import parse from "spdx-expression-parse";

/** A licence as a database has it, as SPDX has licences. */
export interface SpdxLicense {
	/** An SPDX licence expression. */
	readonly expression: string;
	/** Licences in it that are not on SPDX's list. */
	readonly references: readonly LicenseReference[];
}

/** SPDX 2.3, clause 10: a licence that is told by its text alone. */
export interface LicenseReference {
	/** `LicenseRef-` and letters, digits, dots and dashes. */
	readonly id: string;
	/** As the database has it. */
	readonly text: string;
}

type Expression = ReturnType<typeof parse>;

/** An expression of SPDX's grammar in use has at most a few hundred; parsing goes deeper with every bracket. */
const MAX_EXPRESSION_CHARACTERS = 4096;
const MAX_ID_CHARACTERS = 64;
const REFERENCE = "LicenseRef-";

/** Gives each licence one name in a document. */
export class SpdxLicenses {
	readonly #known = new Map<string, SpdxLicense>();
	/** Texts by id. */
	readonly #ids = new Map<string, string>();

	of(license: string): SpdxLicense {
		const known = this.#known.get(license) ?? this.#read(license);
		this.#known.set(license, known);
		return known;
	}

	#read(license: string): SpdxLicense {
		const parsed = parseLicense(license);
		if (parsed !== undefined)
			return { expression: license, references: referencesIn(parsed).map((id) => ({ id, text: license })) };
		const id = this.#idOf(license);
		return { expression: id, references: [{ id, text: license }] };
	}

	#idOf(license: string): string {
		const stem = `${REFERENCE}${license.replace(/[^A-Za-z0-9.-]/g, "-").slice(0, MAX_ID_CHARACTERS)}`;
		for (let i = 1; ; i++) {
			const id = i === 1 ? stem : `${stem}-${i}`;
			if (this.#ids.has(id)) continue;
			this.#ids.set(id, license);
			return id;
		}
	}
}

/** Undefined for what is no expression of SPDX's licences, and for one of another document's. */
function parseLicense(text: string): Expression | undefined {
	if (text.length > MAX_EXPRESSION_CHARACTERS || text.includes("DocumentRef-")) return undefined;
	try {
		return parse(text);
	} catch {
		return undefined;
	}
}

export function isSpdxExpression(text: string): boolean {
	return parseLicense(text) !== undefined;
}

/** The licences in it that are not on SPDX's list, of this document. */
function referencesIn(expression: Expression): string[] {
	const ids = new Set<string>();
	const pending = [expression];
	for (let each = pending.pop(); each !== undefined; each = pending.pop()) {
		if ("conjunction" in each) pending.push(each.left, each.right);
		else if (each.license.startsWith(REFERENCE)) ids.add(each.license);
	}
	return [...ids].sort();
}
