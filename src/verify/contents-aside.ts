import { DIGEST_BYTES } from "../binary/digest-numbers.ts";
import { Turns } from "../binary/turns.ts";
import { STORED_RAW } from "../content/block-size.ts";
import { ContentReader, FRAGMENTS_KEPT } from "../content/content-reader.ts";
import type { BlockPlace } from "../content/stored-data.ts";
import { assert, Oci2isoError } from "../errors.ts";
import { type ContentDigester, contentDigester, type DigestedUnit, MAX_UNITS } from "../native/content-digester.ts";
import type { CheckedRoot } from "../rootfs/root-file-system.ts";
import type { RootFile } from "../rootfs/root-inode.ts";
import { BlockCheck, oddity } from "./block-check.ts";
import { UNIT_BYTES, UnitDigests } from "./content-digest.ts";
import { DigestTable } from "./digest-table.ts";

const FILE_STEPS = 4;

/** What reading all files showed. */
export interface FilesRead {
	readonly blocks: BlockCheck;
	/** By inode number. */
	readonly digests: DigestTable;
}

/**
 * Decodes and digests contents on threads of the addon, several blocks at once. Undefined where there is none, it has not the codec, or anything at all is
 * wrong: what, and what else, is for who reads them in order.
 */
export async function readAside(
	image: CheckedRoot,
	files: readonly RootFile[],
	wantsDigest: (file: RootFile) => boolean,
	signal: AbortSignal | undefined,
): Promise<FilesRead | undefined> {
	const { codec, blockBytes, contents } = image;
	if (!(contents instanceof ContentReader)) return undefined;
	// A unit has to lie in one block.
	if (blockBytes % UNIT_BYTES !== 0 && files.some(wantsDigest)) return undefined;
	const digester = contentDigester(codec, { blockBytes, slotBytes: blockBytes });
	if (digester === undefined) return undefined;
	const turns = new Turns(signal);
	try {
		const reading = new ReadingAside(image, contents, digester);
		for (const file of files) {
			if (turns.areDue(FILE_STEPS)) await turns.next();
			await reading.read(file, wantsDigest(file));
			if (!reading.isSound) return undefined;
		}
		await reading.finish();
		return reading.isSound ? reading : undefined;
	} catch (error) {
		if (error instanceof Oci2isoError && error.kind === "corrupt") return undefined;
		throw error;
	} finally {
		digester.close();
	}
}

type OnDigest = (digest: Buffer) => void;

/** A fragment block, and what is wanted of it. */
interface Fragment {
	readonly place: BlockPlace;
	/** Where the last tail ends. */
	endBytes: number;
	readonly units: DigestedUnit[];
	readonly owners: OnDigest[];
}

class ReadingAside implements FilesRead {
	readonly blocks: BlockCheck;
	readonly digests = new DigestTable();
	isSound = true;
	readonly #blockBytes: number;
	readonly #contents: ContentReader;
	readonly #digester: ContentDigester;
	/** By position, the one used last behind: as many as a `ContentReader` keeps, so that as many blocks are counted. */
	readonly #fragments = new Map<number, Fragment>();

	constructor(image: CheckedRoot, contents: ContentReader, digester: ContentDigester) {
		this.#blockBytes = image.blockBytes;
		this.#contents = contents;
		this.#digester = digester;
		this.blocks = new BlockCheck(image, () => {
			this.isSound = false;
		});
	}

