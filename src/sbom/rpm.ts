import { decodeRpmHeader, RpmHeaderFault } from "../formats/rpm/header.ts";
import { NdbFault, readNdb } from "../formats/rpm/ndb.ts";
import { readTable, SqliteFault } from "../formats/sqlite/read-table.ts";
import { damagedDatabase, type Parsed } from "./packages.ts";

const TABLE = "Packages";
/** The name of public keys among packages. */
const PUBLIC_KEY = "gpg-pubkey";

export type RpmDatabase = "sqlite" | "ndb";

/** rpm's database; `where` names it. Throws `Oci2isoError` PACKAGE_DATABASE_DAMAGED (exit 5). */
export function* parseRpmDatabase(file: Uint8Array, kind: RpmDatabase, where: string): Parsed {
	try {
		for (const header of kind === "ndb" ? readNdb(file) : headersInTable(file)) {
			const { name, version, release, architecture, vendor, url, sourceRpm, ...rest } = decodeRpmHeader(header);
			if (name === PUBLIC_KEY) {
				yield undefined;
				continue;
			}
			yield {
				...rest,
				type: "rpm",
				name: name ?? "",
				version: release === undefined ? (version ?? "") : `${version ?? ""}-${release}`,
				architecture,
				upstream: sourceRpm,
				supplier: vendor,
				homepage: url,
			};
		}
	} catch (error) {
		if (error instanceof SqliteFault || error instanceof RpmHeaderFault || error instanceof NdbFault)
			throw damagedDatabase(error.message, where);
		throw error;
	}
}

function* headersInTable(file: Uint8Array): Generator<Buffer, void, undefined> {
	for (const row of readTable(file, TABLE)) {
		const blob = row.find((value) => Buffer.isBuffer(value));
		if (blob === undefined) throw new SqliteFault("a package has no header");
		yield blob;
	}
}
