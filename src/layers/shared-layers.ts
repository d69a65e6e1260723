import { elementAt } from "../binary/element-at.ts";
import type { Layer } from "../oci/layer.ts";
import type { BodyId } from "../tree/inode.ts";
import { isSameLayer } from "./image-pass.ts";

interface LayersOfImage {
	/** Bottom first. */
	readonly layers: readonly Layer[];
}

/** The layers of several images in one list: those of the first as they are, and of the others what is not there yet. */
export class SharedLayers {
	readonly list: readonly Layer[];
	/** Of each image, where in `list` its own are. */
	readonly #numbers: readonly (readonly number[])[];

	/** `archives` are layers of no image, of which any with the same archive does. */
	constructor(images: readonly LayersOfImage[], archives: readonly Layer[]) {
		const list: Layer[] = [];
		this.#numbers = images.map(({ layers }, i) =>
			layers.map((layer) => {
				const known = i === 0 ? -1 : list.findLastIndex((other) => isSameLayer(other, layer));
				return known >= 0 ? known : list.push(layer) - 1;
			}),
		);
		for (const layer of archives) if (list.every(({ diffId }) => diffId !== layer.diffId)) list.push(layer);
		this.list = list;
	}

	/** Of all layers of an image, by its number, where in `list` they are. */
	numbersOf(image: number): readonly number[] {
		return elementAt(this.#numbers, image);
	}

	/** Of those with an archive, the one that is passed first; -1 where there is none. */
	numberOfArchive({ diffId }: Pick<Layer, "diffId">): number {
		return this.list.findLastIndex((layer) => layer.diffId === diffId);
	}

	/** The name, by the layer's place in `list`, of a content that an image names. The first image's names are these, and so are those that are of no image. */
	bodyOf(body: BodyId, image: number): BodyId {
		return image === 0 ? body : { layer: elementAt(this.numbersOf(image), body.layer), entry: body.entry };
	}
}
