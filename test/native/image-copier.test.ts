import { existsSync, openSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { atOnce } from "../../src/binary/turns.ts";
import { ImageCopier } from "../../src/build/image-copier.ts";
import { BlockStore } from "../../src/cache/block-store.ts";
import { isDamage } from "../../src/cache/failures.ts";
import { createDecompressor } from "../../src/codec/decompressor.ts";
import { FileTarget, outputError } from "../../src/output/file-target.ts";
import { fillStore, TEST_SETTINGS, testLayer } from "../support/cache-store.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { addonMissing } from "./addon-required.ts";

const START = 5000;
const work = temporaryDirectory("copies");

describe.skipIf(addonMissing).each(["native", "portable"])(
	"stored blocks are copied into a squashfs (%s)",
	(backend) => {
		const layer = testLayer("copied", 40);
		let round = 0;
		let store: BlockStore;
		let pack = "";
		let target: FileTarget;
		let copier: ImageCopier;
		beforeEach(() => {
			vi.stubEnv("OCI2ISO_CODEC_BACKEND", backend);
			const path = join(work, `${backend}-${round++}`);
			const { directory, packNames } = fillStore(path, [layer]);
			pack = join(directory.path, "packs", packNames[0] ?? "");
			store = atOnce(BlockStore.opening(directory, TEST_SETTINGS, createDecompressor("zstd")));
			target = FileTarget.create(`${path}.iso`);
			copier = new ImageCopier(target, START);
		});
		afterEach(() => {
			copier.close();
			store.close();
			target.close();
			vi.unstubAllEnvs();
		});

		/** All blocks one after the other; returns what must be in the target. */
		const copyAll = (): Buffer => {
			let position = 0;
			for (const { kind, key, rawBytes } of layer.blocks) {
				const block = kind === "block" ? store.block(key, rawBytes) : store.fragment(key, rawBytes);
				copier.copyStored(block, position);
				position += block.byteLength;
			}
			return Buffer.concat([Buffer.alloc(START), ...layer.blocks.map(({ bytes }) => bytes)]);
		};
		const damageOf = async (work: () => Promise<void> | void): Promise<unknown> => {
			try {
				await work();
				await copier.finish(undefined);
				return undefined;
			} catch (error) {
				return error;
			}
		};

		it("with the right bytes, also from the squashfs itself", async () => {
			const expected = copyAll();
			const first = layer.blocks[0]?.bytes ?? Buffer.alloc(0);
			copier.copyWithin(0, first.byteLength, expected.byteLength - START);
			await copier.finish(undefined);
			expect(copier.isBusy).toBe(false);
			expect(readFileSync(target.path).equals(Buffer.concat([expected, first]))).toBe(true);
		});

		it("unless a bit is wrong: then the pack goes", async () => {
			const bytes = readFileSync(pack);
			const at = bytes.byteLength - 100_000;
			bytes[at] = (bytes[at] ?? 0) ^ 4;
			writeFileSync(pack, bytes);
			const error = await damageOf(() => void copyAll());
			expect(isDamage(error)).toBe(true);
			expect(error).toMatchObject({ what: expect.stringContaining("checksum"), where: pack });
			expect(existsSync(pack)).toBe(false);
		});

		it("unless the pack has become shorter: then it goes too", async () => {
			truncateSync(pack, readFileSync(pack).byteLength - 1);
			const error = await damageOf(() => void copyAll());
			expect(isDamage(error)).toBe(true);
			expect(error).toMatchObject({ what: expect.stringContaining("cut short"), where: pack });
			expect(existsSync(pack)).toBe(false);
		});

		it("also when somebody has removed the pack meanwhile", async () => {
			rmSync(pack);
			const expected = copyAll();
			await copier.finish(undefined);
			expect(readFileSync(target.path).equals(expected)).toBe(true);
		});

		it("unless the disk is full", async () => {
			const descriptor = openSync("/dev/full", "r+");
			const write = (): void => {
				throw Object.assign(new Error("full"), { code: "DISK_FULL", exitStatus: 6 });
			};
			copier.close();
			const failure = (cause: unknown) => outputError("/dev/full", cause);
			copier = new ImageCopier({ descriptor, write, readNow: () => Buffer.alloc(0), failure }, START);
			expect(await damageOf(() => void copyAll())).toMatchObject({ code: "DISK_FULL", exitStatus: 6 });
			expect(existsSync(pack)).toBe(true);
		});

		it("until the build is interrupted", async () => {
			copyAll();
			if (!copier.isBusy) return;
			await expect(copier.finish(AbortSignal.abort())).rejects.toMatchObject({ code: "INTERRUPTED" });
		});
	},
);
