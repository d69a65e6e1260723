/** Castagnoli's polynomial, reflected. */
const POLYNOMIAL = 0x82f6_3b78;

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
	let value = byte;
	for (let bit = 0; bit < 8; bit++) value = (value & 1) === 0 ? value >>> 1 : (value >>> 1) ^ POLYNOMIAL;
	return value;
});

/** The register of a CRC-32C (RFC 3720, 12.1) after `bytes`, from `register` on: ones at first, and inverted only by those who want that. */
export function crc32c(bytes: Uint8Array, register = 0xffff_ffff): number {
	let value = register;
	for (const byte of bytes) value = (value >>> 8) ^ (TABLE[(value ^ byte) & 0xff] ?? 0);
	return value >>> 0;
}
