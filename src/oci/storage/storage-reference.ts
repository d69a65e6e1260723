import { Oci2isoError } from "../../errors.ts";
import { isDigest } from "../digest.ts";
import { type DockerReference, parseDockerReference, withDefaultTag } from "../docker-reference.ts";

/** A store that a reference names itself. */
export interface NamedStore {
	/** As it was written; undefined: the one that is there. */
	readonly driver: string | undefined;
	readonly graphRoot: string;
	/** As containers/storage's graph driver options: `overlay.imagestore=DIR`. */
	readonly options: readonly string[];
}

/** What an image in a store is called: by one of these, or by name and id together. */
export interface StoredName {
	/** As it was written. */
	readonly text: string;
	/** With a tag or a digest. */
	readonly name: DockerReference | undefined;
	/** NAME without a registry, which podman also looks for as localhost/NAME. */
	readonly isShort: boolean;
	/** Hexadecimal digits that an id begins with. */
	readonly id: string | undefined;
	/** Whether `id` may as well be `name`. */
	readonly isIdGuessed: boolean;
}

export interface StorageReference {
	/** Undefined: the user's own store. */
	readonly store: NamedStore | undefined;
	readonly image: StoredName;
}

const ID_START = /^[0-9a-f]{3,64}$/;

/**
 * What follows `containers-storage:`, in the notation of containers-transports(5): `[[DRIVER@]ROOT[+RUNROOT][:OPTION,…]]NAME[:TAG][@DIGEST][@ID]`, or an id's
 * first three digits or more. Throws `Oci2isoError` REFERENCE_INVALID (exit 2).
 */
export function parseStorageReference(text: string): StorageReference {
	const end = text.startsWith("[") ? text.indexOf("]") : -1;
	if (text.startsWith("[") && end < 0) throw invalid(text, "] after the store");
	const store = end < 0 ? undefined : parseStore(text.slice(1, end), text);
	return { store, image: parseStoredName(text.slice(end + 1)) };
}

function parseStore(text: string, reference: string): NamedStore {
	const at = text.indexOf("@");
	const [place = "", ...rest] = text.slice(at + 1).split(":");
	const [graphRoot = "", runRoot] = place.split("+");
	if (at === 0) throw invalid(reference, "a driver before @");
	if (![graphRoot, runRoot ?? "/"].every((path) => path.startsWith("/")))
		throw invalid(reference, "absolute paths in [DRIVER@ROOT+RUNROOT]");
	return {
		driver: at < 0 ? undefined : text.slice(0, at),
		graphRoot,
		options: rest
			.join(":")
			.split(",")
			.filter((option) => option !== ""),
	};
}

/** Throws `Oci2isoError` REFERENCE_INVALID (exit 2). */
export function parseStoredName(text: string): StoredName {
	const unnamed = { text, name: undefined, isShort: false, isIdGuessed: false };
	const whole = /^(?:sha256:|@)?([0-9a-f]{64})$/.exec(text)?.[1];
	if (whole !== undefined) return { ...unnamed, id: whole };
	const at = text.lastIndexOf("@");
	const last = text.slice(at + 1);
	const id = at >= 0 && !isDigest(last) ? last : undefined;
	if (id !== undefined && !ID_START.test(id))
		throw invalid(text, "a digest or the first digits of an image's id after @");
	const rest = id === undefined ? text : text.slice(0, at);
	if (rest === "" && id === undefined) throw invalid(text, "an image's name or id");
	if (rest === "") return { ...unnamed, id };
	const name = withDefaultTag(parseDockerReference(rest));
	const isShort = name.domain === "docker.io" && !/^(index\.)?docker\.io\//.test(rest);
	const isIdGuessed = id === undefined && ID_START.test(rest);
	return { text, name, isShort, id: isIdGuessed ? rest : id, isIdGuessed };
}

function invalid(text: string, expected: string): Oci2isoError {
	const what = `"containers-storage:${text.slice(0, 300)}" is no image reference`;
	const remedy = "give containers-storage:NAME[:TAG], or containers-storage:[DRIVER@ROOT]NAME[:TAG]";
	return new Oci2isoError({ code: "REFERENCE_INVALID", kind: "usage", what, expected, remedy });
}
