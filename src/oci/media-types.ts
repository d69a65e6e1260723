/** OCI image-spec media-types.md, and the Docker types that it lists as compatible. */

export const OCI_INDEX = "application/vnd.oci.image.index.v1+json";

const INDEXES = new Set([OCI_INDEX, "application/vnd.docker.distribution.manifest.list.v2+json"]);

export const OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json";
export const OCI_LAYER = "application/vnd.oci.image.layer.v1.tar";
export const DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json";
export const DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json";
export const DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar";
export const DOCKER_LAYER_GZIP = "application/vnd.docker.image.rootfs.diff.tar.gzip";

const MANIFESTS = new Set([OCI_MANIFEST, DOCKER_MANIFEST]);

/** What a registry is asked for where a manifest or an index is wanted. */
export const ACCEPTED_MANIFESTS = [...INDEXES, ...MANIFESTS].join(", ");

const SCHEMA_1 = new Set([
	"application/vnd.docker.distribution.manifest.v1+json",
	"application/vnd.docker.distribution.manifest.v1+prettyjws",
]);

const CONFIGS = new Set(["application/vnd.oci.image.config.v1+json", DOCKER_CONFIG]);

export type LayerCompression = "none" | "gzip" | "zstd";

interface LayerMediaType {
	/** Undefined where the type does not say. */
	readonly compression: LayerCompression | undefined;
	/** Not to be pushed to registries: the blob may have to come from somewhere else. */
	readonly foreign: boolean;
}

const LAYERS = new Map<string, LayerMediaType>([
	[OCI_LAYER, { compression: "none", foreign: false }],
	["application/vnd.oci.image.layer.v1.tar+gzip", { compression: "gzip", foreign: false }],
	["application/vnd.oci.image.layer.v1.tar+zstd", { compression: "zstd", foreign: false }],
	["application/vnd.oci.image.layer.nondistributable.v1.tar", { compression: "none", foreign: true }],
	["application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", { compression: "gzip", foreign: true }],
	["application/vnd.oci.image.layer.nondistributable.v1.tar+zstd", { compression: "zstd", foreign: true }],
	// what Docker 1.x called layers, compressed or not
	["application/vnd.docker.container.image.rootfs.diff+x-gtar", { compression: undefined, foreign: false }],
	[DOCKER_LAYER, { compression: "none", foreign: false }],
	[DOCKER_LAYER_GZIP, { compression: "gzip", foreign: false }],
	["application/vnd.docker.image.rootfs.diff.tar.zstd", { compression: "zstd", foreign: false }],
	["application/vnd.docker.image.rootfs.foreign.diff.tar", { compression: "none", foreign: true }],
	["application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", { compression: "gzip", foreign: true }],
]);

type DocumentKind = "index" | "manifest" | "schema1";

/** What a media type says the JSON document is; undefined for types that are none of these. */
export function documentKind(mediaType: string): DocumentKind | undefined {
	if (INDEXES.has(mediaType)) return "index";
	if (MANIFESTS.has(mediaType)) return "manifest";
	return SCHEMA_1.has(mediaType) ? "schema1" : undefined;
}

export function isImageConfig(mediaType: string): boolean {
	return CONFIGS.has(mediaType);
}

export function isEncrypted(mediaType: string): boolean {
	return mediaType.endsWith("+encrypted");
}

export function layerMediaType(mediaType: string): LayerMediaType | undefined {
	return LAYERS.get(mediaType);
}
