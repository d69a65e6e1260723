import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { type Inspection, inspectTree } from "../../../src/inspect/inspect-image.ts";
import { type LiveImageSetup, liveImage } from "../../support/live-image.ts";

const scratch = mkdtempSync(join(tmpdir(), "advice-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const PLACES = ["/usr/lib/image-builder/bootc/iso.yaml", "/usr/lib/bootc-image-builder/iso.yaml"];

const inspect = (setup: LiveImageSetup, texts: Readonly<Record<string, string>>): Promise<Inspection> => {
	const image = liveImage(setup);
	for (const [path, content] of Object.entries(texts)) image.file(path, content);
	return inspectTree(image, { architecture: "amd64" });
};

/** Runs the lines that the findings give below a scratch directory, and returns the iso.yaml files that are there then. */
function applied(lines: readonly string[], before: Readonly<Record<string, string>>): Record<string, string> {
	const root = mkdtempSync(join(scratch, "root-"));
	for (const [path, content] of Object.entries(before)) {
		mkdirSync(dirname(join(root, path)), { recursive: true });
		writeFileSync(join(root, path), content);
	}
	for (const line of lines) {
		expect(line).toMatch(/^RUN /);
		expect(line).not.toContain("\n");
		execFileSync("sh", ["-c", line.slice(4).replaceAll("/usr/lib/", `${root}/usr/lib/`)]);
	}
	const after: Record<string, string> = {};
	for (const place of PLACES) {
		try {
			after[place] = readFileSync(join(root, place), "utf8");
		} catch {}
	}
	return after;
}

/** Codes of the findings that advise a line for iso.yaml, and those that are left when it was followed. */
async function follow(setup: LiveImageSetup, before: Readonly<Record<string, string>>): Promise<[string[], string[]]> {
	const about = ({ findings }: Inspection) =>
		findings.filter(({ severity, code }) => severity !== "ok" && /^(MENU|OVERLAY|SELINUX)/.test(code));
	const found = about(await inspect(setup, before));
	const lines = found.flatMap(({ containerfile }) => containerfile?.fedora ?? []);
	expect(lines.length).toBe(found.length);
	const left = about(await inspect(setup, { ...before, ...applied([...new Set(lines)], before) }));
	return [found.map(({ code }) => code), left.map(({ code }) => code)];
}

const yaml = (linux: string, label = "Live"): string =>
	`label: ${label}\ngrub2:\n  timeout: 5\n  entries:\n    - name: It's "x" $$y\n      linux: ${linux}\n      initrd: /images/pxeboot/initrd.img\n`;
const [first = "", second = ""] = PLACES;
const KERNEL = "/images/pxeboot/vmlinuz";

describe("advice for a Containerfile, followed", () => {
	it.each<readonly [string, LiveImageSetup, Record<string, string>, readonly string[]]>([
		["no root, in the one place", {}, { [first]: yaml(`${KERNEL} quiet`) }, ["MENU_NO_ROOT"]],
		["no root, in the other", {}, { [second]: yaml(`${KERNEL} quiet`) }, ["MENU_NO_ROOT"]],
		[
			"no root, in the one of two that is used",
			{},
			{ [first]: yaml(`${KERNEL} quiet`), [second]: yaml(`${KERNEL} root=live:CDLABEL=Live`) },
			["MENU_NO_ROOT"],
		],
		["an argument is missing in the built-in menu", { dracut: "059-4" }, {}, ["OVERLAY_ARGUMENT_MISSING"]],
		[
			"an argument is missing and iso.yaml has only a label",
			{ dracut: "059-4" },
			{ [first]: "label: Mine\n" },
			["OVERLAY_ARGUMENT_MISSING"],
		],
		[
			"an argument is missing and kernel_args are there",
			{ dracut: "059-4" },
			{ [second]: "kernel_args: [root=live:CDLABEL=Live, rd.live.image]\nlabel: Live\n" },
			["OVERLAY_ARGUMENT_MISSING"],
		],
		[
			"an argument turns it off",
			{ dracut: "106" },
			{ [second]: yaml(`${KERNEL} root=live:CDLABEL=Live rd.live.overlay.overlayfs=0`) },
			["OVERLAY_ARGUMENT_MISSING"],
		],
		["another label", {}, { [second]: yaml(`${KERNEL} root=live:CDLABEL=Other`) }, ["MENU_LABEL"]],
		[
			"a label with spaces and quotes",
			{},
			{ [second]: yaml(`${KERNEL} root=live:CDLABEL=$isolabel`, '"It\'s /live"') },
			["MENU_LABEL"],
		],
		["a quoted scalar", {}, { [second]: yaml(`"${KERNEL}"`) }, ["MENU_NO_ROOT"]],
		["a block scalar", {}, { [second]: yaml(`>-\n        ${KERNEL}\n        quiet`) }, ["MENU_NO_ROOT"]],
		[
			"JSON",
			{},
			{ [second]: JSON.stringify({ label: "L", grub2: { entries: [{ name: "n", linux: KERNEL, initrd: "/x" }] } }) },
			["MENU_INITRD_PATH", "MENU_NO_ROOT"],
		],
		[
			"everything at once",
			{},
			{ [second]: yaml("/vmlinuz root=live:CDLABLE=Live rd.live.dir=/x") },
			["MENU_KERNEL_PATH", "MENU_ROOT_UNKNOWN", "MENU_LIVE_PATH"],
		],
		["a directory", {}, { [second]: yaml(`${KERNEL} root=live:CDLABEL=Live rd.live.dir=/x`) }, ["MENU_LIVE_PATH"]],
		["a typing mistake", {}, { [second]: yaml(`${KERNEL} root=live:Live`) }, ["MENU_ROOT_UNKNOWN"]],
		["a disk", {}, { [second]: yaml(`${KERNEL} root=/dev/sda1 rd.live.image`) }, ["MENU_ROOT_DEVICE"]],
		[
			"an overlay",
			{},
			{ [second]: yaml(`${KERNEL} root=live:CDLABEL=Live rd.live.overlay=LABEL=x`) },
			["MENU_OVERLAY_DEVICE"],
		],
		[
			"a default beyond the last",
			{},
			{ [second]: `${yaml(`${KERNEL} root=live:CDLABEL=Live`)}  default: 7\n` },
			["MENU_DEFAULT_BEYOND"],
		],
		[
			"no labels",
			{},
			{
				"/etc/selinux/config": "SELINUX=enforcing\n",
				[second]: yaml(`${KERNEL} root=live:CDLABEL=Live 'a="b c"' x\\ y`),
			},
			["SELINUX_UNLABELLED"],
		],
	])("%s", async (_, setup, before, codes) => {
		const [found, left] = await follow(setup, before);
		expect(found).toEqual(codes);
		expect(left).toEqual([]);
	});
});
