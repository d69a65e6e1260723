import type { OsRelease } from "../contract/contract.ts";
import { formatProblem } from "../errors.ts";
import type { ContainerfileLines, Finding } from "./finding.ts";
import type { ImageInspection } from "./inspect.ts";

const MARKS = { ok: "ok", warning: "warning", blocker: "BLOCKER" } as const;
const PATH_NAMES = { bios: "BIOS", uefi: "UEFI", "secure-boot": "UEFI with Secure Boot" } as const;
/** ID of os-release(5) of systems with dnf. */
const FEDORA_LIKE =
	/^(fedora|centos|rhel|rocky|almalinux|ol|amzn|bazzite|bluefin|aurora|kinoite|silverblue|nobara|ultramarine)/;

/** An inspection as text for people, a line per thing, with a final newline. Control characters of the image are escaped. */
export function describeInspection(inspection: ImageInspection): string {
	const { image, contract, osRelease, findings, kernel, initramfs, efi, menu, label, bootPaths, read } = inspection;
	const lines = [
		`image     ${image.reference} (${image.manifestDigest}, ${image.platform})`,
		`system    ${osRelease.name ?? osRelease.id ?? "no os-release"} ${osRelease.versionId ?? ""}`.trimEnd(),
		`label     ${label}`,
		`kernel    ${kernel === undefined ? "none" : `${kernel.path} (${kernel.release ?? "release unknown"}, ${kernel.architecture ?? "?"})`}`,
		`initramfs ${initramfs === undefined ? "none" : `${initramfs.path} (${initramfs.segments.map(({ compression }) => compression).join(", ")}; ${initramfs.modules} modules)`}`,
		`EFI       ${efi === undefined ? "none" : `${efi.vendor}: ${efi.shim}, ${efi.grub}, ${efi.mokManager}`}`,
		`menu      ${menu.timeoutSeconds} s${menu.isBuiltIn ? ", built in" : ""}`,
		...menu.entries.map(
			({ name, linux }, index) => `  ${index === (menu.defaultEntry ?? 0) ? "*" : " "} ${name}: ${linux}`,
		),
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
		...(["bios", "uefi", "secure-boot"] as const).map((path) => `${PATH_NAMES[path]}: ${bootPaths[path]}`),
		`read ${read.blobBytes} bytes of blobs${read.layersReadAgain === 0 ? "" : `, ${read.layersReadAgain} layers again`}`,
	];
	return `${lines.map(printable).join("\n")}\n`;
}

function describeFinding(
	{ severity, code, what, evidence, blocks, remedy, containerfile }: Finding,
	os: OsRelease,
): string[] {
	const stops =
		blocks.length === 0 || blocks.length === 3 ? "" : ` [${blocks.map((path) => PATH_NAMES[path]).join(", ")}]`;
	const seen = evidence === undefined ? "" : ` (${evidence})`;
	return [
		`  ${MARKS[severity].padEnd(7)} ${severity === "ok" ? "" : `${code}: `}${what}${stops}${seen}`,
		...(remedy === undefined ? [] : [`          ${remedy}`]),
		...fixLines(containerfile, os),
	];
}

/** The line for the image's own distribution; both where it is neither. */
function fixLines(lines: ContainerfileLines | undefined, { id = "" }: OsRelease): string[] {
	if (lines === undefined) return [];
	if (lines.fedora === lines.debian) return [`          ${lines.fedora}`];
	if (FEDORA_LIKE.test(id)) return [`          ${lines.fedora}`];
	if (/^(debian|ubuntu|linuxmint|pop|raspbian|kali)/.test(id)) return [`          ${lines.debian}`];
	return [`          Fedora: ${lines.fedora}`, `          Debian: ${lines.debian}`];
}

function printable(line: string): string {
	return line.replace(/[\p{Cc}\p{Zl}\p{Zp}]/gu, (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, "0")}`);
}
