import { printable } from "../binary/printable.ts";
import type { OsRelease } from "../contract/contract.ts";
import { formatProblem } from "../errors.ts";
import type { ContainerfileLines, Finding } from "../findings/finding.ts";
import { findingLines } from "../findings/lines.ts";
import type { InspectedEfiProgram } from "./efi-program.ts";
import type { ImageInspection } from "./inspect.ts";

const PATH_NAMES = { bios: "BIOS", uefi: "UEFI", "secure-boot": "UEFI with Secure Boot" } as const;
/** IDs of os-release(5) of systems with dnf, and of those with apt. */
const FEDORA_LIKE =
	/^(fedora|centos|rhel|rocky|almalinux|ol|amzn|bazzite|bluefin|aurora|kinoite|silverblue|nobara|ultramarine)/;
const DEBIAN_LIKE = /^(debian|ubuntu|linuxmint|pop|raspbian|kali)/;

/** An inspection as text for people, a line per thing, with a final newline. What the image says is made `printable`. */
export function describeInspection(inspection: ImageInspection): string {
	const { image, contract, osRelease, findings, kernel, initramfs, efi, grubModules, menu, label, bootPaths, read } =
		inspection;
	const { buildroot } = inspection;
	const lines = [
		`image     ${image.reference} (${image.manifestDigest}, ${image.platform})`,
		...(buildroot === undefined
			? []
			: [`buildroot ${buildroot.reference} (${buildroot.manifestDigest}, ${buildroot.platform})`]),
		`system    ${osRelease.name ?? osRelease.id ?? "no os-release"} ${osRelease.versionId ?? ""}`.trimEnd(),
		`label     ${label ?? "not known"}`,
		`kernel    ${kernel === undefined ? "none" : `${kernel.path} (${kernel.release ?? "release unknown"}, ${kernel.architecture ?? "?"})`}`,
		`initramfs ${initramfs === undefined ? "none" : `${initramfs.path} (${initramfs.segments.map(({ compression }) => compression).join(", ")}; ${initramfs.modules} modules)`}`,
		`EFI       ${efi === undefined ? "none" : efi.vendor}${efi?.bootLoader === "systemd-boot" ? ", systemd-boot" : ""}`,
		...(efi === undefined ? [] : [efi.shim, efi.grub, efi.mokManager].map(describeProgram)),
		`BIOS      ${grubModules === undefined ? "none" : `${grubModules.path}, ${grubModules.files} files`}`,
		...describeMenu(menu),
		"",
		contract.isMet
			? `contract ${contract.version}: met`
			: `contract ${contract.version}: not met in ${contract.violations.length} points`,
		...contract.violations.flatMap((violation) => [
			`  BLOCKER ${formatProblem(violation)}`,
			...fixLines(violation.containerfile, osRelease),
		]),
		...contract.choices.map(({ what, where, remedy }) => {
			const place = where === undefined ? "" : ` (${where})`;
			return `  chosen  ${what}${place}${remedy === undefined ? "" : `; ${remedy}`}`;
		}),
		"",
		"boot",
		...findings.flatMap((finding) => describeFinding(finding, osRelease)),
		"",
		...(["bios", "uefi", "secure-boot"] as const).map(
			(path) =>
				`${PATH_NAMES[path]}: ${bootPaths[path] ?? `none with ${efi?.bootLoader === "systemd-boot" ? "systemd-boot" : "such machines"}`}`,
		),
		describeCost(read),
	];
	return `${lines.map(printable).join("\n")}\n`;
}

function describeMenu(menu: ImageInspection["menu"]): string[] {
	if (menu === undefined) return ["menu      not known"];
	const { timeoutSeconds, isBuiltIn, defaultEntry = 0, entries } = menu;
	return [
		`menu      ${timeoutSeconds} s${isBuiltIn ? ", built in" : ""}`,
		...entries.map(({ name, linux }, index) => `  ${index === defaultEntry ? "*" : " "} ${name}: ${linux}`),
	];
}

function describeProgram({ path, signers, components }: InspectedEfiProgram): string {
	const signed = signers.map(({ name, isValid }) => (isValid ? name : `${name}, not valid`)).join("; ");
	// The first line is SBAT's own.
	const made = components
		.slice(1)
		.map(({ component, generation, version }) => `${component} ${version} (${generation})`);
	return `          ${[path, `signed by ${signed === "" ? "nobody" : signed}`, ...made].join(", ")}`;
}

/** What was read of the image, and why not less. */
function describeCost(read: ImageInspection["read"]): string {
	const { blobBytes, totalBytes, layersRead, layers, layersByToc, layersReadAgain, lastQuestion } = read;
	const why = lastQuestion === undefined ? "" : `; what is at ${lastQuestion} took the lowest of them`;
	const tables = layersByToc === 0 ? "" : `, ${layersByToc} of them by their tables of contents`;
	const again = layersReadAgain === 0 ? "" : `; ${layersReadAgain} layers were read again`;
	return `read ${blobBytes} of ${totalBytes} bytes of blobs: ${layersRead} of ${layers} layers${tables}${why}${again}`;
}

function describeFinding(finding: Finding, os: OsRelease): string[] {
	const { blocks, containerfile } = finding;
	const stops =
		blocks.length === 0 || blocks.length === 3 ? "" : ` [${blocks.map((path) => PATH_NAMES[path]).join(", ")}]`;
	return [...findingLines(finding, stops), ...fixLines(containerfile, os)];
}

/** The line for the image's own distribution, or for the one it is made from; both where it is neither. */
function fixLines(lines: ContainerfileLines | undefined, { id = "", idLike }: OsRelease): string[] {
	if (lines === undefined) return [];
	if (lines.fedora === lines.debian) return [`          ${lines.fedora}`];
	for (const name of [id, ...idLike]) {
		if (FEDORA_LIKE.test(name)) return [`          ${lines.fedora}`];
		if (DEBIAN_LIKE.test(name)) return [`          ${lines.debian}`];
	}
	return [`          Fedora: ${lines.fedora}`, `          Debian: ${lines.debian}`];
}
