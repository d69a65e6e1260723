import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { memoryFile } from "../../../../src/boot/initramfs/streamed-file.ts";
import { type Kernel, readKernel } from "../../../../src/boot/linux/kernel.ts";
import { kernelImageOf } from "../../../../src/boot/linux/kernel-image.ts";
import { decodeSignature } from "../../../../src/formats/pe/authenticode.ts";
import { decodePe } from "../../../../src/formats/pe/pe-image.ts";
import { noise } from "../../../support/noise.ts";
import { roundsOf } from "../../../support/slow.ts";
import { kernelProgram } from "../../../support/verify-programs.ts";
import { makeSigner, signProgram } from "../../../support/verify-signing.ts";

/** Longer than the head that is looked at first. */
const unsigned = Buffer.concat([kernelProgram(), noise(300_000 - (kernelProgram().byteLength % 8), "kernel")]);
unsigned.writeUInt16LE(0x600, 0x20e);
const program = unsigned.subarray(0, unsigned.byteLength - (unsigned.byteLength % 8));
const signed = signProgram(program, makeSigner("kernel", 1));

interface Read {
	readonly kernel: Kernel;
	readonly bytesRead: number;
	readonly streams: number;
	readonly isWhole: boolean;
}

async function read(bytes: Buffer, chunkBytes = 10_000): Promise<Read> {
	const { byteLength, stream } = memoryFile(bytes, chunkBytes);
	let bytesRead = 0;
	let streams = 0;
	let isWhole = false;
	const file = {
		byteLength,
		async *stream() {
			streams++;
			for await (const chunk of stream()) {
				bytesRead += chunk.byteLength;
				yield chunk;
			}
		},
	};
	const kernel = await readKernel(file, async () => {
		isWhole = true;
		return bytes;
	});
	return { kernel, bytesRead, streams, isWhole };
}

/** What checks see of it. */
function seen({ image, pe }: Kernel): unknown {
	if (typeof pe === "string") return { image, pe };
	return {
		image,
		signatures: pe.signatures,
		decoded: pe.signatures.map((signature) => decodeSignature(pe, signature)),
	};
}

const whole = (bytes: Buffer): unknown => seen({ image: kernelImageOf(bytes, decodePe(bytes)), pe: decodePe(bytes) });

describe("a kernel that passes by", () => {
	it("needs its head only where it is not signed", async () => {
		const { kernel, bytesRead, isWhole } = await read(program);
		expect(seen(kernel)).toEqual(whole(program));
		expect(isWhole).toBe(false);
		expect(bytesRead).toBeLessThan(150_000);
	});

	it("is digested where it is signed", async () => {
		const { kernel, isWhole, streams } = await read(signed);
		expect(seen(kernel)).toEqual(whole(signed));
		expect(seen(kernel)).toMatchObject({ decoded: [{ coversProgram: true, isAuthentic: true }] });
		expect({ isWhole, streams }).toEqual({ isWhole: false, streams: 1 });
		const changed = Buffer.from(signed);
		changed[200_000] = (changed[200_000] ?? 0) ^ 1;
		expect(seen((await read(changed)).kernel)).toMatchObject({ decoded: [{ coversProgram: false }] });
	});

	it("passes twice where it is signed with another digest than usual", async () => {
		const other = Buffer.from(signed);
		const sha256 = Buffer.from("608648016503040201", "hex");
		for (let at = other.indexOf(sha256); at >= 0; at = other.indexOf(sha256, at + 1)) other[at + 8] = 3;
		const { kernel, isWhole, streams } = await read(other);
		expect(seen(kernel)).toEqual(whole(other));
		expect(seen(kernel)).toMatchObject({ decoded: [{ digestAlgorithm: "sha512" }] });
		expect({ isWhole, streams }).toEqual({ isWhole: false, streams: 2 });
	});

	it("is read whole where its headers are far behind its start", async () => {
		const far = Buffer.concat([signed, Buffer.alloc(8)]);
		far.writeUInt32LE(250_000, 60);
		expect((await read(far)).isWhole).toBe(true);
	});

	it("says the same as the whole one, whatever is changed in headers and signatures", async () => {
		const tableAt = program.byteLength;
		await fc.assert(
			fc.asyncProperty(
				fc.array(
					fc.tuple(
						fc.oneof(fc.nat(1023), fc.integer({ min: tableAt, max: signed.byteLength - 1 })),
						fc.oneof(fc.nat(255), fc.constantFrom(0, 1, 255)),
					),
					{ minLength: 1, maxLength: 3 },
				),
				fc.integer({ min: 1000, max: 400_000 }),
				async (changes, chunkBytes) => {
					const bytes = Buffer.from(signed);
					for (const [at, value] of changes) bytes[at] = value;
					expect(seen((await read(bytes, chunkBytes)).kernel)).toEqual(whole(bytes));
				},
			),
			{ seed: 6, numRuns: roundsOf(500) },
		);
	});
});
