import { assert } from "../errors.ts";

/** An element that is known to be there. */
export function elementAt<Element>(list: readonly Element[], index: number): Element {
	const element = list[index];
	assert(element !== undefined, `there is an element ${index} of ${list.length}`);
	return element;
}
