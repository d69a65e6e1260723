import type { ByteSource } from "../binary/byte-source.ts";
import { divideCeil, MiB } from "../binary/units.ts";
import { MAX_EFI_BYTES } from "../boot/boot-file-limits.ts";
import { SECOND_STAGE } from "../boot/boot-files.ts";
import { corrupt } from "../errors.ts";
import type { Findings } from "../findings/findings.ts";
import { signaturesOf } from "../formats/pe/authenticode.ts";
import { commonNameOf, vendorLists } from "../formats/pe/certificates.ts";
import { type PeImage, sectionBytes } from "../formats/pe/pe-image.ts";
import { decodePeLayout } from "../formats/pe/pe-layout.ts";
import {
	automaticSbatLevels,
	latestSbatLevels,
	parseSbat,
	revokedBy,
	type SbatEntry,
	type SbatLevel,
} from "../formats/pe/sbat.ts";
import { PASSING_HEAD_BYTES, PassingProgram, type SignedProgram } from "../formats/pe/signed-program.ts";
import { firmwareTrust, judge, shimTrust, type TrustAnchor, type TrustStore } from "../formats/pe/trust.ts";
import { isShim, readEfiProgram, SHIM_CERTIFICATES } from "./efi-program.ts";
import { DEFAULT_LOADER } from "./uefi-walk.ts";

/** A program that Secure Boot asks about, not yet read. */
export interface SecureBootProgram {
	readonly path: string;
	readonly source: ByteSource;
}

const CHUNK_BYTES = MiB;

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
	let trust = firmware;
	let levels: Uint8Array | undefined;
	for (const { path, source } of efiPrograms) {
		try {
			if (source.byteLength > MAX_EFI_BYTES)
				throw corrupt("FILE_TOO_LARGE", `it has ${source.byteLength} bytes`, path, `at most ${MAX_EFI_BYTES}`);
			const program = readEfiProgram(await source.read(0, source.byteLength), path);
			const isLoader = path === `/${DEFAULT_LOADER}`;
			checkTrusted(path, program, isLoader ? firmware : trust, findings);
			if (isLoader && isShim(program)) {
				const vendor = sectionBytes(program, SHIM_CERTIFICATES) ?? new Uint8Array();
				trust = shimTrust(vendor, firmware);
				const { authorized } = vendorLists(vendor);
				if (authorized.unreadable > 0) findings.fault("shim's own certificate cannot be read", path, "X.509");
				if (authorized.certificates.length === 0) findings.note("shim brings no certificate of its own");
				findings.detail = authorized.certificates
					.map(({ subject }) => `shim trusts ${commonNameOf(subject)}`)
					.join(", ");
				levels = Uint8Array.from(sectionBytes(program, ".sbatlevel") ?? []);
				if (automaticSbatLevels(levels).length === 0) findings.note("shim brings no SBAT levels");
			}
			if (levels !== undefined) checkSbat(path, program, levels, findings);
		} catch (error) {
			findings.caught(error);
		}
	}
	let bytesLeft = maxBytes;
	for (const { path, source } of kernels) {
		bytesLeft -= source.byteLength;
		if (bytesLeft < 0) {
			findings.fault("the menu's kernels have more bytes than the medium, the rest was not looked at", path);
			return;
		}
		try {
			const kernel = await readKernelProgram(source);
			if (typeof kernel === "string") findings.fault(`it is no 64-bit EFI program: ${kernel}`, path, "PE32+");
			else checkTrusted(path, kernel, trust, findings);
		} catch (error) {
			findings.caught(error);
		}
	}
	findings.note("the firmware's own keys and revocation lists were not consulted");
}

function checkTrusted(path: string, program: SignedProgram, trust: TrustStore, findings: Findings): void {
	const verdict = judge(program, trust);
	if (!verdict.isTrusted) {
		findings.fault(`it ${verdict.why}`, path, `a program that ${trust.name} starts under Secure Boot`);
		return;
	}
	if (trust.name === "firmware") findings.note(`signed under ${verdict.anchors.join(" and ")}`, path);
	const good = signaturesOf(program).filter(({ coversProgram, isAuthentic }) => coversProgram && isAuthentic);
	if (good.length < program.signatures.length)
		findings.note(`${program.signatures.length - good.length} of its signatures do not fit it`, path);
}

/** Reads headers and certificates, and digests the rest in passing. */
async function readKernelProgram(source: ByteSource): Promise<SignedProgram | string> {
	const { byteLength } = source;
	const head = Buffer.from(await source.read(0, Math.min(PASSING_HEAD_BYTES, byteLength)));
	try {
		const layout = decodePeLayout(head, byteLength);
		if (typeof layout === "string") return layout;
		if (!PassingProgram.canPass(layout)) return "its parts are in an odd order";
		const program = new PassingProgram(layout, ["sha1", "sha256", "sha384", "sha512"]);
		const chunk = Buffer.alloc(CHUNK_BYTES);
		for (let i = 0; i < divideCeil(byteLength, CHUNK_BYTES); i++) {
			const at = i * CHUNK_BYTES;
			program.push(await source.read(at, Math.min(CHUNK_BYTES, byteLength - at), chunk));
		}
		return program.finish();
	} catch (error) {
		if (error instanceof RangeError) return "its headers are not at its beginning";
		throw error;
	}
}

/** shim refuses what has no SBAT section, and what its levels revoke. */
function checkSbat(path: string, program: PeImage, levels: Uint8Array, findings: Findings): void {
	const own = sectionBytes(program, ".sbat");
	if (own === undefined) {
		if (path === `/${SECOND_STAGE}`) findings.fault("shim refuses it: it has no SBAT section", path, "one");
		else findings.note("it has no SBAT section", path);
		return;
	}
	const entries = parseSbat(own);
	const faults = revoked(entries, automaticSbatLevels(levels));
	if (faults.length > 0)
		findings.fault(`shim refuses it: ${faults.join(", ")}`, path, "generations that are not revoked");
	const later = revoked(entries, latestSbatLevels(levels));
	if (faults.length === 0 && later.length > 0)
		findings.note(`refused where the latest revocations are in force: ${later.join(", ")}`, path);
}

/** Components that are below the levels, as `grub 3 < 4`. */
function revoked(entries: readonly SbatEntry[], levels: readonly SbatLevel[]): string[] {
	return revokedBy(entries, levels).map(
		({ component, generation, minimumGeneration }) => `${component} ${generation} < ${minimumGeneration}`,
	);
}
