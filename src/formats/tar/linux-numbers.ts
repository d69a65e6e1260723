/** What Linux makes of owners and device numbers that archives record in more bits than it has. */

/** As an argument of chown(2) this means "leave it"; nothing can belong to it. */
const NO_ID = 2 ** 32 - 1;
export const MAJOR_BITS = 12;
export const MINOR_BITS = 20;

/** A number as Linux has it, and whether it is another than the recorded one. */
export interface LinuxNumber {
	readonly value: number;
	readonly isChanged: boolean;
}

/**
 * The owner that a file gets whose archive records `recorded`: its lowest 32 bits, so that -2 is 4294967294. 4294967295 (-1) is no owner; a file
 * unpacked by root then keeps root, 0.
 */
export function linuxId(recorded: bigint): LinuxNumber {
	const bits = Number(BigInt.asUintN(32, recorded));
	const value = bits === NO_ID ? 0 : bits;
	return { value, isChanged: BigInt(value) !== recorded };
}

/** The lowest `bits` of a device number, as mknod(2) takes them. */
export function linuxDeviceNumber(recorded: bigint, bits: number): LinuxNumber {
	const value = Number(BigInt.asUintN(bits, recorded));
	return { value, isChanged: BigInt(value) !== recorded };
}
