import { rmSync } from "node:fs";
import { join } from "node:path";
import { KiB, MiB } from "../../src/binary/units.ts";
import { FileTarget } from "../../src/output/file-target.ts";
import { microInputs, report } from "./repeat.ts";

/** Compressed blocks into the ISO's file, without and with waiting for the disk. */
const path = join(microInputs().scratch, "written");
const TOTAL_BYTES = 256 * MiB;

for (const [pieceBytes, waits] of [
	[16 * KiB, false],
	[48 * KiB, false],
	[MiB, false],
	[48 * KiB, true],
] as const) {
	const piece = Buffer.alloc(pieceBytes, "x");
	const name = `write: ${pieceBytes / KiB} KiB at a time${waits ? ", then fsync" : ""}`;
	await report(name, TOTAL_BYTES, () => {
		rmSync(path, { force: true });
		const target = FileTarget.create(path);
		for (let at = 0; at < TOTAL_BYTES; at += pieceBytes) target.write(at, piece);
		if (waits) target.sync();
		target.close();
	});
}
rmSync(path, { force: true });
