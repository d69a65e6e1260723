import type { Extent } from "../../content/extent-layout.ts";
import { corrupt, type Oci2isoError } from "../../errors.ts";
import { CLUSTER_BLOCKS, CLUSTER_TYPE, HIGH, MAP_ADVICE } from "./constants.ts";
import { FORM, INLINE, packedExtent } from "./extent-form.ts";
import type { MapHeader } from "./map-header.ts";

interface Head {
	readonly cluster: number;
	readonly start: number;
	readonly type: number;
	readonly block: number;
	readonly isPartial: boolean;
	/** Of the physical cluster, where the index says so, or should. */
	blocks: number | undefined;
}

/** Makes extents of an index of logical clusters, which is given to it entry by entry. Every method throws `Oci2isoError` CORRUPT_METADATA. */
export class ClusterWalk {
	readonly #header: MapHeader;
	readonly #byteLength: number;
	readonly #clusterBytes: number;
	readonly #where: string;
	#head: Head | undefined;
	/** The furthest that a non-head says the next head is. */
	#nextHead = 0;

	constructor(header: MapHeader, byteLength: number, where: string) {
		this.#header = header;
		this.#byteLength = byteLength;
		this.#clusterBytes = header.clusterBytes;
		this.#where = where;
	}

	/** The extent that ends where this one begins. */
	head(cluster: number, type: number, offset: number, block: number, isPartial: boolean): Extent | undefined {
		if (offset >= this.#clusterBytes) throw this.#wrong(`cluster ${cluster} begins at ${offset}`);
		const start = cluster * this.#clusterBytes + offset;
		if (start >= this.#byteLength && cluster > 0) return undefined;
		if (this.#head === undefined && start !== 0) throw this.#wrong("the first cluster does not begin the file");
		if (this.#nextHead > cluster) throw this.#wrong(`cluster ${cluster} is before where the next should be`);
		const extent = this.#head === undefined ? undefined : this.#extent(this.#head, start);
		this.#head = { cluster, start, type, block, isPartial, blocks: undefined };
		return extent;
	}

	/** `next`: how far the next head is, where the entry says so. */
	nonHead(cluster: number, back: number, next: number | undefined): void {
		const head = this.#head;
		if (head === undefined) throw this.#wrong("the first cluster is not a head");
		const distance = cluster - head.cluster;
		const isLarge = this.#isLarge(head.type);
		if ((back & CLUSTER_BLOCKS) !== 0) {
			if (distance !== 1 || !isLarge) throw this.#wrong(`cluster ${cluster} should not say how many blocks there are`);
			head.blocks = back & (CLUSTER_BLOCKS - 1);
		} else if (back === 0 || back > distance) throw this.#wrong(`cluster ${cluster} is ${back} behind its head`);
		else if (distance === 1 && isLarge) head.blocks = 0;
		if (next !== undefined) this.#nextHead = Math.max(this.#nextHead, cluster + next);
	}

	/** The last extent, behind whose index an inline tail is at `indexEnd`. */
	last(indexEnd: number): Extent {
		const head = this.#head;
		if (head === undefined) throw this.#wrong("there is no cluster");
		const { advice, fragmentOffset, inlineBytes } = this.#header;
		const byteLength = this.#byteLength - head.start;
		if ((advice & MAP_ADVICE.fragment) !== 0) {
			const position = fragmentOffset + (this.#header.isFull ? head.block * HIGH : 0);
			return packedExtent(byteLength, position);
		}
		if (inlineBytes === 0) return this.#extent(head, this.#byteLength);
		const isPlain = head.type === CLUSTER_TYPE.plain;
		if (isPlain && byteLength > inlineBytes) throw this.#wrong("its inline tail is too short");
		const form = (isPlain ? FORM.raw : this.#algorithm(head.type)) | INLINE;
		return { byteLength, position: indexEnd, storedBytes: inlineBytes, form, isPartial: head.isPartial };
	}

	#extent({ start, type, block, isPartial, blocks }: Head, end: number): Extent {
		const { blockBytes, advice } = this.#header;
		const byteLength = end - start;
		const storedBytes = (blocks ?? 1) * blockBytes;
		const isPlain = type === CLUSTER_TYPE.plain;
		if (byteLength <= 0 || blocks === 0 || (isPlain && byteLength > storedBytes))
			throw this.#wrong(`an extent at ${start} has ${byteLength} bytes, stored in ${storedBytes}`);
		const plain = (advice & MAP_ADVICE.interlacedPlain) !== 0 ? FORM.interlaced : FORM.raw;
		const form = isPlain ? plain : this.#algorithm(type);
		return { byteLength, position: block * blockBytes, storedBytes, form, isPartial };
	}

	#isLarge(type: number): boolean {
		const bit = type === CLUSTER_TYPE.head1 ? MAP_ADVICE.largeClusters1 : MAP_ADVICE.largeClusters2;
		return (this.#header.advice & bit) !== 0;
	}

	#algorithm(type: number): number {
		return this.#header.algorithms[type === CLUSTER_TYPE.head2 ? 1 : 0];
	}

	#wrong(what: string): Oci2isoError {
		return corrupt("CORRUPT_METADATA", `the index of a file is wrong: ${what}`, this.#where);
	}
}
