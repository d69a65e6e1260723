import { elementAt } from "../binary/element-at.ts";
import type { TarEntry } from "../formats/tar/entry.ts";
import type { Layer } from "../oci/layer.ts";
import { isSameLayer, type ReadLayer } from "./image-pass.ts";

/** One pass over the layers of an image, bottom first in `layers`, which asks for them from the top down. */
export interface LayerPass<Result> {
	readonly layers: readonly Layer[];
	run(read: ReadLayer): Promise<Result>;
}

/** A pass that waits for a layer. */
export interface LayerRequest {
	/** Which pass, and which of its layers. */
	readonly pass: number;
	readonly number: number;
	readonly layer: Layer;
	readonly isNeeded: (entry: TarEntry) => boolean;
}

interface Waiting extends LayerRequest {
	resolve(notes: readonly string[]): void;
	reject(error: unknown): void;
}

/**
 * Runs passes side by side, one layer at a time: a layer that several have is read once for all of them, as far as their orders allow it. Which layer comes next depends on the layers
 * alone. `read` is given all that wait for the same layer. Rejects as the first that fails.
 */
export async function passTogether<Result>(
	passes: readonly LayerPass<Result>[],
	read: (requests: readonly LayerRequest[]) => Promise<readonly string[]>,
): Promise<Result[]> {
	const waiting = new Map<number, Waiting>();
	const running = new Set(passes.keys());
	let hasFailed = false;

	/** Whether no pass comes to the layer later. */
	const isLast = (requests: readonly Waiting[]): boolean =>
		[...waiting.values()].every(
			(other) =>
				requests.includes(other) ||
				!elementAt(passes, other.pass)
					.layers.slice(0, other.number)
					.some((layer) => isSameLayer(layer, elementAt(requests, 0).layer)),
		);
	const goOn = (): void => {
		if (hasFailed || waiting.size === 0 || waiting.size < running.size) return;
		const inOrder = [...waiting.values()].sort((a, b) => a.pass - b.pass);
		const groups = inOrder.map(({ layer }) => inOrder.filter((other) => isSameLayer(layer, other.layer)));
		const next = groups.find(isLast) ?? elementAt(groups, 0);
		for (const { pass } of next) waiting.delete(pass);
		read(next).then(
			(notes) => {
				for (const { resolve } of next) resolve(notes);
			},
			(error) => {
				for (const { reject } of next) reject(error);
			},
		);
	};
	return Promise.all(
		passes.map(async (each, pass) => {
			try {
				return await each.run(
					(number, layer, isNeeded) =>
						new Promise((resolve, reject) => {
							waiting.set(pass, { pass, number, layer, isNeeded, resolve, reject });
							goOn();
						}),
				);
			} catch (error) {
				hasFailed = true;
				throw error;
			} finally {
				running.delete(pass);
				goOn();
			}
		}),
	);
}
