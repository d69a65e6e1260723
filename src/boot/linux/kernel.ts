import { ByteQueue } from "../../binary/byte-queue.ts";
import { GiB } from "../../binary/units.ts";
import { decodeSignature } from "../../formats/pe/authenticode.ts";
import { decodePe } from "../../formats/pe/pe-image.ts";
import { decodePeHead } from "../../formats/pe/pe-layout.ts";
import {
	type DigestAlgorithm,
	PASSING_HEAD_BYTES,
	PassingProgram,
	type SignedProgram,
} from "../../formats/pe/signed-program.ts";
import { gunzipMember } from "../initramfs/gzip.ts";
import type { StreamedFile } from "../initramfs/streamed-file.ts";
import { type KernelImage, kernelImageOf } from "./kernel-image.ts";

/** With what programs are signed; where it is another algorithm the kernel is read twice. */
const USUAL_ALGORITHM = "sha256";

/** A kernel's file, as far as checks look at it. */
export interface Kernel {
	readonly image: KernelImage;
	/** Or in words why it is no EFI program. */
	readonly pe: SignedProgram | string;
	/** Why what is packed does not unpack, in words. */
	readonly damage?: string | undefined;
}

/** More than kernels have when they are unpacked. */
const MAX_UNPACKED_BYTES = GiB;

/**
 * Reads no more than the head of a kernel that is not signed, and digests one that is while it passes. `readWhole` is asked for a small file, and where
 * headers, sections or certificates are not in an order that can pass. Rejects as the file's stream and `readWhole` do.
 */
export async function readKernel(file: StreamedFile, readWhole: () => Promise<Uint8Array>): Promise<Kernel> {
	const passed = file.byteLength > PASSING_HEAD_BYTES ? await readInPassing(file) : undefined;
	const kernel = passed ?? kernelOf(await readWhole());
	return kernel.image.format === "Image.gz" ? { ...kernel, damage: await damageOf(file) } : kernel;
}

function kernelOf(bytes: Uint8Array): Kernel {
	const pe = decodePe(bytes);
	return { image: kernelImageOf(bytes, pe), pe };
}

async function damageOf(file: StreamedFile): Promise<string | undefined> {
	const input = new ByteQueue(file);
	let byteLength = 0;
	try {
		const result = await gunzipMember(input, (bytes) => {
			byteLength += bytes.byteLength;
			if (byteLength > MAX_UNPACKED_BYTES) throw new TooLarge();
		});
		return "damage" in result ? result.damage : undefined;
	} catch (error) {
		if (error instanceof TooLarge) return `it unpacks to more than ${MAX_UNPACKED_BYTES} bytes`;
		throw error;
	} finally {
		await input.close();
	}
}

class TooLarge extends Error {}

async function readInPassing(file: StreamedFile): Promise<Kernel | undefined> {
	const input = new ByteQueue(file);
	try {
		const head = await input.fill(PASSING_HEAD_BYTES);
		const layout = decodePeHead(head.subarray(0, PASSING_HEAD_BYTES), file.byteLength);
		if (layout === undefined) return undefined;
		const image = kernelImageOf(head, layout);
		if (typeof layout === "string") return { image, pe: layout };
		if (!PassingProgram.canPass(layout)) return undefined;
		if (layout.certificates.start === layout.certificates.end)
			return { image, pe: new PassingProgram(layout, []).finish() };
		const pe = await pass(input, new PassingProgram(layout, [USUAL_ALGORITHM]));
		const algorithms = algorithmsOf(pe);
		if (algorithms.size === 1) return { image, pe };
		return { image, pe: await passAgain(file, new PassingProgram(layout, algorithms)) };
	} finally {
		await input.close();
	}
}

async function pass(input: ByteQueue, program: PassingProgram): Promise<SignedProgram> {
	for (;;) {
		const bytes = await input.fill(1);
		if (bytes.byteLength === 0) return program.finish();
		program.push(bytes);
		input.take(bytes.byteLength);
	}
}

async function passAgain(file: StreamedFile, program: PassingProgram): Promise<SignedProgram> {
	const input = new ByteQueue(file);
	try {
		return await pass(input, program);
	} finally {
		await input.close();
	}
}

/** What the signatures are made with, and what shim knows programs by. */
function algorithmsOf({ signatures }: SignedProgram): Set<DigestAlgorithm> {
	const algorithms = new Set<DigestAlgorithm>([USUAL_ALGORITHM]);
	const listener: Pick<SignedProgram, "digest"> = {
		digest(algorithm) {
			algorithms.add(algorithm);
			return Buffer.alloc(0);
		},
	};
	for (const signature of signatures) decodeSignature(listener, signature);
	return algorithms;
}
