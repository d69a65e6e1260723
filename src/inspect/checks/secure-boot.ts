import type { X509Certificate } from "node:crypto";
import { displayName } from "../../binary/byte-string.ts";
import type { AuthenticodeSignature } from "../../pe/authenticode.ts";
import { commonNameOf, isIssuedBy, vendorCertificates } from "../../pe/certificates.ts";
import { type PeImage, sectionBytes } from "../../pe/pe-image.ts";
import { automaticSbatLevels, parseSbat, parseSbatLevels, revokedBy } from "../../pe/sbat.ts";
import type { SignedProgram } from "../../pe/signed-program.ts";
import type { BootParts, EfiPart } from "../boot-parts.ts";
import { LINES } from "../containerfile.ts";
import { signaturesOf } from "../efi-program.ts";
import { type FindingList, UEFI_PATHS } from "../finding.ts";
import { FIRMWARE_AUTHORITIES, LATEST_SBAT_LEVEL } from "../live-boot-facts.ts";

const SECURE = ["secure-boot"] as const;

const ROLES = {
	shim: "shim",
	grub: "GRUB",
	mokManager: "the MOK manager",
} as const;

/** What UEFI firmware starts, and what each stage trusts of the next. */
export function checkUefi(parts: BootParts, findings: FindingList): undefined {
	const { efi, kernel } = parts;
	if (efi === undefined) return;
	const images = new Map<string, PeImage>();
	for (const role of ["shim", "grub", "mokManager"] as const) {
		const image = checkProgram(role, efi[role], findings);
		if (image !== undefined) images.set(role, image);
	}
	const shim = images.get("shim");
	if (shim === undefined) return;
	checkShim(shim, efi.shim, findings);
	const vendor = vendorCertificates(sectionBytes(shim, ".vendor_cert") ?? new Uint8Array());
	const names = vendor.map(({ subject }) => commonNameOf(subject)).join(", ");
	const trust: Trust = {
		authorities: vendor,
		who: vendor.length === 0 ? "shim, which holds no certificate of its vendor" : `shim (${names})`,
	};
	const grub = images.get("grub");
	if (grub !== undefined) checkTrusted("GRUB", grub, efi.grub, trust, findings);
	const mokManager = images.get("mokManager");
	// Only needed to enrol keys.
	if (mokManager !== undefined && isTrusted(mokManager, trust) !== undefined)
		findings.warn(
			"MOK_MANAGER_NOT_TRUSTED",
			"the MOK manager is not signed by what shim trusts: no keys can be enrolled",
			{
				evidence: evidenceOf(efi.mokManager, mokManager),
				containerfile: LINES.efi,
			},
		);
	if (grub !== undefined) checkSbat(shim, grub, efi.grub, findings);
	if (kernel !== undefined && typeof kernel.pe !== "string") checkTrusted("KERNEL", kernel.pe, kernel, trust, findings);
}

function checkProgram(role: keyof typeof ROLES, part: EfiPart, findings: FindingList): PeImage | undefined {
	const { pe, file } = part;
	const where = displayName(file.path);
	const problem =
		typeof pe === "string" ? pe : pe.machine === "x86_64" ? undefined : `it is a program for ${pe.machine}`;
	if (typeof pe !== "string" && problem === undefined) return pe;
	const evidence = `${where}: ${problem}`;
	const what = `${ROLES[role]} is no EFI program for x86_64`;
	if (role === "mokManager") findings.warn("MOK_MANAGER_NOT_EFI", what, { evidence, containerfile: LINES.efi });
	else
		findings.block(role === "shim" ? "SHIM_NOT_EFI" : "GRUB_NOT_EFI", what, UEFI_PATHS, {
			evidence,
			containerfile: LINES.efi,
		});
	return undefined;
}

