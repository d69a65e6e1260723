import { EVENT_ID, type Event, getScalarValue, parseEvents, SCALAR_STYLE, YAMLException } from "js-yaml";
import { Oci2isoError } from "../errors.ts";

/** A node of the first document. An alias is the node it names, so that nothing is ever expanded. */
export type YamlNode = YamlScalar | YamlSequence | YamlMapping;

interface YamlScalar {
	readonly kind: "scalar";
	/** In UTF-16 units of the source. */
	readonly offset: number;
	/** The content, whatever type a plain scalar would have. */
	readonly text: string;
	/** Written without quotes, block indicator or `!!str`: a type is resolved from its text. */
	readonly plain: boolean;
}

interface YamlSequence {
	readonly kind: "sequence";
	readonly offset: number;
	readonly items: YamlNode[];
}

interface YamlMapping {
	readonly kind: "mapping";
	readonly offset: number;
	readonly entries: Map<string, YamlNode>;
	/** Where each key stands that is written in this mapping itself, not merged into it. */
	readonly keyOffsets: Map<string, number>;
}

const MAX_MERGED_KEYS = 10_000;

/**
 * The first document of `source`, or undefined where there is none (empty, or comments only). YAML 1.2 with `<<` merge keys.
 * Throws `Oci2isoError` ISO_YAML_SYNTAX with `where` = `path:line:column`: bad syntax, a duplicate key, a key that is not a
 * scalar, an unknown alias, a bad merge.
 */
export function parseYaml(source: string, path: string): YamlNode | undefined {
	const syntaxError = (offset: number, what: string): Oci2isoError =>
		new Oci2isoError({
			code: "ISO_YAML_SYNTAX",
			kind: "contract",
			what,
			where: positionsIn(source, path)(offset),
			expected: "valid YAML",
		});
	const text = firstDocument(source);
	let events: Event[];
	try {
		events = parseEvents(text, {});
	} catch (error) {
		if (!(error instanceof YAMLException)) throw error;
		throw syntaxError(error.mark?.position ?? 0, `the YAML cannot be read: ${error.reason}`);
	}
	return new NodeBuilder(text, syntaxError).build(events);
}

/** Turns offsets in `source` into `path:line:column`, counted from 1, columns in UTF-16 units as editors count them. */
export function positionsIn(source: string, path: string): (offset: number) => string {
	const lineStarts = [0];
	for (let at = source.indexOf("\n"); at >= 0; at = source.indexOf("\n", at + 1)) lineStarts.push(at + 1);
	return (offset) => {
		let [line, beyond] = [0, lineStarts.length];
		while (beyond - line > 1) {
			const middle = (line + beyond) >> 1;
			if ((lineStarts[middle] ?? 0) <= offset) line = middle;
			else beyond = middle;
		}
		const byteOrderMark = line === 0 && source.startsWith("\ufeff") && offset > 0 ? 1 : 0;
		return `${path}:${line + 1}:${offset - (lineStarts[line] ?? 0) - byteOrderMark + 1}`;
	};
}

/** A plain scalar that YAML's core schema resolves to null. */
export function isNull(node: YamlNode): boolean {
	return node.kind === "scalar" && node.plain && /^(?:~|null|Null|NULL|)$/.test(node.text);
}

