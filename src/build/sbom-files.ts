import { createHash } from "node:crypto";
import { displayName } from "../binary/byte-string.ts";
import { Turns } from "../binary/turns.ts";
import { Oci2isoError } from "../errors.ts";
import type { OciImage } from "../oci/open-image.ts";
import { parseReference } from "../oci/reference.ts";
import type { NamedImage } from "../options/open-beside.ts";
import { nameFor } from "../output/destination.ts";
import { openReports } from "../output/report-file.ts";
import type { PayloadImage } from "../payload/payload-images.ts";
import { type SbomFormat, sbomPathOf } from "../sbom/formats.ts";
import type { ImageIdentity, InventoriedFile, InventoriedSystem, Inventory } from "../sbom/inventory.ts";
import { readPackages } from "../sbom/read-packages.ts";
import type { ComposedSystem } from "./compose.ts";
import type { Work } from "./options.ts";
import type { BuildPlan } from "./plan.ts";
import type { BuildProgress } from "./progress.ts";
import { VERSION } from "./version.ts";

/** A document of what is on the medium. */
export interface SbomReport {
	readonly format: SbomFormat;
	readonly path: string;
	/** Of the systems, without files and images. */
	readonly packages: number;
}

/** What the medium was made of. */
interface Sources {
	readonly plan: BuildPlan;
	readonly image: OciImage;
	readonly also: readonly NamedImage[];
	readonly payloads: readonly PayloadImage[];
	readonly progress: BuildProgress;
}

export interface SbomDocument {
	readonly format: SbomFormat;
	/** UTF-8. */
	readonly bytes: Buffer;
}

/** Documents of what is on the medium, which get their names after the medium has its own. */
export interface SbomFiles {
	/** As long as the system's tree can be read. Rejects as `readPackages`, and with `Oci2isoError` (exit 6) where a file cannot be written. */
	write(system: ComposedSystem, sources: Sources): Promise<readonly SbomReport[]>;
	/** What was written, for those who send it on. */
	readonly documents: readonly SbomDocument[];
	publish(): Promise<void>;
	/** Leaves nothing behind but what was published; never throws. */
	discard(): void;
}

/** Undefined where none is asked for. Throws as `openReports`, and INVALID_OPTION (exit 2) for a medium without a name. */
export function openSbomFiles({ outputs, sbom = [], overwrite, signal }: Work): SbomFiles | undefined {
	if (sbom.length === 0) return undefined;
	const name = nameFor(outputs);
	if (name === undefined) throw noName();
	const wanted = sbom.map((format) => ({ format, path: sbomPathOf(name, format) }));
	const { files, publish, discard } = openReports(wanted, { overwrite });
	if (files.length < wanted.length) {
		discard();
		throw noName();
	}
	const documents: SbomDocument[] = [];
	return {
		documents,
		async write(system, sources) {
			const inventory = await takeInventory(system, sources, signal);
			for (const notice of inventory.notices) sources.progress.notice(notice);
			const packages = inventory.systems.reduce((sum, each) => sum + each.packages.length, 0);
			for (const { format, file } of files) {
				const text = await documentOf(format, inventory);
				documents.push({ format, bytes: Buffer.from(text) });
				await file.write(text);
			}
			return files.map(({ format, path }) => ({ format, path, packages }));
		},
		publish,
		discard,
	};
}

/** No further system is called so: their names have no capitals. */
const FIRST = "Live";

function noName(): Oci2isoError {
	return new Oci2isoError({
		code: "INVALID_OPTION",
		kind: "usage",
		what: "standard output has no name that a document could be called after",
		where: "sbom",
		remedy: "name a file with -o",
	});
}

/** Libraries that nobody else needs are loaded for it. */
async function documentOf(format: SbomFormat, inventory: Inventory): Promise<string> {
	if (format === "spdx") return (await import("../sbom/spdx.ts")).spdxDocument(inventory);
	return (await import("../sbom/cyclonedx.ts")).cyclonedxDocument(inventory);
}

async function takeInventory(
	system: ComposedSystem,
	{ plan, image, also, payloads }: Sources,
	signal: AbortSignal | undefined,
): Promise<Inventory> {
	const notices: string[] = [];
	const stages = [
		{ name: FIRST, image, reference: plan.image.reference, stage: system.stage, contract: system.contract },
		...system.also.flatMap(({ name, stage, contract }, i) => {
			const named = also[i];
			return named === undefined
				? []
				: [{ name, image: named.image, reference: named.image.reference, stage, contract }];
		}),
	];
	const systems: InventoriedSystem[] = [];
	for (const { name, image: from, reference, stage, contract } of stages) {
		const fetch = stage.fetchAside;
		const { packages, notices: told } = await readPackages(stage.tree, { fetch, signal });
		notices.push(...told);
		if (packages.length === 0)
			notices.push(
				`${name === FIRST ? "the image" : name} has no package database of dpkg, rpm, apk or pacman that names a package`,
			);
		systems.push({ name, distribution: contract.osRelease, image: identityOf(reference, from), packages });
	}
	if (payloads.length > 0)
		notices.push("packages in the images that the medium carries are not named, only the images");
	return {
		label: system.contract.label,
		toolVersion: VERSION,
		epochSeconds: system.epochSeconds,
		ingredients: system.ingredients,
		systems,
		payloads: payloads.map((each) => identityOf(each.reference, each)),
		files: await filesOf(system, signal),
		notices,
	};
}

function identityOf(reference: string, { manifestDigest }: Pick<OciImage, "manifestDigest">): ImageIdentity {
	const parsed = parseReference(reference);
	const repository = parsed.transport === "docker" ? `${parsed.name.domain}/${parsed.name.repository}` : undefined;
	return { repository, manifestDigest };
}

/** Kernels, boot loaders and their like, each once. */
async function filesOf(
	{ files, tree }: ComposedSystem,
	signal: AbortSignal | undefined,
): Promise<readonly InventoriedFile[]> {
	const found = new Map<string, InventoriedFile>();
	const turns = new Turns(signal);
	for (const { iso, content } of files) {
		if (iso === undefined || content.kind === "rootfs") continue;
		const sha1 = createHash("sha1");
		const sha256 = createHash("sha256");
		const chunks = content.kind === "image" ? tree.stream(content.file.inode) : [content.bytes];
		for await (const chunk of chunks) {
			sha1.update(chunk);
			sha256.update(chunk);
			if (turns.areDue(PIECES_PER_CHUNK)) await turns.next();
		}
		const path = displayName(iso);
		found.set(path, { path, sha1: sha1.digest("hex"), sha256: sha256.digest("hex") });
	}
	return [...found.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** A chunk has up to a megabyte. */
const PIECES_PER_CHUNK = 64;
