import { dirname, resolve } from "node:path";
import { MiB } from "../binary/units.ts";
import { Oci2isoError } from "../errors.ts";
import type { OciImage } from "../oci/open-image.ts";
import { parseReference } from "../oci/reference.ts";
import { checksumPathOf } from "../output/checksums.ts";
import { namedIsos, nameFor } from "../output/destination.ts";
import type { PendingOutput } from "../output/output-file.ts";
import { isPartOf, isSamePlace, type Place, resolvePlace } from "../output/place.ts";
import type { PayloadImage } from "../payload/payload-images.ts";
import type { PayloadFormat } from "../payload/payload-names.ts";
import { sbomPathOf } from "../sbom/formats.ts";
import type { Work } from "./options.ts";

/** Something that is written, by the name that the user knows it by. */
interface NamedOutput {
	readonly name: string;
	readonly path: string;
}

/** What a build writes beside its report. */
export function writtenPlaces(work: Pick<Work, "outputs" | "checksum" | "sbom">): NamedOutput[] {
	const { outputs, checksum = [], sbom = [] } = work;
	const media = outputs.flatMap((to) => {
		if (to.kind === "iso") return [{ name: "the output", path: to.path }];
		if (to.kind === "layout") return [{ name: "the image layout", path: to.directory }];
		return to.kind === "pxe" ? [{ name: "the directory for network boot", path: to.directory }] : [];
	});
	const checksums = checksum.length === 0 ? [] : namedIsos(outputs);
	const named = nameFor(outputs);
	return [
		...media,
		...checksums.map((path) => ({ name: "the file of checksums", path: checksumPathOf(path) })),
		...(named === undefined
			? []
			: sbom.map((format) => ({ name: `--sbom ${format}`, path: sbomPathOf(named, format) }))),
	];
}

/**
 * Throws `Oci2isoError` OUTPUT_CONFLICT (exit 2) where one output would take another's place, or that of something that is read: whatever the names, links
 * and hard links included.
 */
export function requireDistinctPlaces(
	outputs: readonly NamedOutput[],
	read: {
		readonly image: string;
		readonly buildroot?: string | undefined;
		readonly payload?: readonly string[] | undefined;
		readonly also?: readonly string[] | undefined;
		/** A plan's. */
		readonly planFile?: string | undefined;
		readonly authFile?: string | undefined;
		readonly cacheKeyFile?: string | undefined;
		readonly cache?: string | undefined;
	},
): void {
	const images = [read.image, read.buildroot, ...(read.payload ?? []), ...(read.also ?? [])].map(pathOf);
	const inputs = [...images, read.planFile, read.authFile, read.cacheKeyFile].filter((path) => path !== undefined);
	const seen: { readonly name: string; readonly place: Place }[] = [];
	for (const { name, path } of outputs) {
		const place = resolvePlace(path);
		const other = seen.find((earlier) => isSamePlace(earlier.place, place));
		if (other !== undefined) throw conflict(`${other.name} and ${name} are the same file`, path);
		const input = inputs.find((path) => isPartOf(place, path));
		if (input !== undefined) throw conflict(`${name} would replace what is read from ${input}`, path);
		// it is made where there is none, and the directories above it
		if (read.cache && place.kind === "file" && `${resolve(read.cache)}/`.startsWith(`${place.path}/`))
			throw conflict(`${name} is where the cache goes`, path);
		seen.push({ name, place });
	}
}

/** Undefined for what is on no disk, and for what is no reference, which others say better. */
function pathOf(image: string | undefined): string | undefined {
	if (image === undefined) return undefined;
	try {
		const reference = parseReference(image);
		if (reference.transport === "containers-storage") return reference.reference.store?.graphRoot;
		return "path" in reference && reference.path !== "-" ? reference.path : undefined;
	} catch {
		return undefined;
	}
}

function conflict(what: string, where: string): Oci2isoError {
	return new Oci2isoError({ code: "OUTPUT_CONFLICT", kind: "usage", what, where, remedy: "choose another name" });
}

/** Boot loaders and kernel outside of the root file system, tables, alignment. */
const BESIDE_LAYERS_BYTES = 48 * MiB;

/**
 * What the user should know about the room that the ISO needs, which is about what the layers have compressed. Throws `Oci2isoError`
 * TEMPORARY_DIRECTORY_FULL (exit 6) where the temporary directory has less; a named output may do with less, where layers take much away.
 */
export function checkRoom(
	output: PendingOutput,
	images: readonly Pick<OciImage, "layers">[],
	payloads: readonly Pick<PayloadImage, "manifest">[] = [],
	payloadFormat?: PayloadFormat,
): string[] {
	const layers = images.flatMap((image) => image.layers);
	const sizes = new Map(layers.map(({ digest, compressedBytes }) => [digest, compressedBytes]));
	const carried = new Map(
		payloads.flatMap(({ manifest: { config, layers: blobs } }) =>
			[config, ...blobs].map(({ digest, size }) => [digest, size]),
		),
	);
	// what container storage shares with the live root is stored once
	if (payloadFormat === "storage") for (const digest of sizes.keys()) carried.delete(digest);
	const neededBytes = [...sizes.values(), ...carried.values()].reduce((sum, bytes) => sum + bytes, BESIDE_LAYERS_BYTES);
	const { freeBytes, isSpooled } = output;
	const room = `about ${inMiB(neededBytes)}, ${freeBytes === undefined ? "an unknown number" : inMiB(freeBytes)} are free`;
	const isShort = freeBytes !== undefined && freeBytes < neededBytes;
	if (!isSpooled) return isShort ? [`the output may need more room than there is: ${room}`] : [];
	const where = dirname(dirname(output.target.path));
	if (!isShort) return [`until it is sent on, the ISO is kept in ${where} (TMPDIR): ${room}`];
	throw new Oci2isoError({
		code: "TEMPORARY_DIRECTORY_FULL",
		kind: "output",
		what: `the ISO is kept in the temporary directory until it is sent on and needs ${room}`,
		where,
		remedy: "point TMPDIR at a directory with room, or name a file with -o, which needs no room elsewhere",
	});
}

function inMiB(bytes: number): string {
	return `${Math.ceil(bytes / MiB)} MiB`;
}
