/** What must never be shown, even when a server repeats it in a message. */
export class Secrets {
	readonly #values = new Set<string>();

	add(...values: readonly string[]): void {
		// shorter ones would tear holes into harmless words
		for (const value of values) if (value.length >= 4) this.#values.add(value);
	}

	redact(text: string): string {
		let redacted = text;
		for (const value of [...this.#values].sort((a, b) => b.length - a.length))
			redacted = redacted.replaceAll(value, "[secret]");
		return redacted;
	}
}
