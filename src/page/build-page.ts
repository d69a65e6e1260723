import { formatSize } from "../binary/format-size.ts";
import type { BuildDetails, BuildReport } from "../build/report.ts";
import type { LayerUsage } from "../layers/disk-usage.ts";
import { type BootFacts, bootPaths } from "./boot-paths.ts";
import { bar, documentOf, facts, section, table, texts } from "./document.ts";
import { findingsList } from "./findings.ts";
import { html, json, type Markup } from "./markup.ts";
import { LAYER_COLOURS, layerName, mediumBytes, mediumParts } from "./medium.ts";
import { type Part, treemap } from "./treemap.ts";

/** What a page of a build is made of. */
export interface BuildPageParts extends Pick<BuildDetails, "passed" | "regions" | "contentBytes"> {
	readonly report: BuildReport;
	readonly usage: readonly LayerUsage[];
}

/** Of a plan that is shown. */
const MAX_PLAN_CHARACTERS = 32_768;
const LARGEST_PATHS = 40;
/** Of one part of the medium. */
const MOST_ROWS = 40;

/** A build as a page of HTML that needs nothing but itself. Whatever the image says is text on it, and bounded. Rejects as `diskUsage`. */
export async function buildPage(report: BuildReport, details: BuildDetails): Promise<string> {
	return pageOf({ report, ...details, usage: await details.diskUsage() });
}

