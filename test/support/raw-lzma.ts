/** Raw LZMA streams (lc 3, lp 0, pb 2) that liblzma made, and how to make what they hold. */

/** Of `grubKernel()`. */
export const GRUB_KERNEL_LZMA = Buffer.from(
	"ADGbyLBTPPvrqpQE0OeCMh35V6u0E13M5BnCncZ8aw2cI5xVfayMEcerWjEjM6XvDzDridCscwelBMJc0xcJBKGBX4atFSHLXFsH5CJIBoAZ0CHN4KOlWBRK5Erv" +
		"saGp2VBJzfGhEIw62dFT2+k97oCsoJv6sT6GXMabAOXU3LtDS5TGvZVcTnz4KRw6MCvC5WDFPqDhRg3wrsDPB3rMpjJEqqEtAaDiddmYq83X/vmzSSs=",
	"base64",
);

/** Of `matches()`. */
export const MATCHES_LZMA = Buffer.from(
	"AAAAUlAKhPmbsoAhqWnWJ+A+BlpfBI1T1AS6OVcFCcFVJN6duHFZMWChn/lvSXPyyOqMuhqLKWkhgP4zg2avRm3snomKC4PwPA6Jjj/tX+eekNkc/zL0suA5UbLS" +
		"FBW0xXG62wbjeZqfuzjBsACskwuqBhkDEggVW5vISPAyLv4toIfI8KTg0lHrjWdWkrJNhMXxhjHfamJbwnkt2fc8c7p0dAfYPKlWIiShZvhahF8wZ9L2S0ku" +
		"fyDr2/gQDpR4d8c/a++0zZXib/ZEbgbPC4Iay9t68FeNmP+QwD7mwRJBde4DKJbrE/unKMyvMrukDiXyVkNfsyzTVtbaSGg4NgpuS0cyIcswF5J6uEpgSdMk" +
		"tF7UtaLnJrLko3fgG6T5tmqkNWlRvrGDwSgOpISko9Z05hVhldfLCtUtay9qYVvrLI1ujGVcOoMsvT00ElEoEntlNprwJGBxU93sFlkxbZIEsY8S/AOTzsKv" +
		"mTTYZEg142UTwEApSeS53UT4b8/Vhzgro1DLu5LdxwcXHwwfWoxxadfGUdi1WyEorJOpbA5BTA2T+2U8a27/D7m+W1g1NZ3lKAYE0gRqGte59FAFp6cCCXgH" +
		"cQHxAbpUXy8bmNGlEj0tvzleMV2+rLy7f013t11MNie45Cor/GKaaIkElOCeDdt8DtO96H+vsSVTKdX/KyxM5oQZf+TdUklqZyW4KvvwDj4I2sz6vC/J1oG7" +
		"OdPjT7c07Ss2TFSs3sfET4kcfVM0uovh76jQYZkLcjvjwgKxnOjq5ZnRcmbLidAxSW65ZgqSC9jb0tMlT55FBSRPigZ0V+4H7oW7gV+9c+ZEKZvQn///15Ff" +
		"YA==",
	"base64",
);

/** Stands for GRUB's kernel and modules: code that mentions the magic number, one module, the prefix /boot/grub2. */
export function grubKernel(): Buffer {
	const code = Array.from({ length: 40 }, (_, i) => `code ${i * i} mimg `).join("");
	const module = Buffer.from("\x7fELF iso9660\0\0\0\0", "latin1");
	const modules = Buffer.concat([moduleOf(0, module), moduleOf(3, Buffer.from("/boot/grub2\0"))]);
	return Buffer.concat([
		aligned(Buffer.from(code), 4),
		Buffer.from("mimg"),
		u32(12),
		u32(12 + modules.byteLength),
		modules,
	]);
}

/** One entry of GRUB's module list. */
export function moduleOf(type: number, content: Uint8Array): Buffer {
	return Buffer.concat([u32(type), u32(8 + content.byteLength), content]);
}

/** Literals, long matches, repeated distances, a long run, far matches. */
export function matches(): Buffer {
	const every = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
	return Buffer.concat([...Array.from({ length: 8 }, () => every), Buffer.alloc(70_000), noise(200), every]);
}

/** The first bytes of a generator that only this and the fixture know. */
function noise(byteLength: number): Buffer {
	let state = 12345;
	const bytes = Buffer.alloc(byteLength);
	for (let i = 0; i < byteLength; i++) {
		state = Number((BigInt(state) * 1103515245n + 12345n) & 0x7fffffffn);
		bytes[i] = (state >>> 16) & 0x1f;
	}
	return bytes;
}

export function aligned(bytes: Buffer, unit: number): Buffer {
	return Buffer.concat([bytes], Math.ceil(bytes.byteLength / unit) * unit);
}

export function u32(value: number): Buffer {
	const bytes = Buffer.alloc(4);
	bytes.writeUInt32LE(value);
	return bytes;
}
