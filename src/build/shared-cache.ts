import { inParallel } from "../binary/in-parallel.ts";
import type { BuildCache } from "../cache/build-cache.ts";
import { originOf } from "../cache/layer-index-store.ts";
import { CacheKey } from "../cache/remote/cache-key.ts";
import { type CacheDestination, type CacheSinkReport, exportCache } from "../cache/remote/cache-sink.ts";
import { CacheSource, type CacheSourceReport } from "../cache/remote/cache-source.ts";
import type { BlockSettings } from "../cache/settings.ts";
import type { Cut } from "../content/file-recipe.ts";
import type { FragmentRule } from "../content/fragment-rule.ts";
import { Oci2isoError } from "../errors.ts";
import { type DockerReference, formatDockerReference, withDefaultTag } from "../oci/docker-reference.ts";
import type { OciImage } from "../oci/open-image.ts";
import { type ImageReference, parseReference } from "../oci/reference.ts";
import type { RegistryOptions } from "../oci/registry/options.ts";
import type { RegistrySource } from "../oci/registry/registry-source.ts";
import type { AccessOptions } from "../options/image-options.ts";
import type { Work } from "./options.ts";

/** A registry that does not answer is not worth as much waiting as the image's. */
const ATTEMPTS = 3;
/** Indexes of large layers take much memory. */
const INDEXES_AT_A_TIME = 2;

type SharedCacheOptions = Pick<Work, "cacheSize" | "cacheFrom" | "cacheTo" | "cacheKeyFile"> &
	AccessOptions & { readonly image: string; readonly buildroot?: string | undefined };

/** What was shared with other machines. */
export interface SharedCacheReport {
	readonly from: readonly CacheSourceReport[];
	readonly to?: CacheSinkReport;
}

interface NamedReference {
	readonly text: string;
	readonly name: DockerReference;
}

/** `--cache-from` and `--cache-to` of one build. Only what the user wrote wrong is thrown; what a registry does wrong is in the report. */
export class SharedCache {
	readonly #options: SharedCacheOptions;
	readonly #from: readonly NamedReference[];
	readonly #to: NamedReference | undefined;
	readonly #key: CacheKey | undefined;
	#source: CacheSource | undefined;
	#toReport: SharedCacheReport["to"];