/** Firmware with Microsoft's third-party certificates starts it. */
function checkShim(shim: PeImage, { file }: EfiPart, findings: FindingList): undefined {
	const where = displayName(file.path);
	const signatures = signaturesOf(shim);
	const details = {
		remedy: "install the distribution's signed shim",
		containerfile: LINES.efi,
	};
	if (shim.signatures.length === 0)
		return findings.block("SHIM_NOT_SIGNED", "shim is not signed: Secure Boot refuses it", SECURE, {
			evidence: where,
			...details,
		});
	const valid = signatures.filter(({ coversProgram, isAuthentic }) => coversProgram && isAuthentic);
	if (valid.length === 0)
		return findings.block("SHIM_SIGNATURE_BROKEN", "shim's signature does not fit it: Secure Boot refuses it", SECURE, {
			evidence: `${where}: ${describe(signatures)}`,
			...details,
		});
	const known = valid.filter((signature) =>
		FIRMWARE_AUTHORITIES.some((name) => commonNameOf(signature.signer.issuer) === name),
	);
	if (known.length === 0)
		return findings.block("SHIM_UNKNOWN_AUTHORITY", "shim is signed by nobody whom firmwares know", SECURE, {
			evidence: `${where}: ${describe(valid)}`,
			remedy: `install a shim signed by ${FIRMWARE_AUTHORITIES.join(" or ")}, or enrol the key in the firmware`,
			containerfile: LINES.efi,
		});
	findings.ok(
		"SHIM_SIGNED",
		`shim is signed by ${known.map(({ signer }) => commonNameOf(signer.issuer)).join(" and by ")}`,
		where,
	);
}

interface Trust {
	readonly authorities: readonly X509Certificate[];
	readonly who: string;
}

/** Why it is not trusted, or undefined where it is. */
function isTrusted(image: SignedProgram, { authorities, who }: Trust): string | undefined {
	if (image.signatures.length === 0) return "is not signed";
	const valid = signaturesOf(image).filter(({ coversProgram, isAuthentic }) => coversProgram && isAuthentic);
	if (valid.length === 0) return "has a signature that does not fit it";
	const chain = ({ signer, certificates }: AuthenticodeSignature): boolean =>
		authorities.some(
			(authority) =>
				isIssuedBy(signer, authority) ||
				certificates.some((between) => isIssuedBy(signer, between) && isIssuedBy(between, authority)),
		);
	// Firmwares' own authorities are good to shim too.
	const byFirmware = ({ signer }: AuthenticodeSignature): boolean =>
		FIRMWARE_AUTHORITIES.includes(commonNameOf(signer.issuer));
	return valid.some((signature) => chain(signature) || byFirmware(signature))
		? undefined
		: `is not signed by what is trusted by ${who}`;
}

function checkTrusted(
	code: "GRUB" | "KERNEL",
	image: SignedProgram,
	part: Pick<EfiPart, "file">,
	trust: Trust,
	findings: FindingList,
): undefined {
	const name = code === "GRUB" ? "GRUB" : "the kernel";
	const problem = isTrusted(image, trust);
	if (problem === undefined)
		return findings.ok(`${code}_SIGNED`, `${name} is signed by what shim trusts`, evidenceOf(part, image));
	findings.block(
		image.signatures.length === 0 ? `${code}_NOT_SIGNED` : `${code}_NOT_TRUSTED`,
		`${name} ${problem}: Secure Boot refuses it`,
		SECURE,
		{
			evidence: evidenceOf(part, image),
			remedy: `take shim, GRUB and kernel from one distribution, in their signed form`,
			containerfile: code === "GRUB" ? LINES.efi : LINES.kernel,
		},
	);
}

/** shim refuses a second stage without `.sbat`, or of a generation that it knows as revoked. */
function checkSbat(shim: PeImage, grub: PeImage, part: EfiPart, findings: FindingList): undefined {
	const section = sectionBytes(grub, ".sbat");
	const where = displayName(part.file.path);
	const details = { remedy: "install a current GRUB", containerfile: LINES.efi };
	if (section === undefined)
		return findings.block("GRUB_WITHOUT_SBAT", "GRUB has no SBAT section: shim refuses it under Secure Boot", SECURE, {
			evidence: where,
			...details,
		});
	const entries = parseSbat(section);
	const described = entries.map(({ component, generation }) => `${component},${generation}`).join(" ");
	const revoked = revokedBy(entries, automaticSbatLevels(sectionBytes(shim, ".sbatlevel") ?? new Uint8Array()));
	if (revoked.length > 0)
		return findings.block("GRUB_REVOKED", "GRUB's SBAT generation is one that this shim revokes", SECURE, {
			evidence: `${where}: ${described}`,
			...details,
		});
	const levels = parseSbatLevels(Buffer.from(LATEST_SBAT_LEVEL));
	const old = [
		...revokedBy(entries, levels),
		...revokedBy(parseSbat(sectionBytes(shim, ".sbat") ?? new Uint8Array()), levels),
	];
	if (old.length > 0)
		findings.warn("SBAT_OLD", "firmwares with the newest revocations refuse these boot loaders", {
			evidence: old.map(({ component, generation }) => `${component},${generation}`).join(" "),
			...details,
		});
	else findings.ok("SBAT", `SBAT generations are current: ${described}`, where);
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
