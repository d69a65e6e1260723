import { expect, it } from "vitest";
import { memorySource } from "../../../src/binary/byte-source.ts";
import { Findings } from "../../../src/findings/findings.ts";
import { buildFat, fatDirectoryOf } from "../../../src/formats/fat/build-fat.ts";
import { readFat } from "../../../src/formats/fat/read-fat.ts";
import { checkLoaderMenu } from "../../../src/verify/loader-menu.ts";

/** Faults of the menu of an EFI system partition with these files. */
async function faultsOf(files: Readonly<Record<string, string>>): Promise<string[]> {
	const contents = Object.entries(files).map(([path, text]) => ({ path, content: Buffer.from(text) }));
	const timestamp = { seconds: 0, nanoseconds: 0 };
	const { chunks } = buildFat(fatDirectoryOf(contents), { volumeId: 1, timestamp });
	const findings = new Findings();
	await checkLoaderMenu(await readFat(memorySource(Buffer.concat([...chunks()]))), [], findings);
	return findings.list.filter(({ severity }) => severity === "fault").map(({ what }) => what);
}

it.each(["linux", "initrd", "devicetree"])(
	"systemd-boot's menu names no %s that is not on the partition",
	async (key) => {
		const keys = ["linux", "initrd", "devicetree"];
		const entry = `title A\n${keys.map((each) => `${each} /${each}`).join("\n")}\n`;
		const files = Object.fromEntries(keys.filter((each) => each !== key).map((each) => [each, "content"]));
		const faults = await faultsOf({ ...files, "loader/loader.conf": "timeout 1\n", "loader/entries/1.conf": entry });
		expect(faults.filter((what) => what.includes("EFI system partition"))).toEqual([
			`/${key} is not on the EFI system partition`,
		]);
	},
);
