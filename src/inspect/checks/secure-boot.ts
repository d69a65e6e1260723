import { displayName } from "../../binary/byte-string.ts";
import type { Machine } from "../../boot/machines.ts";
import { revocations, type Shim, sbatOf, shimOf } from "../../boot/secure-boot.ts";
import { type ContainerfileLines, UEFI_PATHS } from "../../findings/finding.ts";
import type { Findings } from "../../findings/findings.ts";
import { type AuthenticodeSignature, signaturesOf } from "../../formats/pe/authenticode.ts";
import { commonNameOf } from "../../formats/pe/certificates.ts";
import type { PeImage } from "../../formats/pe/pe-image.ts";
import { foreignProgram } from "../../formats/pe/pe-layout.ts";
import {
	NEWEST_SBAT_GENERATIONS,
	PUBLISHED_SBAT_LEVEL,
	parseSbatLevels,
	revokedBy,
	type SbatEntry,
	type SbatLevel,
} from "../../formats/pe/sbat.ts";
import type { SignedProgram } from "../../formats/pe/signed-program.ts";
import { firmwareTrust, judge, type TrustStore } from "../../formats/pe/trust.ts";
import type { BootParts, EfiPart, KernelPart } from "../boot-parts.ts";
import { efiLines, kernelLines, systemdBootLines } from "../containerfile.ts";

const SECURE = ["secure-boot"] as const;

/** What a program is called, how its codes begin, and what installs it. */
interface Named {
	readonly name: string;
	readonly code: string;
	readonly lines: (machine: Machine) => ContainerfileLines | undefined;
}

const NAMES = {
	grub2: { name: "GRUB", code: "GRUB", lines: efiLines },
	"systemd-boot": { name: "systemd-boot", code: "SYSTEMD_BOOT", lines: systemdBootLines },
	shim: { name: "shim", code: "SHIM", lines: efiLines },
	mokManager: { name: "the MOK manager", code: "MOK_MANAGER", lines: efiLines },
	kernel: { name: "the kernel", code: "KERNEL", lines: kernelLines },
	unifiedKernel: { name: "the unified kernel image", code: "UNIFIED_KERNEL", lines: () => undefined },
} as const satisfies Record<string, Named>;

/** What UEFI firmware starts, and what each stage trusts of the next. */
export function checkUefi(parts: BootParts, findings: Findings): undefined {
	const { efi, machine, bootLoader } = parts;
	if (efi === undefined) return;
	const images = new Map<string, PeImage>();
	for (const role of ["shim", "secondStage", "mokManager"] as const) {
		const image = checkProgram(role === "secondStage" ? bootLoader : role, efi[role], machine, findings);
		if (image !== undefined) images.set(role, image);
	}
	const program = images.get("shim");
	if (program === undefined) return;
	const firmware = firmwareTrust();
	checkShim(program, efi.shim, firmware, machine, findings);
	const shim = shimOf(program, firmware);
	const grub = images.get("secondStage");
	if (grub !== undefined) checkTrusted(NAMES[bootLoader], grub, efi.secondStage, shim.trust, machine, findings);
	const mokManager = images.get("mokManager");
	// Only needed to enrol keys.
	if (mokManager !== undefined && !judge(mokManager, shim.trust).isTrusted)
		findings.warn(
			"MOK_MANAGER_NOT_TRUSTED",
			"the MOK manager is not signed by what shim trusts: no keys can be enrolled",
			{
				evidence: evidenceOf(efi.mokManager, mokManager),
				containerfile: efiLines(machine),
			},
		);
	if (grub !== undefined)
		checkSbat(NAMES[bootLoader], grub, efi.secondStage, shim, sbatOf(program) ?? [], machine, findings);
	checkKernelTrust(parts, shim, findings);
}

/** Of a kernel that is started beside another, or of a unified kernel image: what shim and firmware look at. */
export function checkFurtherKernel(
	{ efi, machine }: BootParts,
	program: Pick<KernelPart, "file" | "pe">,
	name: "kernel" | "unifiedKernel",
	findings: Findings,
): void {
	const shim = efi?.shim.pe;
	if (shim !== undefined && typeof shim !== "string" && typeof program.pe !== "string")
		checkTrusted(NAMES[name], program.pe, program, shimOf(shim, firmwareTrust()).trust, machine, findings);
}

function checkKernelTrust({ kernel, machine }: BootParts, { trust }: Shim, findings: Findings): void {
	if (kernel !== undefined && typeof kernel.pe !== "string")
		checkTrusted(NAMES.kernel, kernel.pe, kernel, trust, machine, findings);
}

function checkProgram(
	role: keyof typeof NAMES,
	part: EfiPart,
	machine: Machine,
	findings: Findings,
): PeImage | undefined {
	const { pe, file } = part;
	const where = displayName(file.path);
	const problem = foreignProgram(pe, machine.peMachine);
	if (typeof pe !== "string" && problem === undefined) return pe;
	const evidence = `${where}: ${problem}`;
	const { name, code, lines } = NAMES[role];
	const what = `${name} is no EFI program for ${machine.name}`;
	if (role === "mokManager") findings.warn(`${code}_NOT_EFI`, what, { evidence, containerfile: lines(machine) });
	else
		findings.block(`${code}_NOT_EFI`, what, UEFI_PATHS, {
			evidence,
			containerfile: lines(machine),
		});
	return undefined;
}

