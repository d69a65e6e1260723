/** Names, in its own directory, of what a build of shim starts, where they are not those of its machine. */
export type ShimNames = Readonly<Partial<Record<"grub" | "mokManager", string>>>;

/** SUSE's, on all machines. */
const OTHER_NAMES = { grub: "grub.efi", mokManager: "MokManager.efi" } as const;

/** What a shim says that it starts, as constants in UTF-16; of a program that is none probably nothing. */
export async function shimNamesIn(program: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<ShimNames> {
	const wanted = Object.entries(OTHER_NAMES).map(
		([role, name]) => [role, name, Buffer.from(`\\${name}\0`, "utf16le")] as const,
	);
	const kept = Math.max(...wanted.map(([, , text]) => text.byteLength)) - 1;
	const found: Record<string, string> = {};
	let window = Buffer.alloc(0);
	for await (const chunk of program) {
		window = Buffer.concat([window, chunk]);
		for (const [role, name, text] of wanted) if (window.includes(text)) found[role] = name;
		window = window.subarray(Math.max(0, window.byteLength - kept));
	}
	return found;
}
