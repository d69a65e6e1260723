import type { X509Certificate } from "node:crypto";
import { type ByteSource, region } from "../binary/byte-source.ts";
import { type ByteString, displayName } from "../binary/byte-string.ts";
import { elementAt } from "../binary/element-at.ts";
import { inTurns, Turns } from "../binary/turns.ts";
import { DISK_BLOCK_BYTES, ISO_BLOCK_BYTES } from "../binary/units.ts";
import { biosOf } from "../boot/boot-loader.ts";
import { alsoPaths, biosFilePath, ISO_PATHS, loaderPaths } from "../boot/iso-paths.ts";
import { volumeUuid } from "../boot/live-root/live-medium.ts";
import type { Findings } from "../findings/findings.ts";
import { readFat } from "../formats/fat/read-fat.ts";
import type { Volume } from "../formats/iso9660/volume.ts";
import { anchorOf } from "../formats/pe/trust.ts";
import type { PayloadFormat } from "../payload/payload-names.ts";
import { HEAD_BYTES } from "../rootfs/root-file-system.ts";
import { DEFAULT_ROOT_FILE_SYSTEM, rootFileSystemAt } from "../rootfs/root-file-systems.ts";
import type { RootFile } from "../rootfs/root-inode.ts";
import { createLookup } from "../tree/lookup.ts";
import { type AlsoOnMedium, systemNameAt } from "./also-on-medium.ts";
import { walkBiosCd, walkBiosUsb } from "./bios-walk.ts";
import { checkBootImage } from "./boot-image-check.ts";
import { CheckRun } from "./check-run.ts";
import { filesOf, storeAsRoot, storeInRoot, withoutStore } from "./container-store.ts";
import { type CheckedImage, checkContents } from "./contents-check.ts";
import { checkElTorito, checkUefiImage } from "./el-torito-check.ts";
import { checkEsp, fatFileAt, partitionSource } from "./esp-check.ts";
import { checkExtents } from "./extents-check.ts";
import { checkFidelity } from "./fidelity-check.ts";
import { checkLoopback } from "./loopback-check.ts";
import { checkMediaChecksum } from "./media-checksum-check.ts";
import { beginMediaDigest, type MediaDigest } from "./media-digest.ts";
import { checkMedium } from "./medium-check.ts";
import { bootLoaderOn, fileAt, fileSource, machineOn, readVolumeFile } from "./medium-files.ts";
import { readMediumContents } from "./medium-tree.ts";
import type { BootVolume } from "./menu-check.ts";
import { checkGpt, checkMbr, checkVolumePartition } from "./partitions-check.ts";
import { checkPayload, type ExpectedPayload } from "./payload-check.ts";
import type { ExpectedTree } from "./read-image.ts";
import type { VerifyReport } from "./report.ts";
import { type RootImage, rootImagesOn } from "./root-images.ts";
import { checkSecureBoot, type SecureBootProgram } from "./secure-boot-check.ts";
import { checkStore } from "./store-check.ts";
import { walkUefi } from "./uefi-walk.ts";
import { checkSecondVolume, checkVolume } from "./volume-check.ts";

interface VerifyIsoOptions {
	/** Compare the squashfs with this; absent: no fidelity check. */
	readonly expected?: ExpectedTree | undefined;
	/** What file systems of further systems are compared with, by the systems' names. */
	readonly also?: ReadonlyMap<string, ExpectedTree> | undefined;
	/** The images that it should carry to be installed, and no others; absent: any. */
	readonly payload?: { readonly format: PayloadFormat; readonly images: readonly ExpectedPayload[] } | undefined;
	/** Hash the medium. Default true. */
	readonly mediaChecksum?: boolean | undefined;
	/** Ask for signatures. Default true. */
	readonly secureBoot?: boolean | undefined;
	/** What the firmware's `db` holds. Default: Microsoft's authorities for boot loaders of others. */
	readonly firmwareCertificates?: readonly X509Certificate[] | undefined;
	readonly signal?: AbortSignal | undefined;
	/** What the medium is read from, where it is a file: it is then hashed while other checks are made. */
	readonly descriptor?: number | undefined;
}

/** A read may bring a block that takes a millisecond to decode. */
const READ_STEPS = 16;
const BOOT_HYBRID_PATH = biosFilePath("boot_hybrid.img");

/**
 * Reads an ISO back and checks everything in `CHECKS`. Faults of the ISO are in the report; what is thrown is the caller's (an aborted
 * signal, a source that cannot be read) or a bug.
 */
