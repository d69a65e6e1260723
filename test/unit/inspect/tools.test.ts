import { describe, expect, test } from "vitest";
import { Findings } from "../../../src/findings/findings.ts";
import { checkTools } from "../../../src/inspect/checks/tools.ts";
import { SmallRoot } from "../../support/small-root.ts";

describe("tools of an image", () => {
	test.each([
		["are missing", new SmallRoot(), "no grub2-mkimage or grub-mkimage on the image's PATH"],
		[
			"are links to nothing",
			new SmallRoot().symlink("/usr/bin/grub-mkimage", "/nowhere"),
			"/usr/bin/grub-mkimage is a symbolic link to /nowhere",
		],
		["are scripts", new SmallRoot().file("/usr/bin/grub2-mkimage", "#!/bin/sh\n"), "a script"],
		["are empty", new SmallRoot().file("/usr/bin/grub2-mkimage", ""), ""],
	])("that %s are no fault of it: by default none is run", async (_, root, fault) => {
		const findings = new Findings();
		const [tool] = await checkTools(root, findings);
		expect(tool?.fault).toContain(fault);
		expect(findings.list).toEqual([
			expect.objectContaining({ code: "TOOL", severity: "ok", evidence: tool?.fault, blocks: [] }),
			expect.objectContaining({ code: "TOOL", severity: "ok", blocks: [] }),
		]);
	});
});