	async read(file: RootFile, isDigested: boolean): Promise<void> {
		const { layout } = file;
		assert(layout.blocks !== undefined, "a content reader's layouts have blocks");
		const digest = isDigested ? new FileDigest(file, this.digests) : undefined;
		this.blocks.begin(file);
		let position = 0;
		let holeBytes = 0;
		for await (const { place, byteLength, offset } of this.#contents.places(layout)) {
			if (place === undefined) holeBytes += byteLength;
			else if (offset !== undefined) await this.#tail(place, offset, byteLength, digest, position);
			else {
				this.#contents.announce(place, this.#blockBytes, this.blocks);
				const units = digest?.units(0, byteLength) ?? [];
				await this.#submit(place, units, (length) => length === byteLength, digest?.owners(position, units) ?? []);
			}
			position += byteLength;
		}
		if (oddity(file, holeBytes, this.#blockBytes) !== undefined) this.isSound = false;
		digest?.end();
	}

	async finish(): Promise<void> {
		for (const fragment of this.#fragments.values()) await this.#submitFragment(fragment);
		this.#digester.finish();
	}

	async #tail(
		place: BlockPlace,
		offset: number,
		byteLength: number,
		digest: FileDigest | undefined,
		position: number,
	): Promise<void> {
		const units = digest?.units(offset, byteLength) ?? [];
		const fragment = await this.#fragment(place, units.length);
		fragment.endBytes = Math.max(fragment.endBytes, offset + byteLength);
		fragment.units.push(...units);
		fragment.owners.push(...(digest?.owners(position, units) ?? []));
	}

	/** With room for some more units. */
	async #fragment(place: BlockPlace, units: number): Promise<Fragment> {
		const fragments = this.#fragments;
		const { position, size } = place;
		const known = fragments.get(position);
		const isKnown = known?.place.size === size;
		if (isKnown && known.units.length + units <= MAX_UNITS) {
			fragments.delete(position);
			fragments.set(position, known);
			return known;
		}
		if (known !== undefined) await this.#submitFragment(known);
		if (!isKnown) this.#contents.announce(place, this.#blockBytes, this.blocks);
		const fragment: Fragment = { place, endBytes: 0, units: [], owners: [] };
		fragments.delete(position);
		fragments.set(position, fragment);
		const [oldest] = fragments.values();
		if (fragments.size > FRAGMENTS_KEPT && oldest !== undefined) {
			fragments.delete(oldest.place.position);
			await this.#submitFragment(oldest);
		}
		return fragment;
	}

	#submitFragment({ place, units, owners, endBytes }: Fragment): Promise<void> {
		return this.#submit(place, units, (length) => endBytes <= length, owners);
	}

	/** `owners` get the digests of `units`, one each. */
	async #submit(
		place: BlockPlace,
		units: readonly DigestedUnit[],
		isLength: (byteLength: number) => boolean,
		owners: readonly OnDigest[],
	): Promise<void> {
		const buffer = this.#digester.acquire();
		const bytes = await this.#contents.stored(place, this.blocks, buffer);
		if (bytes.buffer !== buffer.buffer) buffer.set(bytes);
		const maxBytes = place.size < STORED_RAW ? this.#blockBytes : 0;
		this.#digester.submit(buffer, bytes.byteLength, maxBytes, units, (byteLength, digests) => {
			if (byteLength === undefined || !isLength(byteLength)) this.isSound = false;
			else for (const [i, owner] of owners.entries()) owner(digests.subarray(DIGEST_BYTES * i, DIGEST_BYTES * (i + 1)));
		});
	}
}

/** The digest of one file, which becomes known when all of its blocks were taken. */
class FileDigest {
	readonly #file: RootFile;
	readonly #table: DigestTable;
	readonly #digests: UnitDigests;
	#undigested = 0;
	#hasEnded = false;

	constructor(file: RootFile, table: DigestTable) {
		this.#file = file;
		this.#table = table;
		this.#digests = new UnitDigests(file.byteLength);
	}

	/** Those of `byteLength` bytes, which lie at `offset` in a block's content. */
	units(offset: number, byteLength: number): DigestedUnit[] {
		const units: DigestedUnit[] = [];
		const endsWithLength = this.#digests.isWhole;
		for (let at = 0; at < byteLength; at += UNIT_BYTES)
			units.push({ offset: offset + at, byteLength: Math.min(UNIT_BYTES, byteLength - at), endsWithLength });
		return units;
	}

	owners(position: number, units: readonly DigestedUnit[]): OnDigest[] {
		this.#undigested += units.length;
		return units.map((_, i) => (digest) => {
			this.#digests.add(position / UNIT_BYTES + i, digest);
			this.#undigested--;
			this.#finish();
		});
	}

	end(): void {
		this.#hasEnded = true;
		this.#finish();
	}

	#finish(): void {
		if (this.#hasEnded && this.#undigested === 0) this.#table.set(this.#file.inodeNumber, this.#digests.finish());
	}
}