/** The source up to the end of its first document, so that what follows is not even parsed. Offsets stay the same. */
function firstDocument(source: string): string {
	let started = false;
	let offset = 0;
	for (const line of source.split("\n")) {
		if (/^---(?:\s|$)/.test(line)) {
			if (started) return source.slice(0, offset);
			started = true;
		} else if (/^\.\.\.(?:\s|$)/.test(line)) {
			if (started) return source.slice(0, offset);
		} else if (!started && !/^\ufeff?\s*(?:#|%|$)/.test(line)) started = true;
		offset += line.length + 1;
	}
	return source;
}

/**
 * Invariants: `#open` holds the collections begun and not closed, innermost last; a mapping's `pendingKey` is set exactly
 * while its value is awaited. A collection gets its anchor when it closes, so no node contains itself.
 */
class NodeBuilder {
	readonly #source: string;
	readonly #syntaxError: (offset: number, what: string) => Oci2isoError;
	readonly #anchors = new Map<string, YamlNode>();
	readonly #open: OpenCollection[] = [];
	#root: YamlNode | undefined;
	/** Where the scalar read last ends. */
	#lastEnd = 0;
	#mergedKeys = 0;

	constructor(source: string, syntaxError: (offset: number, what: string) => Oci2isoError) {
		this.#source = source;
		this.#syntaxError = syntaxError;
	}

	build(events: readonly Event[]): YamlNode | undefined {
		for (const event of events) {
			switch (event.type) {
				case EVENT_ID.DOCUMENT:
					break;
				case EVENT_ID.SCALAR: {
					const node = this.#scalar(event);
					this.#nameAnchor(event, node);
					this.#add(node);
					break;
				}
				case EVENT_ID.ALIAS: {
					const name = this.#source.slice(event.anchorStart, event.anchorEnd);
					const node = this.#anchors.get(name);
					if (node === undefined)
						throw this.#syntaxError(event.anchorStart, `the alias *${name} names nothing before it`);
					this.#add(node, event.anchorStart);
					break;
				}
				case EVENT_ID.SEQUENCE:
					this.#open.push({ event, node: { kind: "sequence", offset: event.start, items: [] }, merges: [] });
					break;
				case EVENT_ID.MAPPING: {
					const node: YamlMapping = { kind: "mapping", offset: event.start, entries: new Map(), keyOffsets: new Map() };
					this.#open.push({ event, node, merges: [] });
					break;
				}
				case EVENT_ID.POP: {
					const closed = this.#open.pop();
					if (closed === undefined) break;
					if (closed.node.kind === "mapping") this.#merge(closed.node, closed.merges);
					this.#nameAnchor(closed.event, closed.node);
					this.#add(closed.node);
					break;
				}
			}
		}
		return this.#root;
	}

	#scalar(event: Extract<Event, { type: typeof EVENT_ID.SCALAR }>): YamlScalar {
		const tag = event.tagStart < 0 ? "" : this.#source.slice(event.tagStart, event.tagEnd);
		const at =
			event.valueStart >= 0 ? event.valueStart : this.#placeOfNothing(Math.max(event.tagStart, event.anchorStart));
		this.#lastEnd = Math.max(event.valueEnd, at);
		if (tag === "!!binary") throw this.#syntaxError(at, "a binary value is not supported");
		const plain = event.style === SCALAR_STYLE.PLAIN && tag !== "!!str" && tag !== "!";
		return { kind: "scalar", offset: at, text: getScalarValue(this.#source, event), plain };
	}

	/** An empty value has no place of its own: its properties', or in a list that of its dash. */
	#placeOfNothing(propertiesAt: number): number {
		if (propertiesAt >= 0) return propertiesAt;
		const dash = this.#open.at(-1)?.node.kind === "sequence" ? this.#source.indexOf("-", this.#lastEnd) : -1;
		return dash >= 0 ? dash : this.#lastEnd;
	}

	#nameAnchor(event: { readonly anchorStart: number; readonly anchorEnd: number }, node: YamlNode): void {
		if (event.anchorStart >= 0) this.#anchors.set(this.#source.slice(event.anchorStart, event.anchorEnd), node);
	}

	#add(node: YamlNode, offset = node.offset): void {
		const parent = this.#open.at(-1);
		if (parent === undefined) this.#root = node;
		else if (parent.node.kind === "sequence") parent.node.items.push(node);
		else if (parent.pendingKey === undefined) this.#addKey(parent, node, offset);
		else {
			const { text, isMerge, offset: keyOffset } = parent.pendingKey;
			parent.pendingKey = undefined;
			if (isMerge) parent.merges.push({ node, offset: keyOffset });
			else parent.node.entries.set(text, node);
		}
	}

	#addKey(parent: OpenCollection, node: YamlNode, offset: number): void {
		if (parent.node.kind !== "mapping") return;
		if (node.kind !== "scalar") throw this.#syntaxError(offset, "a key is a list or a mapping");
		const isMerge = node.plain && node.text === "<<";
		if (parent.node.keyOffsets.has(node.text))
			throw this.#syntaxError(offset, `the key ${JSON.stringify(node.text)} occurs twice`);
		parent.node.keyOffsets.set(node.text, offset);
		parent.pendingKey = { text: node.text, isMerge, offset };
	}

	/** Keys of the mapping itself win over merged ones, earlier merged mappings over later ones. */
	#merge(mapping: YamlMapping, merges: readonly Merge[]): void {
		for (const { node, offset } of merges) {
			for (const source of node.kind === "sequence" ? node.items : [node]) {
				if (source.kind !== "mapping")
					throw this.#syntaxError(offset, "the value of << is neither a mapping nor a list of mappings");
				this.#mergedKeys += source.entries.size + 1;
				if (this.#mergedKeys > MAX_MERGED_KEYS)
					throw this.#syntaxError(offset, `more than ${MAX_MERGED_KEYS} keys are merged with <<`);
				for (const [key, value] of source.entries) if (!mapping.entries.has(key)) mapping.entries.set(key, value);
			}
		}
	}
}

interface OpenCollection {
	readonly event: { readonly anchorStart: number; readonly anchorEnd: number };
	readonly node: YamlSequence | YamlMapping;
	readonly merges: Merge[];
	pendingKey?: { readonly text: string; readonly isMerge: boolean; readonly offset: number } | undefined;
}

interface Merge {
	readonly node: YamlNode;
	readonly offset: number;
}
