import { DigestMap } from "../binary/digest-map.ts";
import { type FileRecipe, identityOf, isTailOnly } from "./file-recipe.ts";

/** Values by the contents that recipes describe. */
export class ContentMap<Value> {
	/** A small file is its content's hash; apart from the others, so that the two kinds of hash never meet. */
	readonly #small = new DigestMap<Value>();
	readonly #large = new DigestMap<Value>();

	get(recipe: FileRecipe): Value | undefined {
		const { tailHash } = recipe;
		if (tailHash !== undefined && isTailOnly(recipe)) return this.#small.get(tailHash);
		return this.#large.size === 0 ? undefined : this.#large.get(identityOf(recipe));
	}

	set(recipe: FileRecipe, value: Value): void {
		const { tailHash } = recipe;
		if (tailHash !== undefined && isTailOnly(recipe)) this.#small.set(tailHash, value);
		else this.#large.set(identityOf(recipe), value);
	}

	clear(): void {
		this.#small.clear();
		this.#large.clear();
	}
}