function pageOf(parts: BuildPageParts): string {
	const { report } = parts;
	const { image, iso, checks, plan, buildroot, squashfs, contract } = report;
	const isBootable = !checks.isForced;
	const findings = [...checks.findings, ...parts.passed];
	const overview = facts([
		["Image", image.reference],
		["Manifest", image.manifestDigest],
		["Platform", image.platform],
		["Made", image.created],
		["Boot loaders from", buildroot && `${buildroot.reference} (${buildroot.manifestDigest})`],
		["ISO", iso && `${[iso.path, ...(iso.furtherPaths ?? [])].join(", ")}, ${iso.byteLength} bytes`],
		["For network boot", report.pxe?.map(({ directory }) => directory).join(", ")],
		["Label", contract.label],
		["Kernel", [contract.kernelVersion, ...(report.contract.furtherKernelVersions ?? [])].slice(0, 20).join(", ")],
		["Media checksum", iso?.mediaMd5],
		[
			"Checksums",
			iso?.checksums &&
				Object.entries(iso.checksums)
					.map((each) => each.join(" "))
					.join(", "),
		],
		["Documents", report.sboms?.map(({ path, packages }) => `${path}: ${packages} packages`).join(", ")],
		[
			"Root file system",
			`${squashfs.format}, ${formatSize(squashfs.byteLength)}: ${squashfs.codec} ${squashfs.level}, blocks of ${formatSize(squashfs.blockBytes)}, ${squashfs.encoder}`,
		],
		[
			"In it",
			`${squashfs.inodes} inodes, ${squashfs.fragments} fragment blocks, ${squashfs.duplicateFiles} duplicate files (${formatSize(squashfs.duplicateBytes)} not stored again), ${squashfs.excludedPaths} paths left out`,
		],
		["oci2iso", report.oci2isoVersion],
		["Memory", `${formatSize(report.peakResidentBytes)} at most`],
	]);
	const loader = parts.regions.some(({ what }) => /^\/loader\//.test(what)) ? "systemd-boot" : "grub2";
	const boot: BootFacts = {
		bootLoader: loader,
		bootPaths: checks.bootPaths,
		findings,
		kernel: contract.kernelVersion,
		initramfs: findings.find(({ code, severity }) => code === "INITRAMFS" && severity === "ok")?.what,
		menu: `${contract.menuEntries.length} entries, ${contract.timeoutSeconds} s`,
		rootFileSystem: `${squashfs.format}, ${formatSize(squashfs.byteLength)}`,
		signers: findings.flatMap(({ code, what }) =>
			/^(SHIM|GRUB|SYSTEMD_BOOT|KERNEL)_SIGNED$/.test(code) ? [what] : [],
		),
	};
	return documentOf(`oci2iso build: ${contract.label}`, [
		html`<header><h1>${contract.label}</h1><p>${formatSize(mediumBytes(report))} <span class="mark ${isBootable ? "ok" : "blocker"}">${isBootable ? "✓ built" : "✕ built by force: it will not boot as asked"}</span></p>${overview}</header>\n`,
		section("What the medium is made of", contents(parts)),
		section("Layers", layers(parts)),
		section("Where the time went", [phases(report)]),
		section("How it starts", [bootPaths(boot)]),
		section("Findings", [findingsList(findings)]),
		section("Choices that the image leaves open", [
			findingsList(report.choices),
			texts(report.addedFiles.map(({ iso, efiImage, why }) => `added: ${iso ?? efiImage ?? ""}, ${why}`)),
		]),
		section("What the image holds and the ISO cannot", [texts(report.losses)]),
		section("Notices", [texts(report.notices)]),
		section("Tools", [
			texts(
				report.tools.map(({ task, used, path, reason }) =>
					[`${task}: ${used}`, path, reason].filter((each) => each !== undefined).join(", "),
				),
			),
		]),
		section("Plan", [planOf(plan)]),
	]);
}

function contents(parts: BuildPageParts): (Markup | undefined)[] {
	const { report } = parts;
	const whole = mediumParts(parts);
	const total = mediumBytes(report);
	const legend: readonly (readonly [colour: string, name: string])[] = [
		...report.layers
			.slice(0, LAYER_COLOURS)
			.map((layer, index) => [`c${index}`, layerName(index, layer.digest)] as const),
		["boot", "boot files"],
		["tables", "tables"],
		["free", "padding and gaps"],
	];
	return [
		html`<figure class="wide">${treemap(whole, "What takes how many bytes of the medium")}<figcaption>${legendOf(legend)}Areas are bytes on the medium. A content that several layers have is the uppermost one's.</figcaption></figure>`,
		table(
			"The medium",
			[
				["part", "text"],
				["bytes", "number"],
				["share", "number"],
				["", "bar"],
			],
			[...flatParts(whole), ["all", `${total}`, "100 %", bar(1)]].map((row) => row),
		),
		html`<details><summary>The largest directories and files</summary>${table(
			"In the root file system, by bytes on the medium",
			[
				["path", "text"],
				["layer", "number"],
				["on the medium", "number"],
				["uncompressed", "number"],
				["files", "number"],
				["shared", "number"],
			],
			largest(parts.usage),
		)}</details>`,
	];

	function flatParts({ children = [] }: Part, depth = 0): (string | Markup)[][] {
		const others = children.slice(MOST_ROWS);
		const bytes = others.reduce((sum, other) => sum + other.bytes, 0);
		const shown = [
			...children.slice(0, MOST_ROWS),
			...(others.length === 0 ? [] : [{ name: `${others.length} others`, bytes }]),
		];
		return shown.flatMap((child: Part) => [
			[`${"— ".repeat(depth)}${child.name}`, `${child.bytes}`, percent(child.bytes / total), bar(child.bytes / total)],
			...(child.isGroup === true ? flatParts(child, depth + 1) : []),
		]);
	}
}

function legendOf(rows: readonly (readonly [colour: string, name: string])[]): Markup {
	return html`<ul class="legend">${rows.map(([colour, name]) => html`<li><svg viewBox="0 0 10 10" aria-hidden="true"><rect class="${colour}" width="10" height="10"/></svg>${name}</li>`)}</ul>`;
}

interface UsedPath {
	readonly path: string;
	readonly layer: number;
	readonly node: LayerUsage["children"][number];
}

/** A directory that is one of its children and little else is left to that child. */
function largest(usage: readonly LayerUsage[]): (string | Markup)[][] {
	const paths: UsedPath[] = [];
	const open: UsedPath[] = usage.flatMap(({ layer, children }) =>
		children.map((node) => ({ path: `/${node.name}`, layer, node })),
	);
	for (let next = open.pop(); next !== undefined; next = open.pop()) {
		const { node, path, layer } = next;
		if ((node.children[0]?.storedBytes ?? 0) < 0.9 * node.storedBytes) paths.push(next);
		for (const child of node.children) open.push({ path: `${path}/${child.name}`, layer, node: child });
	}
	return paths
		.sort((a, b) => b.node.storedBytes - a.node.storedBytes || a.layer - b.layer || (a.path < b.path ? -1 : 1))
		.slice(0, LARGEST_PATHS)
		.map(({ path, layer, node }) => [
			path,
			`${layer}`,
			formatSize(node.storedBytes),
			formatSize(node.contentBytes),
			`${node.files}`,
			formatSize(node.sharedBytes),
		]);
}

function layers({ report, usage }: BuildPageParts): (Markup | undefined)[] {
	const most = Math.max(
		1,
		...report.layers.map(({ reusedBytes, recompressedBytes }) => reusedBytes + recompressedBytes),
	);
	return [
		table(
			"Bottom layer first. Dark: compressed by this build; light: taken from the cache",
			[
				["layer", "text"],
				["blob", "number"],
				["archive", "number"],
				["downloaded", "number"],
				["compressed", "number"],
				["from the cache", "number"],
				["shared", "number"],
				["passed over", "number"],
				["read", "number"],
				["", "bar"],
			],
			report.layers.map((layer, index) => [
				layerName(index, layer.digest),
				formatSize(layer.compressedBytes),
				formatSize(layer.tarBytes),
				formatSize(layer.downloadedBytes),
				formatSize(layer.recompressedBytes),
				formatSize(layer.reusedBytes),
				formatSize(usage.find((each) => each.layer === index)?.sharedBytes ?? 0),
				formatSize(layer.skippedBytes),
				`${layer.timesRead}×`,
				bar(layer.recompressedBytes / most, layer.reusedBytes / most),
			]),
		),
		html`<p class="faint">Shared: contents that are on the medium already, duplicates and hard links, uncompressed. Passed over: a higher layer or an exclude decides the path.</p>`,
	];
}

function phases({ phases }: BuildReport): Markup | undefined {
	const total = phases.reduce((sum, { milliseconds }) => sum + milliseconds, 0);
	const longest = Math.max(1, ...phases.map(({ milliseconds }) => milliseconds));
	return table(
		`${(total / 1000).toFixed(1)} s in all`,
		[
			["phase", "text"],
			["seconds", "number"],
			["", "bar"],
		],
		phases.map(({ phase, milliseconds }) => [phase, (milliseconds / 1000).toFixed(2), bar(milliseconds / longest)]),
	);
}

function planOf(plan: BuildReport["plan"]): Markup {
	if (JSON.stringify(plan).length > MAX_PLAN_CHARACTERS)
		return html`<p>It is too long for this page: see <code>--print-plan</code>, or the report as JSON.</p>`;
	return html`<details><summary>What decides every byte, as <code>--plan</code> takes it</summary><pre><code>${json(plan)}</code></pre></details>`;
}

function percent(share: number): string {
	return `${(100 * share).toFixed(1)} %`;
}
