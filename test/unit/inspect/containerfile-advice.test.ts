import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { type Inspection, inspectTree } from "../../../src/inspect/inspect-image.ts";
import { type LiveImageSetup, liveImage } from "../../support/live-image.ts";
import type { SmallRoot } from "../../support/small-root.ts";
import { temporaryDirectory } from "../../support/temporary-directory.ts";

const PLACES = ["/usr/lib/image-builder/bootc/iso.yaml", "/usr/lib/bootc-image-builder/iso.yaml"];

const inspect = (setup: LiveImageSetup, texts: Readonly<Record<string, string>>): Promise<Inspection> => {
	const image = liveImage(setup);
	for (const [path, content] of Object.entries(texts)) image.file(path, content);
	return inspectTree(image, { architecture: "amd64" });
};

/** Runs the lines that the findings give below a scratch directory, and returns the iso.yaml files that are there then. */
function applied(lines: readonly string[], before: Readonly<Record<string, string>>): Record<string, string> {
	const root = temporaryDirectory("root");
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

/** Codes of what a container build leaves behind, before and after the lines of the findings were run on a copy of `paths`. */
async function followOnFiles(image: SmallRoot, paths: readonly string[]): Promise<[string[], string[]]> {
	const about = async (): Promise<Inspection["findings"]> =>
		(await inspectTree(image, { architecture: "amd64" })).findings.filter(
			({ code, severity }) => severity !== "ok" && ABOUT_FILES.has(code),
		);
	const found = await about();
	const root = temporaryDirectory("root");
	for (const path of paths) {
		const inode = image.lookup(path)?.inode;
		mkdirSync(dirname(join(root, path)), { recursive: true });
		if (inode?.type !== "file") continue;
		writeFileSync(join(root, path), "");
		chmodSync(join(root, path), inode.mode);
	}
	for (const { containerfile } of found)
		if (containerfile !== undefined)
			execFileSync("sh", [
				"-c",
				containerfile.fedora
					.slice(4)
					.replaceAll(/(?<= )\/(?=usr|LiveOS|proc|\.docker)/g, `${root}/`)
					.replaceAll("chown root", "true"),
			]);
	for (const path of [...paths, "/usr/lib/tmpfiles.d/live-image.conf"]) {
		const status = statSync(join(root, path), { throwIfNoEntry: false });
		if (status?.isFile() === true) image.file(path, readFileSync(join(root, path), "utf8"), status.mode & 0o7777);
		else if (status?.isDirectory() === true) image.directory(path);
		else remove(image, root, path);
	}
	return [found.map(({ code }) => code), (await about()).map(({ code }) => code)];
}
/** Takes what is not on disk any more out of the image, from the top down. */
function remove(image: SmallRoot, root: string, path: string): void {
	const names = path.split("/").slice(1);
	for (const [index, name] of names.entries()) {
		const above = `/${names.slice(0, index).join("/")}`;
		const parent = image.lookup(above)?.inode;
		if (existsSync(join(root, above, name)) || parent?.type !== "directory") continue;
		parent.entries.delete(name);
		return;
	}
}
const ABOUT_FILES = new Set([
	"RESOLV_CONF_EMPTY",
	"HOSTS_EMPTY",
	"DOCKERENV_LEFT",
	"SETUID_MISSING",
	"ROOT_HAS_LIVEOS",
	"ROOT_WITHOUT_PROC",
]);
const RESOLVED = "/usr/lib/systemd/systemd-resolved";
const MANAGER = "/usr/sbin/NetworkManager";

describe("what a container build leaves behind", () => {
	it.each<readonly [string, Readonly<Record<string, number>>, readonly string[]]>([
		[
			"an empty resolv.conf, where resolved wants a link",
			{ "/etc/resolv.conf": 0o644, [RESOLVED]: 0o755 },
			["RESOLV_CONF_EMPTY"],
		],
		["an empty resolv.conf that NetworkManager writes", { "/etc/resolv.conf": 0o644, [MANAGER]: 0o755 }, []],
		["one that only root may read", { "/etc/resolv.conf": 0o700, [MANAGER]: 0o755 }, ["RESOLV_CONF_EMPTY"]],
		["an empty hosts", { "/etc/hosts": 0o700 }, ["HOSTS_EMPTY"]],
		["an empty hostname, which is as good as none", { "/etc/hostname": 0o700, "/run/.containerenv": 0o644 }, []],
		["Docker's mark", { "/.dockerenv": 0o755 }, ["DOCKERENV_LEFT"]],
		["sudo without its bit", { "/usr/bin/sudo": 0o755, "/usr/bin/mount": 0o4755 }, ["SETUID_MISSING"]],
		["several without", { "/usr/bin/su": 0o755, "/usr/bin/pkexec": 0o755, "/usr/bin/ls": 0o755 }, ["SETUID_MISSING"]],
		["nothing", { "/usr/bin/sudo": 0o4111, "/usr/bin/su": 0o4755 }, []],
		["what dmsquash-live would take for a medium", { "/LiveOS/x": 0o644 }, ["ROOT_HAS_LIVEOS"]],
	])("%s", async (_, files, codes) => {
		const image = liveImage();
		for (const [path, mode] of Object.entries(files)) {
			const isEmpty = path.startsWith("/etc/") || path.startsWith("/.") || path.startsWith("/run/");
			image.file(path, isEmpty ? "" : "x", mode);
		}
		const [found, left] = await followOnFiles(image, Object.keys(files));
		expect(found).toEqual(codes);
		expect(left).toEqual([]);
	});

	it("is no fault where it is a link, made at boot, or not asked for", async () => {
		const image = liveImage()
			.symlink("/etc/resolv.conf", "../run/systemd/resolve/stub-resolv.conf")
			.file(RESOLVED, "x")
			.file("/etc/hosts", "")
			.file("/etc/nsswitch.conf", "hosts: files myhostname dns\n");
		expect((await followOnFiles(image, []))[0]).toEqual([]);
	});

	it("is said where nothing in the image would write it", async () => {
		const { findings } = await inspectTree(liveImage().file("/etc/resolv.conf", ""), { architecture: "amd64" });
		const found = findings.find(({ code }) => code === "RESOLV_CONF_EMPTY");
		expect(found?.containerfile).toBeUndefined();
		expect(found?.remedy).toContain("install");
	});
});

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
