import type { ByteSource } from "../binary/byte-source.ts";
import { MAX_EFI_BYTES } from "../boot/boot-file-limits.ts";
import { readKernel } from "../boot/linux/kernel.ts";
import { isShim, revocations, type Shim, sbatOf, shimOf } from "../boot/secure-boot.ts";
import { corrupt } from "../errors.ts";
import type { Findings } from "../findings/findings.ts";
import { signaturesOf } from "../formats/pe/authenticode.ts";
import { commonNameOf } from "../formats/pe/certificates.ts";
import type { PeImage } from "../formats/pe/pe-image.ts";
import type { SbatLevel } from "../formats/pe/sbat.ts";
import type { SignedProgram } from "../formats/pe/signed-program.ts";
import { firmwareTrust, judge, type TrustAnchor, type TrustStore } from "../formats/pe/trust.ts";
import { readEfiProgram } from "./efi-program.ts";
import { streamOf } from "./medium-files.ts";

/** A program that Secure Boot asks about, not yet read. */
export interface SecureBootProgram {
	readonly path: string;
	/** Absent: it is another program. */
	readonly role?: "loader" | "grub" | "beside" | undefined;
	readonly source: ByteSource;
}

/**
 * Signatures: the firmware's authorities, or those given, know shim; shim knows what it starts, and no program is of an SBAT generation that
 * this shim revokes. `efiPrograms` are those on the EFI system partition, the default loader first. One program is read at a time, kernels
 * chunk by chunk, and no more of them than `maxBytes` in all.
 * Not checked: the keys and revocation lists that the machine has.
 */
export async function checkSecureBoot(
	efiPrograms: readonly SecureBootProgram[],
	kernels: readonly SecureBootProgram[],
	{ maxBytes, anchors }: { readonly maxBytes: number; readonly anchors?: readonly TrustAnchor[] | undefined },
	findings: Findings,
): Promise<void> {
	const firmware = firmwareTrust(anchors);
	let shim: Shim | undefined;
	for (const { path, role, source } of efiPrograms) {
		try {
			if (source.byteLength > MAX_EFI_BYTES)
				throw corrupt("FILE_TOO_LARGE", `it has ${source.byteLength} bytes`, path, `at most ${MAX_EFI_BYTES}`);
			const program = readEfiProgram(await source.read(0, source.byteLength), path);
			const isLoader = role === "loader";
			checkTrusted(path, program, isLoader ? firmware : (shim?.trust ?? firmware), findings);
			if (isLoader && isShim(program)) {
				shim = shimOf(program, firmware);
				const { certificates, unreadable } = shim.vendor;
				if (unreadable > 0) findings.fault("shim's own certificate cannot be read", path, "X.509");
				if (certificates.length === 0) findings.note("shim brings no certificate of its own");
				findings.detail = certificates.map(({ subject }) => `shim trusts ${commonNameOf(subject)}`).join(", ");
				if (shim.levels.length === 0) findings.note("shim brings no SBAT levels");
			}
			if (shim !== undefined) checkSbat({ path, role }, program, shim, findings);
		} catch (error) {
			findings.caught(error);
		}
	}
	let bytesLeft = maxBytes;
	for (const { path, role, source } of kernels) {
		bytesLeft -= source.byteLength;
		if (bytesLeft < 0) {
			findings.fault("the menu's kernels have more bytes than the medium, the rest was not looked at", path);
			return;
		}
		try {
			const { pe: kernel } = await readKernel(streamOf(source), () => {
				if (source.byteLength > MAX_EFI_BYTES)
					throw corrupt("BAD_PE", "its headers or its parts are in an odd order", path, "PE32+");
				return source.read(0, source.byteLength);
			});
			if (typeof kernel === "string") findings.fault(`it is no 64-bit EFI program: ${kernel}`, path, "PE32+");
			else checkTrusted(path, kernel, shim?.trust ?? firmware, findings, role === "beside");
		} catch (error) {
			findings.caught(error);
		}
	}
	findings.note("the firmware's own keys and revocation lists were not consulted");
}

function checkTrusted(
	path: string,
	program: SignedProgram,
	trust: TrustStore,
	findings: Findings,
	isBeside = false,
): void {
	const verdict = judge(program, trust);
	if (!verdict.isTrusted && isBeside) {
		findings.note(
			`it ${verdict.why}: ${trust.name} refuses it under Secure Boot, and the menu has other entries`,
			path,
		);
		return;
	}
	if (!verdict.isTrusted) {
		findings.fault(`it ${verdict.why}`, path, `a program that ${trust.name} starts under Secure Boot`);
		return;
	}
	if (trust.name === "firmware") findings.note(`signed under ${verdict.anchors.join(" and ")}`, path);
	const good = signaturesOf(program).filter(({ coversProgram, isAuthentic }) => coversProgram && isAuthentic);
	if (good.length < program.signatures.length)
		findings.note(`${program.signatures.length - good.length} of its signatures do not fit it`, path);
}

/** shim refuses what has no SBAT section, and what its levels revoke. */
function checkSbat(
	{ path, role }: Pick<SecureBootProgram, "path" | "role">,
	program: PeImage,
	{ levels, latestLevels }: Shim,
	findings: Findings,
): void {
	const entries = sbatOf(program);
	if (entries === undefined) {
		if (role === "grub") findings.fault("shim refuses it: it has no SBAT section", path, "one");
		else findings.note("it has no SBAT section", path);
		return;
	}
	const revoked = (by: readonly SbatLevel[]): string =>
		revocations(entries, by, (component, own, least) => `${component} ${own} < ${least}`).join(", ");
	const [faults, later] = [revoked(levels), revoked(latestLevels)];
	if (faults !== "") findings.fault(`shim refuses it: ${faults}`, path, "generations that are not revoked");
	else if (later !== "") findings.note(`refused where the latest revocations are in force: ${later}`, path);
}
