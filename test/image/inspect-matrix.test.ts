import { execFileSync } from "node:child_process";
import { rm } from "node:fs/promises";
import { beforeAll, describe, expect, it } from "vitest";
import type { BootPath } from "../../src/findings/finding.ts";
import { type ImageInspection, inspectImage } from "../../src/inspect/inspect.ts";
import { FIXTURE_NEEDS } from "../support/fixture.ts";
import {
	BROKEN_IMAGES,
	type BrokenImage,
	type RealParts,
	realParts,
	writeBrokenImage,
} from "../support/inspect-matrix.ts";
import { requires } from "../support/requires.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { thinImage } from "../support/thin-image.ts";

const missing = requires(...FIXTURE_NEEDS, "sed");

describe.skipIf(missing !== undefined)("inspect tells images that boot from those that do not", () => {
	let layout: string;
	let parts: RealParts;
	const scratch = temporaryDirectory("inspect");

	beforeAll(async () => {
		layout = await thinImage();
		parts = await realParts(layout);
	});

	it.each(BROKEN_IMAGES)("$name", async (broken) => {
		const { reference, directory } = await writeBrokenImage(broken, layout, parts, scratch);
		const inspection = await inspectImage(reference, { platform: "linux/amd64" });
		const codes = inspection.findings.filter(({ severity }) => severity !== "ok").map(({ code }) => code);
		expect(codes.sort()).toEqual([...(broken.findings ?? [])].sort());
		expect(inspection.contract.violations.map(({ code }) => code)).toEqual(broken.violations ?? []);
		const choices = inspection.contract.choices.map(({ code }) => code);
		expect(choices).toEqual(expect.arrayContaining([...(broken.choices ?? [])]));
		const ended = Object.entries(inspection.bootPaths).filter(([, verdict]) => verdict === "will not boot");
		expect(ended.map(([path]) => path as BootPath).sort()).toEqual([...broken.blocks].sort());
		expect(inspection.isBootable).toBe(broken.isBootable);
		// Who is told that something is wrong is told what to do about it.
		for (const { severity, blocks, containerfile, remedy } of inspection.findings)
			if (severity !== "ok" && blocks.length > 0) expect(containerfile ?? remedy).toBeDefined();
		for (const { containerfile } of inspection.contract.violations) expect(containerfile).toBeDefined();
		await rm(directory, { recursive: true, force: true });
		await expectLineFixes(broken, inspection);
	});

	/** A line that edits iso.yaml is tried: it must make its finding go away. */
	async function expectLineFixes(broken: BrokenImage, { findings }: ImageInspection): Promise<void> {
		const yaml = broken.layer(parts).find(({ path }) => path.endsWith("/iso.yaml"));
		for (const { code, containerfile } of findings) {
			const expression = /^RUN sed -i '([^']*)'/.exec(containerfile?.debian ?? "")?.[1];
			if (expression === undefined || yaml?.content === undefined) continue;
			const content = execFileSync("sed", [expression], { input: yaml.content });
			const name = `${broken.name} repaired`;
			const layer = () => [...broken.layer(parts), { ...yaml, content }];
			const { reference, directory } = await writeBrokenImage({ name, layer }, layout, parts, scratch);
			const repaired = await inspectImage(reference, { platform: "linux/amd64" });
			expect(repaired.findings.map((finding) => finding.code)).not.toContain(code);
			await rm(directory, { recursive: true, force: true });
			return;
		}
	}

	it("covers more than 25 broken images", () => expect(BROKEN_IMAGES.length).toBeGreaterThan(25));
});