export async function verifyIso(iso: ByteSource, options: VerifyIsoOptions = {}): Promise<VerifyReport> {
	const { signal, descriptor, mediaChecksum } = options;
	const source = readInTurns(iso, signal);
	const isHashedAside = mediaChecksum !== false && descriptor !== undefined;
	const media = isHashedAside ? await beginMediaDigest(source, descriptor, signal) : undefined;
	try {
		return await checkAll(source, media, options);
	} finally {
		media?.close();
	}
}

async function checkAll(
	source: ByteSource,
	media: MediaDigest | undefined,
	options: VerifyIsoOptions,
): Promise<VerifyReport> {
	const { expected, also = new Map<string, ExpectedTree>(), signal } = options;
	const run = new CheckRun(signal);
	const imageSectors = Math.floor(source.byteLength / DISK_BLOCK_BYTES);

	const volume = await run.check("volume", [], (findings) => checkVolume(source, findings, signal));
	const gpt = await run.check("gpt", [volume], async (findings, first) => {
		const tables = await checkGpt(source, findings);
		return { ...tables, volumeBlock: checkVolumePartition(tables.partitions, first, findings) };
	});
	const second = await run.check("second-volume", [volume, gpt], (findings, first, { volumeBlock }) =>
		checkSecondVolume(source, first, volumeBlock, findings, signal),
	);
	const machine = volume && machineOn(volume.root);
	const bootLoader = volume === undefined ? "grub2" : bootLoaderOn(volume.root);
	const hasBios = machine !== undefined && biosOf(machine, bootLoader) !== undefined;
	const catalog = await run.check("el-torito", [volume, gpt], async (findings, first, { efiSystem }) => {
		const found = await checkElTorito(source, first, hasBios, findings);
		if (found.uefi !== undefined) checkUefiImage(found.uefi, efiSystem, findings);
		return found;
	});
	await run.check("extents", [volume], async (findings, first) => {
		const placed = {
			first,
			images: await rootImagesOn(source, first.root),
			second: second === undefined || gpt === undefined ? undefined : { volume: second, startBlock: gpt.volumeBlock },
			catalog,
			backupGpt: gpt?.backup,
			efiSystem: gpt?.efiSystem,
			imageBlocks: source.byteLength / ISO_BLOCK_BYTES,
		};
		return inTurns(checkExtents(placed, findings), signal);
	});
	/** A check of what only machines with a BIOS have. */
	const checkBios: CheckRun["check"] = async (name, needs, action) =>
		machine === undefined || hasBios
			? run.check(name, needs, action)
			: run.skip(
					name,
					bootLoader === "grub2" ? `there is no BIOS on ${machine.name}` : `${bootLoader} is for UEFI only`,
				);
	const bios = await checkBios("boot-image", [volume, catalog?.bios], (findings, first, entry) =>
		checkBootImage(source, first, entry, findings, signal),
	);
	await run.check("mbr", [volume], async (findings, first) => {
		const hybrid = fileAt(first.root, BOOT_HYBRID_PATH);
		const bootHybrid =
			hybrid === undefined ? undefined : await readVolumeFile(source, hybrid, DISK_BLOCK_BYTES, BOOT_HYBRID_PATH);
		const sector = await source.read(0, DISK_BLOCK_BYTES);
		checkMbr(sector, { imageSectors, biosBlock: catalog?.bios?.block, bootHybrid }, findings);
	});
	const esp = await run.check("esp", [volume, gpt], (findings, first, { efiSystem }) =>
		checkEsp(source, partitionSource(source, efiSystem), first.root, findings),
	);

	const roots = await run.check("squashfs", [volume], async (findings, first) => {
		const checked: (RootImage & CheckedImage)[] = [];
		for (const each of await rootImagesOn(source, first.root)) {
			const image = fileSource(source, each.file, each.path);
			const head = await image.read(0, Math.min(image.byteLength, HEAD_BYTES));
			const own = findingsOf(each, findings);
			const format = rootFileSystemAt(head) ?? DEFAULT_ROOT_FILE_SYSTEM;
			checked.push({ ...each, image: await format.check(image, own, signal) });
			if (own !== findings) findings.detail += `; ${displayName(each.path)}: ${own.detail}`;
		}
		if (checked.length === 0) throw run.missing(`/${ISO_PATHS.rootFs}`);
		return checked;
	});
	const store = roots?.[0] && storeInRoot(roots[0].image.root);
	const storeAt = roots?.findIndex(({ path }) => path === ISO_PATHS.store) ?? -1;
	const apart = roots?.[storeAt] && storeAsRoot(roots[storeAt].image.root);
	const ofStores = new Set<RootFile>();
	for (const each of [store, apart])
		if (each !== undefined) for (const file of await inTurns(filesOf(each.store), signal)) ofStores.add(file);
	const read = await run.check("squashfs-blocks", [roots], (findings, images) =>
		checkContents(
			images,
			(file) => expected !== undefined || ofStores.has(file),
			findings,
			(image) => findingsOf(image, findings),
			signal,
		),
	);
	const root = roots?.[0]?.image;
	const alsoAt = new Map([...also].map(([name, tree]) => [alsoPaths(name).root, tree] as const));
	if (options.mediaChecksum !== false)
		await run.check("media-checksum", [], (findings) => checkMediaChecksum(source, findings, signal, media));
	else run.skip("media-checksum", "not asked for");

	const volumes = [
		...(volume === undefined ? [] : [bootVolume(source, 0, volume, "the volume")]),
		...(second === undefined || gpt === undefined
			? []
			: [bootVolume(source, gpt.volumeBlock, second, "the partition's volume")]),
	];
	const onlyFirst = volumes.slice(0, 1);
	const cd = await checkBios("bios-cd", [volume, bios], (findings, _, image) =>
		walkBiosCd(source, image, onlyFirst, findings),
	);
	const usb = await checkBios("bios-usb", [volume, bios], (findings, _, image) =>
		walkBiosUsb(source, image, volumes, findings),
	);
	const [own] = volumes;
	const uefiCd = await run.check("uefi-cd", [own, catalog?.uefi], async (findings, first, { block, sectorCount }) => {
		const start = block * ISO_BLOCK_BYTES;
		const rest = Math.max(0, source.byteLength - start);
		const length = sectorCount === 0 ? rest : Math.min(rest, sectorCount * DISK_BLOCK_BYTES);
		return walkUefi("cd", await readFat(region(source, start, length)), [first], findings);
	});
	const uefiUsb = await run.check("uefi-usb", [own, esp], (findings, first, fat) =>
		walkUefi("usb", fat, [first, ...volumes.slice(1)], findings),
	);
	await run.check("loopback", [own], (findings, first) => checkLoopback(first, findings));
	if (options.secureBoot === false) run.skip("secure-boot", "not asked for");
	else
		await run.check("secure-boot", [volume, esp], async (findings, first, fat) => {
			const standard = loaderPaths(machineOn(first.root));
			const [, grub = standard.grub] = uefiUsb?.programs.keys() ?? [];
			const paths = { ...standard, grub };
			const efiPrograms: SecureBootProgram[] = (["loader", "grub", "mokManager"] as const).flatMap((name) => {
				const path = paths[name];
				const file = fatFileAt(fat.root, path);
				if (file === undefined) return [];
				const read = async (at: number, length: number) => (await file.read()).subarray(at, at + length);
				return [
					{
						path: `/${path}`,
						role: name === "mokManager" ? undefined : name,
						source: { byteLength: file.byteLength, read },
					},
				];
			});
			const menus = [cd, usb, uefiCd?.menu, uefiUsb?.menu];
			// By place: names may share an extent.
			const kernels = new Map<string, SecureBootProgram>();
			const ofMenus = new Set(menus.flatMap((menu) => menu?.kernels ?? []));
			// An entry beside those of kernels, which Secure Boot may refuse alone.
			const role = ofMenus.size > 0 ? "beside" : undefined;
			const unified = menus.flatMap((menu) => menu?.unifiedKernels ?? []);
			for (const [path, of] of new Map([
				...unified.map((each) => [each, role] as const),
				...[...ofMenus].map((each) => [each, undefined] as const),
			])) {
				const file = fileAt(first.root, path);
				if (file === undefined) continue;
				const place = `${file.extents[0]?.block} ${file.byteLength}`;
				if (!kernels.has(place))
					kernels.set(place, { path: `/${path}`, role: of, source: fileSource(source, file, path) });
			}
			const limits = { maxBytes: source.byteLength, anchors: options.firmwareCertificates?.map(anchorOf) };
			await checkSecureBoot(efiPrograms, [...kernels.values()], limits, findings);
		});

	await run.check("payload", [volume], async (findings, first) => {
		const { payload } = options;
		const imagesFor = (format: PayloadFormat): readonly ExpectedPayload[] | undefined =>
			payload && (payload.format === format ? payload.images : []);
		await checkPayload(source, first.root, imagesFor("oci"), findings, signal);
		const at = store === undefined ? storeAt : 0;
		const [found, image, digests] = [store ?? apart, roots?.[at]?.image, read?.[at]];
		if (found !== undefined && image !== undefined && digests !== undefined)
			await checkStore(image, found, digests.digestOf, imagesFor("storage"), findings, signal);
		else for (const { name } of imagesFor("storage") ?? []) findings.fault(`the image ${name} is not on the medium`);
		if (storeAt >= 0 && found !== apart)
			findings.fault("there is no container storage, or another one", `/${ISO_PATHS.store}`);
		if (root === undefined && findings.detail === "none") findings.undecided = "the root file system could not be read";
	});
	if (expected === undefined) run.skip("fidelity", "no image was given");
	else
		await run.check("fidelity", [roots, read], async (findings, images, contentsOf) => {
			const expectedAt = new Map([[images[0]?.path, expected], ...alsoAt]);
			for (const path of alsoAt.keys())
				if (!images.some((each) => each.path === path))
					findings.fault(
						"it is not there, or has no contents in common with the first",
						`/${displayName(path)}`,
						"a root file system",
					);
			for (const [i, each] of images.entries()) {
				const wanted = expectedAt.get(each.path);
				const own = findingsOf(each, findings);
				const { digestOf } = elementAt(contentsOf, i);
				if (each.path === ISO_PATHS.store) continue;
				if (wanted === undefined) own.note("there is no image to compare it with (--also)");
				else if (i > 0 || store === undefined) await inTurns(checkFidelity(wanted, each.image, digestOf, own), signal);
				else {
					const isThere = (path: ByteString): boolean =>
						createLookup(wanted.root)(path, { followLast: false }) !== undefined;
					const bare = { format: each.image.format, root: withoutStore(each.image.root, store, isThere) };
					const bareWanted = { ...wanted, root: withoutStore(wanted.root, store, () => true) };
					await inTurns(checkFidelity(bareWanted, bare, digestOf, own), signal);
				}
				if (own !== findings && wanted !== undefined) findings.detail += `; ${displayName(each.path)}: ${own.detail}`;
			}
		});
	const whole = expected?.whole;
	if (expected === undefined || whole === undefined) run.skip("medium", "no image was given");
	else
		await run.check(
			"medium",
			[volume, gpt, esp, roots, read],
			async (findings, first, tables, fat, images, contentsOf) => {
				const packed = images.map((each, i) => ({ ...each, packed: { ...each.image, ...elementAt(contentsOf, i) } }));
				const held = await readMediumContents(source, first.root, images, elementAt(packed, 0).packed, signal);
				const checkMarks = (epochSeconds: number, marks: Findings): void => {
					for (const each of packed)
						each.image.checkMarks(epochSeconds, each.packed.hasCompressedBlocks, findingsOf(each, marks));
				};
				const [, ...further] = packed;
				const furtherImages = further.map(({ path, start, file }) => ({ path, start, byteLength: file.byteLength }));
				const others = further.flatMap(({ path, packed: own }): AlsoOnMedium[] => {
					const wanted = alsoAt.get(path);
					if (wanted?.whole === undefined) return [];
					return [{ name: systemNameAt(path), root: wanted.whole, digestOf: wanted.digestOf, packed: own }];
				});
				const facts = { volume: first, gpt: tables, esp: fat, contents: held, furtherImages, checkMarks, source };
				await checkMedium(
					facts,
					{ root: whole, digestOf: expected.digestOf, readLoaders: expected.readLoaders, also: others },
					findings,
					signal,
				);
			},
		);
	return run.report(source.byteLength, volume?.primary.volumeIdentifier);
}

function findingsOf({ path, start }: RootImage, all: Findings): Findings {
	return start === 0 ? all : all.of(displayName(path));
}

/** Every long check reads: others have their turn, and signals are seen, whenever it does. */
function readInTurns(iso: ByteSource, signal: AbortSignal | undefined): ByteSource {
	const turns = new Turns(signal);
	return {
		byteLength: iso.byteLength,
		async read(position, length, into) {
			if (turns.areDue(READ_STEPS)) await turns.next();
			return iso.read(position, length, into);
		},
	};
}

function bootVolume(medium: ByteSource, firstBlock: number, { root, primary }: Volume, name: string): BootVolume {
	const { volumeIdentifier: label, modifiedAtSeconds, createdAtSeconds } = primary;
	const uuid = volumeUuid(modifiedAtSeconds ?? createdAtSeconds ?? 0);
	const start = firstBlock * ISO_BLOCK_BYTES;
	const source = region(medium, start, Math.max(0, medium.byteLength - start));
	return { source, medium, firstBlock, root, label, uuid, name };
}
