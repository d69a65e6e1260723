import { vendorLists } from "../formats/pe/certificates.ts";
import { type PeImage, sectionBytes } from "../formats/pe/pe-image.ts";
import {
	automaticSbatLevels,
	latestSbatLevels,
	parseSbat,
	revokedBy,
	type SbatEntry,
	type SbatLevel,
} from "../formats/pe/sbat.ts";
import { shimTrust, type TrustStore } from "../formats/pe/trust.ts";

const CERTIFICATES = ".vendor_cert";
const NOTHING = new Uint8Array();

/** What a shim thinks of the programs that it is to start. */
export interface Shim {
	readonly trust: TrustStore;
	/** Its vendor's own certificates. */
	readonly vendor: ReturnType<typeof vendorLists>["authorized"];
	/** Generations that it revokes by itself; those that it revokes when it is told to. */
	readonly levels: readonly SbatLevel[];
	readonly latestLevels: readonly SbatLevel[];
}

export function isShim(program: PeImage): boolean {
	return sectionBytes(program, CERTIFICATES) !== undefined;
}

/** `firmware` is what started it. */
export function shimOf(program: PeImage, firmware: TrustStore): Shim {
	const certificates = sectionBytes(program, CERTIFICATES) ?? NOTHING;
	const levels = sectionBytes(program, ".sbatlevel") ?? NOTHING;
	return {
		trust: shimTrust(certificates, firmware),
		vendor: vendorLists(certificates).authorized,
		levels: automaticSbatLevels(levels),
		latestLevels: latestSbatLevels(levels),
	};
}

/** What a program's section `.sbat` says it is made of; undefined where it has none, which shim refuses in what it starts. */
export function sbatOf(program: PeImage): SbatEntry[] | undefined {
	const section = sectionBytes(program, ".sbat");
	return section && parseSbat(section);
}

/** The entries that `levels` revoke, each as `say` puts it. */
export function revocations(
	entries: readonly SbatEntry[],
	levels: readonly SbatLevel[],
	say: (component: string, generation: number, minimum: number) => string,
): string[] {
	return revokedBy(entries, levels).map(({ component, generation, minimumGeneration }) =>
		say(component, generation, minimumGeneration),
	);
}
