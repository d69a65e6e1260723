import { noise } from "../../../../../support/noise.ts";
import { DIRECTORY, type GrubDirectory } from "./grub-directory.ts";

/** A core image that GRUB's own `grub-mkimage` made of a directory with one module of this content; 2.06, 2.12 and 2.14 make the same. */
export interface RecordedImage {
	readonly name: string;
	readonly content: () => Uint8Array;
	readonly byteLength: number;
	readonly sha256: string;
}

export const RECORDED_PREFIX = "/boot/grub2";
export const RECORDED_MODULE = "reader";

export function recordedDirectory({ content }: RecordedImage): GrubDirectory {
	return { ...DIRECTORY, [`${RECORDED_MODULE}.mod`]: content() };
}

function lines(count: number): Buffer {
	return Buffer.from(Array.from({ length: count }, (_, i) => `${(i * i) % 977} ${i % 13}\n`).join(""));
}

/** Words as relocations have them: the high bytes alike, the low bytes counting. */
function words(count: number): Buffer {
	const out = Buffer.alloc(count * 8);
	for (let i = 0; i < count; i++) {
		out.writeUInt32LE(0x08048000 + ((i * 2654435761) % 40_000), i * 8);
		out.writeUInt32LE((i % 37) * 256 + (i % 3), i * 8 + 4);
	}
	return out;
}

/** Twice the same, the second time with every hundredth byte changed, so many bytes apart. */
function altered(distance: number): Buffer {
	const first = noise(20_000, "first");
	const second = Buffer.from(first.map((byte, i) => (i % 100 === 99 ? byte ^ 0x55 : byte)));
	return Buffer.concat([first, noise(distance - first.length, "between").map((byte) => byte % 16), second]);
}

export const RECORDED: readonly RecordedImage[] = [
	{
		name: "text",
		content: () => lines(6000),
		byteLength: 12_780,
		sha256: "a6bd8385900232bedd8ead4c257bc85e7501d8159043399592ca57d69713b30e",
	},
	{
		name: "words that count",
		content: () => words(20_000),
		byteLength: 40_060,
		sha256: "19e0d3769c3518dacc1c298dc8e3fc55b1b2dd3ccd64ff778ec53420f8b040d9",
	},
	{
		name: "a run",
		content: () => new Uint8Array(300_000),
		byteLength: 2_852,
		sha256: "7e8cef8122b62b1d80f22b077c9b75f272953a5e33873bf5e6cb054a72f46ccb",
	},
	{
		name: "noise of five values",
		content: () => noise(60_000).map((byte) => byte % 5),
		byteLength: 22_417,
		sha256: "edce0f30721c787e1307ae18ec3c8cc531125d776bab77d80901973215bf78f8",
	},
	{
		name: "copies from the farthest distance",
		content: () => altered(65_536),
		byteLength: 46_942,
		sha256: "6803914a447b98415b28ae6d79af124c6288b78a3ec7e9d135fdd114000c863a",
	},
	{
		name: "copies from beyond it",
		content: () => altered(65_537),
		byteLength: 66_891,
		sha256: "493b6c53bac1af4b27c1a4136b61e72900ea071d5cc13f3289805f4c623a771f",
	},
	{
		name: "several kinds one after the other",
		content: () =>
			Buffer.concat([words(3000), lines(1000), noise(3000), words(3000), lines(1200), new Uint8Array(999)]),
		byteLength: 17_795,
		sha256: "8c36766c19898571f4392cb2595c883099602d5ce8ac49830adc90b93738ce1c",
	},
];
