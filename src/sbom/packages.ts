import { corrupt } from "../errors.ts";

/** An installed package, as its database has it. Empty fields are absent. */
export interface InstalledPackage {
	/** Type of its package URL. */
	readonly type: "deb" | "rpm" | "apk" | "alpm";
	readonly name: string;
	/** Without rpm's epoch. */
	readonly version: string;
	readonly epoch?: number | undefined;
	readonly architecture?: string | undefined;
	/** Name of the package that it was built from, in the form of its type: with `@VERSION` where that differs, of rpm a file's name. */
	readonly upstream?: string | undefined;
	/** As the database has it, which may be an SPDX expression. */
	readonly license?: string | undefined;
	/** Whose package it is: a name, with an address in angle brackets perhaps. */
	readonly supplier?: string | undefined;
	readonly homepage?: string | undefined;
}

/** What a parser yields: a package, or undefined for having gone a step further. */
export type Parsed = Generator<InstalledPackage | undefined, void, undefined>;

/** The longest that are in use have about 100. */
const MAX_NAME_CHARACTERS = 1024;
/** The longest licence of Fedora's packages has about 3000. */
const MAX_TEXT_CHARACTERS = 16_384;
/** Of all packages; 3000 packages have about half a million. */
const MAX_CHARACTERS = 16 * 1024 * 1024;
/** What a package takes beside its texts. */
const PACKAGE_CHARACTERS = 64;

/** Keeps packages, as many as a document may have. */
export class PackageList {
	readonly #packages = new Map<string, InstalledPackage>();
	#characters = 0;

	/** Throws `Oci2isoError` PACKAGE_DATABASE_DAMAGED, PACKAGE_DATABASE_TOO_LARGE (exit 5). */
	add(found: InstalledPackage, where: string): void {
		const { type, name, version, epoch, architecture, upstream, license, supplier, homepage } = found;
		const names = [name, version, architecture ?? "", upstream ?? ""];
		if (name === "" || version === "" || names.some((text) => text.length > MAX_NAME_CHARACTERS))
			throw damagedDatabase("a package has no name, no version or one that is longer than any", where);
		const bounded = (text = ""): string | undefined =>
			text === "" || text.length > MAX_TEXT_CHARACTERS ? undefined : text;
		const texts = { license: bounded(license), supplier: bounded(supplier), homepage: bounded(homepage) };
		for (const text of [...names, ...Object.values(texts)]) this.#characters += text?.length ?? 0;
		this.#characters += PACKAGE_CHARACTERS;
		if (this.#characters > MAX_CHARACTERS)
			throw corrupt("PACKAGE_DATABASE_TOO_LARGE", `its packages have more than ${MAX_CHARACTERS} characters`, where);
		this.#packages.set(JSON.stringify([type, ...names, epoch]), { ...found, ...texts });
	}

	/** Each once, by name, version and architecture, whatever the order of the database. */
	get sorted(): readonly InstalledPackage[] {
		return [...this.#packages].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, found]) => found);
	}
}

/** With rpm's epoch in front, where it has one. */
export function fullVersion({ version, epoch }: Pick<InstalledPackage, "version" | "epoch">): string {
	return epoch === undefined ? version : `${epoch}:${version}`;
}

/** What is one; databases have any text there. */
export function webAddress(homepage: string | undefined): string | undefined {
	if (homepage === undefined || !/^(https?|ftp|git):\/\/[!-~]+$/.test(homepage)) return undefined;
	return URL.canParse(homepage) ? homepage : undefined;
}

/** PACKAGE_DATABASE_DAMAGED (exit 5). */
export function damagedDatabase(what: string, where: string): Error {
	return corrupt("PACKAGE_DATABASE_DAMAGED", `the package database is damaged: ${what}`, where);
}
