import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readTable } from "../../src/formats/sqlite/read-table.ts";
import { requires } from "../support/requires.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const ROWS = `with recursive n(i) as (select 1 union all select i + 1 from n where i < 3000)
	insert into Packages(hnum, blob) select i, randomblob((i * i * 7919) % (case when i % 50 = 0 then 100000 when i % 7 = 0 then 5000 else 700 end)) from n;`;

describe.skipIf(requires("sqlite3"))("tables that SQLite writes", () => {
	const work = temporaryDirectory("sqlite");
	let number = 0;

	it.each([
		["512", ""],
		["1024", "delete from Packages where hnum % 3 = 0;"],
		["4096", "delete from Packages where hnum < 2000; insert into Packages(blob) select zeroblob(hnum) from Packages;"],
		["4096", "vacuum;"],
		["65536", "pragma journal_mode = wal; update Packages set blob = randomblob(9000) where hnum % 5 = 0;"],
	])("are read whole, with pages of %s bytes, after %s", (pageBytes, changes) => {
		const path = join(work, `${number++}.sqlite`);
		const sql = (text: string) =>
			execFileSync("sqlite3", [path], { input: text, encoding: "utf8", maxBuffer: 2 ** 30 });
		sql(
			`pragma page_size = ${pageBytes}; create table 'Other'(a); create table 'Packages' (hnum integer primary key autoincrement, blob blob not null);
			create table Names(key text, hnum integer, primary key(key)); create index i on Names(hnum);
			begin; ${ROWS} insert into Names select hex(randomblob(40)), hnum from Packages; commit; ${changes}`,
		);
		const theirs = sql("select hex(blob) from Packages order by hnum;").split("\n").slice(0, -1);
		const ours = [...readTable(readFileSync(path), "Packages")].map(([, blob]) =>
			(blob as Buffer).toString("hex").toUpperCase(),
		);
		expect(ours.length).toBeGreaterThan(1000);
		expect(ours).toEqual(theirs);
	});

	it("are read whatever their values are", () => {
		const path = join(work, "values.sqlite");
		const values =
			"null, 0, 1, -1, 127, 300, -70000, 5000000000, -140737488355328, 9223372036854775807, 1.5, 'text é', x'00ff'";
		execFileSync("sqlite3", [path], {
			input: `create table t(${values.split(",").map((_, i) => `c${i}`)}); insert into t values(${values});`,
		});
		expect([...readTable(readFileSync(path), "t")]).toEqual([
			[
				null,
				0,
				1,
				-1,
				127,
				300,
				-70_000,
				5_000_000_000,
				-140_737_488_355_328,
				9_223_372_036_854_775_807n,
				1.5,
				"text é",
				Buffer.from([0, 255]),
			],
		]);
	});
});
