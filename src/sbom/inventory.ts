import { createHash } from "node:crypto";
import { type Guid, guidFromDigest } from "../formats/gpt/guid.ts";
import type { InstalledPackage } from "./packages.ts";

/** What is on a medium: what a document of any format says. */
export interface Inventory {
	/** Volume label. */
	readonly label: string;
	readonly toolVersion: string;
	/** Of every time stamp, in seconds since 1970. */
	readonly epochSeconds: number;
	/** Everything that decides the medium's content, as JSON. */
	readonly ingredients: unknown;
	readonly systems: readonly InventoriedSystem[];
	/** Images that it carries to be installed. */
	readonly payloads: readonly ImageIdentity[];
	/** Beside root file systems: kernels, boot loaders. */
	readonly files: readonly InventoriedFile[];
	/** What the document does not have, one sentence each. */
	readonly notices: readonly string[];
}

export interface InventoriedSystem {
	/** Tells it apart from others on the medium. */
	readonly name: string;
	readonly distribution: Distribution;
	readonly image: ImageIdentity;
	readonly packages: readonly InstalledPackage[];
}

/** os-release's. */
export interface Distribution {
	readonly id: string | undefined;
	readonly name: string | undefined;
	readonly versionId: string | undefined;
	readonly buildId?: string | undefined;
}

/** An image by its content: where it was kept on this machine is not in it. */
export interface ImageIdentity {
	/** `HOST/NAME`; undefined where it is of no registry. */
	readonly repository: string | undefined;
	/** `sha256:HEX`. */
	readonly manifestDigest: string;
}

export interface InventoriedFile {
	/** On the ISO, without leading slash; of what is on the EFI system partition alone, there. */
	readonly path: string;
	/** Hexadecimal digits. */
	readonly sha1: string;
	readonly sha256: string;
}

/** The same for the same medium. */
export function documentId({ ingredients, label, toolVersion }: Inventory): Guid {
	const seed = JSON.stringify([ingredients, label, toolVersion]);
	return guidFromDigest(createHash("sha256").update("SBOM").update(seed).digest());
}

/** What the system is, for people. */
export function systemTitle({ distribution: { id, name }, name: fallback }: InventoriedSystem): string {
	return id ?? name ?? fallback;
}