/** Firmware with Microsoft's third-party certificates starts it. */
function checkShim(
	shim: PeImage,
	part: EfiPart,
	firmware: TrustStore,
	machine: Machine,
	findings: Findings,
): undefined {
	const evidence = evidenceOf(part, shim);
	const verdict = judge(shim, firmware);
	if (verdict.isTrusted)
		return findings.ok("SHIM_SIGNED", `shim is signed under ${verdict.anchors.join(" and ")}`, evidence);
	const isValid = signaturesOf(shim).some(({ coversProgram, isAuthentic }) => coversProgram && isAuthentic);
	const code =
		shim.signatures.length === 0
			? "SHIM_NOT_SIGNED"
			: isValid && shim.faults.length === 0
				? "SHIM_UNKNOWN_AUTHORITY"
				: "SHIM_SIGNATURE_BROKEN";
	const known = firmware.anchors.map(({ subject }) => commonNameOf(subject)).join(" or ");
	findings.block(code, `shim ${verdict.why}: Secure Boot refuses it`, SECURE, {
		evidence,
		remedy:
			code === "SHIM_UNKNOWN_AUTHORITY"
				? `install a shim signed under ${known}, or enrol the key in the firmware`
				: "install the distribution's signed shim",
		containerfile: efiLines(machine),
	});
}

function checkTrusted(
	{ name, code, lines }: Named,
	image: SignedProgram,
	part: Pick<EfiPart, "file">,
	trust: TrustStore,
	machine: Machine,
	findings: Findings,
): undefined {
	const verdict = judge(image, trust);
	if (verdict.isTrusted)
		return findings.ok(`${code}_SIGNED`, `${name} is signed by what shim trusts`, evidenceOf(part, image));
	findings.block(
		image.signatures.length === 0 ? `${code}_NOT_SIGNED` : `${code}_NOT_TRUSTED`,
		`${name} ${verdict.why}: Secure Boot refuses it`,
		SECURE,
		{
			evidence: evidenceOf(part, image),
			remedy:
				code === NAMES.unifiedKernel.code
					? "sign it with a key that shim trusts, or that is enrolled in the machine"
					: "take shim, boot loader and kernel from one distribution, in their signed form",
			containerfile: lines(machine),
		},
	);
}

/** shim refuses a second stage without `.sbat`, or of a generation that it knows as revoked. */
function checkSbat(
	{ name, code, lines }: Named,
	grub: PeImage,
	part: EfiPart,
	shim: Shim,
	shimEntries: readonly SbatEntry[],
	machine: Machine,
	findings: Findings,
): undefined {
	const entries = sbatOf(grub);
	const where = displayName(part.file.path);
	const details = { remedy: `install a current ${name}`, containerfile: lines(machine) };
	if (entries === undefined)
		return findings.block(
			`${code}_WITHOUT_SBAT`,
			`${name} has no SBAT section: shim refuses it under Secure Boot`,
			SECURE,
			{
				evidence: where,
				...details,
			},
		);
	if (revokedBy(entries, shim.levels).length > 0)
		return findings.block(`${code}_REVOKED`, `${name}'s SBAT generation is one that this shim revokes`, SECURE, {
			evidence: `${where}: ${generations(entries)}`,
			...details,
		});
	const own = [...entries, ...shimEntries];
	const old = [shim.latestLevels, parseSbatLevels(Buffer.from(PUBLISHED_SBAT_LEVEL.text))].find(
		(list) => revokedBy(own, list).length > 0,
	);
	if (old !== undefined)
		return findings.warn("SBAT_OLD", "firmwares with the newest revocations refuse these boot loaders", {
			evidence: shortfall(own, old),
			...details,
		});
	const behind = shortfall(own, NEWEST_SBAT_GENERATIONS);
	const published = `no revocation published by ${PUBLISHED_SBAT_LEVEL.date} names these boot loaders`;
	findings.ok(
		"SBAT",
		behind === "" ? published : `${published}, but newer ones exist, and a later revocation may: ${behind}`,
		`${where}: ${generations(entries)}`,
	);
}

function generations(entries: readonly SbatEntry[]): string {
	return entries.map(({ component, generation }) => `${component},${generation}`).join(" ");
}

function shortfall(entries: readonly SbatEntry[], levels: readonly SbatLevel[]): string {
	return revocations(entries, levels, (component, own, least) => `${component},${own} below ${least}`).join(" ");
}

function describe(signatures: readonly AuthenticodeSignature[]): string {
	if (signatures.length === 0) return "no signature that can be read";
	return signatures
		.map(({ signer, coversProgram }) => {
			const by = `signed by ${commonNameOf(signer.subject)} (${commonNameOf(signer.issuer)})`;
			return coversProgram ? by : `${by}, changed since`;
		})
		.join("; ");
}

function evidenceOf({ file }: Pick<EfiPart, "file">, image: SignedProgram): string {
	return `${displayName(file.path)}: ${image.signatures.length === 0 ? "no certificate table" : describe(signaturesOf(image))}`;
}
