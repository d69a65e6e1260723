import { type DockerReference, formatDockerReference, parseDockerReference } from "../docker-reference.ts";
import { unsupported } from "../failures.ts";
import type { StoredName } from "./storage-reference.ts";
import type { Store, StoredImage } from "./store.ts";

export interface FoundImage {
	readonly store: Store;
	readonly image: StoredImage;
	/** What was chosen where the reference did not say. */
	readonly notes: readonly string[];
}

/**
 * The image of that name or id in the first of the stores that has one; undefined where none has. A short name is looked for below docker.io/library, as skopeo
 * does, then below localhost, where podman and buildah put what they build. Throws `Oci2isoError` IMAGE_AMBIGUOUS (exit 2).
 */
export function findImage(stores: readonly Store[], wanted: StoredName): FoundImage | undefined {
	const { name, id, isIdGuessed, isShort } = wanted;
	const named = name === undefined ? undefined : byName(stores, name);
	if (id !== undefined) {
		const found = byId(stores, id, isIdGuessed && named !== undefined);
		// a name beside an id must be one that the image has
		if (found !== undefined && (isIdGuessed || name === undefined || hasRepository(found.image, name))) return found;
		if (!isIdGuessed) return undefined;
	}
	if (name === undefined || !isShort) return named;
	const { repository } = name;
	const local = byName(stores, { ...name, domain: "localhost", repository: repository.replace(/^library\//, "") });
	if (named === undefined) return local;
	if (local === undefined || local.image.id === named.image.id) return named;
	const notes = [`"${wanted.text}" is in the store as docker.io/${repository} and as localhost/…: took the first`];
	return { ...named, notes };
}

function byId(stores: readonly Store[], id: string, isPerhapsAName: boolean): FoundImage | undefined {
	for (const store of stores) {
		const images = store.images.filter((image) => image.id.startsWith(id));
		const [image] = images;
		if (image === undefined) continue;
		if (images.length === 1) return { store, image, notes: [] };
		if (isPerhapsAName) return undefined;
		const ids = images.slice(0, 10).map((each) => each.id);
		throw unsupported(
			"IMAGE_AMBIGUOUS",
			`${images.length} images have ids that begin with ${id}`,
			store.root,
			`give one of ${ids.join(", ")}`,
		);
	}
	return undefined;
}

function byName(stores: readonly Store[], name: DockerReference): FoundImage | undefined {
	const exact = formatDockerReference(name);
	const { digest } = name;
	for (const store of stores) {
		const image =
			store.images.find(({ names }) => names.includes(exact)) ??
			// the image may have been given that name with another tag, or another name of the same digest
			(digest && store.images.find((each) => each.digests.has(digest) && hasRepository(each, name)));
		if (image !== undefined) return { store, image, notes: [] };
	}
	return undefined;
}

function hasRepository({ names }: StoredImage, { domain, repository }: DockerReference): boolean {
	return names.some((text) => {
		try {
			const name = parseDockerReference(text);
			return name.domain === domain && name.repository === repository;
		} catch {
			// other programs write names too
			return false;
		}
	});
}