	/** Throws `Oci2isoError` (exit 2) for references that name nothing in a registry, and for a key that is none. */
	constructor(options: SharedCacheOptions) {
		this.#options = options;
		this.#from = options.cacheFrom.map((text) => parseCacheReference(text, "--cache-from"));
		this.#to = options.cacheTo === undefined ? undefined : parseCacheReference(options.cacheTo, "--cache-to");
		if (this.#to?.name.digest !== undefined)
			throw invalid(this.#to.text, "--cache-to", "a tag, which the build's cache can be pushed to");
		if (options.cacheKeyFile === undefined) return;
		if (!this.isUsed)
			throw new Oci2isoError({
				code: "INVALID_OPTION",
				kind: "usage",
				what: "there is a key and no shared cache",
				where: "--cache-key-file",
				remedy: "give --cache-from or --cache-to too",
			});
		this.#key = CacheKey.read(options.cacheKeyFile);
	}

	get isUsed(): boolean {
		return this.#from.length > 0 || this.#to !== undefined;
	}

	/** Of what was given as `--cache-from`. */
	get origins(): readonly string[] {
		return this.#from.map(({ text }) => originOf(text, this.#key?.id));
	}

	get isPushed(): boolean {
		return this.#to !== undefined;
	}

	/** Reads the manifests of `--cache-from`, and gets the indexes that the store does not have; undefined without such a reference. */
	async openSource(image: Pick<OciImage, "layers">, cache: BuildCache, cut: Cut): Promise<CacheSource | undefined> {
		if (this.#from.length === 0) return undefined;
		const names = new Map(this.#from.map((reference) => [reference.text, reference]));
		this.#source = await CacheSource.open(
			[...names.keys()],
			(text) => this.#open(names.get(text) ?? parseCacheReference(text, "--cache-from")),
			this.#key,
			this.#options.signal,
		);
		const layers = new Map(image.layers.map((layer) => [layer.digest, layer]));
		const missing = [...layers.values()].filter(({ digest }) => !cache.hasLayer(digest));
		const source = this.#source;
		await inParallel(missing, INDEXES_AT_A_TIME, async (layer) => {
			const found = await source.layerIndex(layer, cut, this.#options.signal);
			if (found !== undefined) await cache.addLayer(layer.digest, found.bytes, found.origin);
		});
		return this.#source;
	}

	/** Pushes to `--cache-to`, if that was given. */
	async push(
		image: Pick<OciImage, "layers">,
		cache: BuildCache,
		settings: BlockSettings,
		fragmentRule?: FragmentRule,
	): Promise<void> {
		const to = this.#to;
		if (to === undefined) return;
		const { domain, repository } = to.name;
		const neighbours = (this.#source?.artifacts ?? []).flatMap(({ reference, source, entries }) => {
			const { name } = parseCacheReference(reference, "--cache-from");
			if (name.domain !== domain) return [];
			return [{ source, entries, mountFrom: name.repository === repository ? undefined : name.repository }];
		});
		const mountFrom = neighbours.flatMap((neighbour) => neighbour.mountFrom ?? []);
		const destination: CacheDestination = {
			reference: formatDockerReference(withDefaultTag(to.name)),
			open: async () => {
				const { openPushTarget } = await import("../oci/registry/push-target.ts");
				const options = { ...this.#registryOptions(to.name), mountFrom };
				return await openPushTarget(to.name, to.text, options, this.#options.signal);
			},
			openExisting: () => this.#open(to),
		};
		const { directory, origins, finishedPacks: packNames } = cache;
		const layers = image.layers.map(({ digest }) => digest);
		const build = {
			directory,
			settings,
			fragmentRule,
			layers,
			origins,
			packNames,
			maxBytes: this.#options.cacheSize,
			neighbours,
			key: this.#key,
		};
		this.#toReport = await exportCache(build, destination, this.#options.signal);
	}

	get report(): SharedCacheReport | undefined {
		if (!this.isUsed) return undefined;
		return { from: this.#source?.reports ?? [], ...(this.#toReport === undefined ? {} : { to: this.#toReport }) };
	}

	/** What went wrong, one sentence each. */
	get notices(): string[] {
		const from = (this.#source?.reports ?? []).flatMap(({ reference, problem }) =>
			problem === undefined ? [] : [`the shared cache ${reference} was of no or less use: ${problem}`],
		);
		const problem = this.#toReport?.problem;
		return problem === undefined ? from : [...from, `the shared cache was not pushed: ${problem}`];
	}

	async close(): Promise<void> {
		await this.#source?.close();
	}

	async #open({ name, text }: NamedReference): Promise<RegistrySource> {
		const { openRegistry } = await import("../oci/registry/registry-source.ts");
		return await openRegistry(name, text, this.#registryOptions(name), this.#options.signal);
	}

	/** `--creds` are for one registry, the image's, else the buildroot's, else that of `--cache-to`, else that of the first `--cache-from`; no other gets to see them. */
	#registryOptions({ domain }: DockerReference): RegistryOptions {
		const { image, buildroot, authFile, creds, tlsVerify, certDir, transferPolicy } = this.#options;
		const names = [image, buildroot].flatMap((text) => {
			const reference = text === undefined ? undefined : parseReference(text);
			return reference?.transport === "docker" ? [reference.name] : [];
		});
		const credsDomain = (names[0] ?? (this.#to ?? this.#from[0])?.name)?.domain;
		const policy = { attempts: ATTEMPTS, ...transferPolicy };
		return { authFile, creds: domain === credsDomain ? creds : undefined, tlsVerify, certDir, policy };
	}
}

function parseCacheReference(text: string, option: string): NamedReference {
	const reference = read(text, option);
	if (reference.transport !== "docker") throw invalid(text, option, "an artifact in a registry");
	return { text, name: reference.name };
}

/** The parser's own remedy names places of images, of which a cache can have one. */
function read(text: string, option: string): ImageReference {
	try {
		return parseReference(text);
	} catch (error) {
		if (!(error instanceof Oci2isoError)) throw error;
		throw invalid(text, option, error.expected ?? "an artifact in a registry");
	}
}

function invalid(text: string, option: string, expected: string): Oci2isoError {
	return new Oci2isoError({
		code: "REFERENCE_INVALID",
		kind: "usage",
		what: `"${text.slice(0, 300)}" cannot be shared with`,
		where: option,
		expected,
		remedy: "give [docker://]HOST/NAME[:TAG]",
	});
}
