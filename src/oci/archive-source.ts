import { Oci2isoError } from "../errors.ts";
import type { ImageSource } from "./blob-source.ts";
import { dockerArchiveSource } from "./docker-archive-source.ts";
import type { FileStore } from "./file-store.ts";
import { layoutSource } from "./layout-source.ts";
import type { ArchiveSelection, LayoutSelection } from "./reference.ts";

type ArchiveTransport = "oci-archive" | "docker-archive";

/**
 * The image that a selection chooses in an archive of the kind that the reference names. A stream cannot be read again under its right name: where nothing is chosen, it is
 * taken for what it is.
 */
export async function archiveSource(
	store: FileStore,
	transport: ArchiveTransport,
	selection: Partial<LayoutSelection & ArchiveSelection>,
	maxLayerBytes: number | undefined,
): Promise<ImageSource> {
	const isChosen = Object.values(selection).some((value) => value !== undefined);
	const actual = store.isStream === true && !isChosen ? await kindOf(store) : undefined;
	const { tag, digest, name, sourceIndex } = selection;
	const source =
		(actual ?? transport) === "docker-archive"
			? dockerArchiveSource(store, { name, sourceIndex }, maxLayerBytes)
			: layoutSource(store, { tag, digest, sourceIndex });
	if (store.isStream !== true) return source;
	const note = `${store.path}: it is no ${transport} and was read as the ${actual} that it is`;
	return {
		...source,
		root: (signal) => source.root(signal).catch((error: unknown) => Promise.reject(asIncomplete(error))),
		get notes() {
			return [...source.notes, ...(actual === undefined || actual === transport ? [] : [note])];
		},
	};
}

/** What a program writes that fails on its way is a whole archive at times, but holds no image. */
function asIncomplete(error: unknown): unknown {
	if (!(error instanceof Oci2isoError) || error.remedy !== undefined) return error;
	const { code, kind, what, where, expected, problems } = error;
	const remedy = "see whether the program that writes it failed";
	return new Oci2isoError({ code, kind, what, where, expected, remedy, problems, cause: error });
}

/** Undefined for what is both, or neither. */
async function kindOf(store: FileStore): Promise<ArchiveTransport | undefined> {
	const isLayout = (await store.find("index.json")) !== undefined;
	const isSaved = (await store.find("manifest.json")) !== undefined;
	if (isLayout === isSaved) return undefined;
	return isLayout ? "oci-archive" : "docker-archive";
}
