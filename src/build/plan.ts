import { isDeepStrictEqual } from "node:util";
import * as z from "zod";
import { createCompressor } from "../codec/compressor.ts";
import { filterFor } from "../codec/types.ts";
import { DEFAULT_FRAGMENT_RULE } from "../content/fragment-rule.ts";
import { Oci2isoError } from "../errors.ts";
import { compileXattrDropper } from "../layers/drop-xattrs.ts";
import { compileExcludes, DEFAULT_EXCLUDES } from "../layers/excludes.ts";
import { type Digest, isDigest } from "../oci/digest.ts";
import type { OciImage } from "../oci/open-image.ts";
import { formatPlatform, isNameable } from "../oci/platform.ts";
import {
	alsoName,
	bootFields,
	type Field,
	imageFields,
	imageReference,
	isObject,
	MAX_EPOCH_SECONDS,
	mediumFields,
	payloadFields,
	rootFileSystemFields,
	treeFields,
} from "../options/fields.ts";
import { bootOptionsOf } from "../options/image-options.ts";
import { requireWritable, rootFileSystemNamed } from "../rootfs/root-file-systems.ts";
import type { Shape } from "./options.ts";
import { VERSION } from "./version.ts";

/** Of the plan's own form: what is read of it, and what it means. */
const PLAN_VERSION = 1;
export const MAX_PLAN_BYTES = 1024 * 1024;

const digest = z.custom<Digest>(
	(value) => typeof value === "string" && isDigest(value),
	"sha256: or sha512: and its digits",
);
const schema = z.strictObject({
	/** `PLAN_VERSION`. */
	version: z.literal(PLAN_VERSION),
	/** The version that makes these bytes, which are different ones from version to version. */
	oci2iso: z.literal(VERSION),
	image: z.strictObject({
		/** Where it was found; says nothing about what it is. */
		reference: as(imageReference),
		/** Of the image's manifest, which is read whatever the reference names by now. */
		manifestDigest: digest,
		platform: as(imageFields.platform),
	}),
	/** Where boot loaders come from; absent: the image. */
	buildroot: z.strictObject({ reference: as(imageReference), manifestDigest: digest }).optional(),
	/** Images that the medium carries; absent: none. */
	payload: z
		.strictObject({
			format: as(payloadFields.payloadFormat),
			/** Of container storage; absent: it is none. */
			place: as(payloadFields.payloadPlace).optional(),
			images: z.array(z.strictObject({ reference: as(imageReference), manifestDigest: digest })).min(1),
		})
		.optional(),
	/** Systems beside the image's, in their order; absent: none. */
	also: z
		.array(z.strictObject({ name: as(alsoName), reference: as(imageReference), manifestDigest: digest }))
		.min(1)
		.refine((all) => new Set(all.map(({ name }) => name)).size === all.length, "different names")
		.optional(),
	/** What is left out: the reference converter's list, or none, and more. */
	defaultExcludes: z.custom<readonly string[]>(
		(value) => [[], DEFAULT_EXCLUDES].some((known) => isDeepStrictEqual(value, known)),
		"the list of oci2iso, or an empty one",
	),
	exclude: as(treeFields.exclude),
	dropXattr: as(treeFields.dropXattr),
	/** Absent: of the image's policy where it has one and layers carry none. */
	selinux: as(treeFields.selinux).optional(),
	/** Absent: files belong to whom the image says. */
	allRoot: z.literal(true).optional(),
	/** What was asked for; absent: as the image says. */
	label: as(bootFields.label).optional(),
	kernel: as(bootFields.kernel).optional(),
	devicetree: as(bootFields.devicetree).optional(),
	vendor: as(bootFields.vendor).optional(),
	bootloader: as(bootFields.bootloader).optional(),
	/** Seconds since 1970. */
	sourceDateEpoch: as(mediumFields.sourceDateEpoch),
	rootfs: z.strictObject({
		format: as(rootFileSystemFields.rootfs),
		comp: as(rootFileSystemFields.comp),
		level: as(rootFileSystemFields.level),
		blockSize: as(rootFileSystemFields.blockSize),
		/** What was asked for; absent: as mksquashfs does, and x86 for the blocks of xz that look as if it helped. */
		bcj: as(rootFileSystemFields.bcj).optional(),
		fragmentRule: z.enum(["none", "all-tails"]).optional(),
		exportable: z.literal(false).optional(),
		/** Name and revision. */
		encoder: z.string(),
	}),
	/** Who makes the BIOS core image and the media checksum. */
	tools: z.enum(["builtin", "buildroot", "host"]),
	medium: z.strictObject({ exporter: z.literal("iso"), checksum: z.literal("isomd5") }),
});

/** What decides every byte of a medium, as plain JSON: wherever and whenever it is run, the same bytes come out. */
export type BuildPlan = Readonly<z.infer<typeof schema>>;

/** The plan of what was asked for of this image, with the boot loaders of `buildroot`. Throws `Oci2isoError` (exit 2) where patterns or levels are wrong, or no encoder is there. */
export async function makePlan(
	image: OciImage,
	shape: Shape,
	buildroot?: Pick<OciImage, "reference" | "manifestDigest">,
	payload: readonly Pick<OciImage, "reference" | "manifestDigest">[] = [],
	also: readonly { readonly name: string; readonly image: Pick<OciImage, "reference" | "manifestDigest"> }[] = [],
): Promise<BuildPlan> {
	const { comp, blockSize, fragmentRule, exports } = shape;
	const { exclude, dropXattr, tools } = shape;
	const { platform, manifestDigest, config } = image;
	const { variant: _, ...plainPlatform } = platform;
	const bcj = filterFor(comp, shape.bcj, platform.architecture);
	compileExcludes(exclude);
	compileXattrDropper(dropXattr);
	return {
		version: PLAN_VERSION,
		oci2iso: VERSION,
		image: {
			reference: image.reference,
			manifestDigest,
			platform: formatPlatform(isNameable(platform) ? platform : plainPlatform),
		},
		...(buildroot === undefined
			? {}
			: { buildroot: { reference: buildroot.reference, manifestDigest: buildroot.manifestDigest } }),
		...(payload.length === 0 || shape.payloadFormat === undefined
			? {}
			: {
					payload: {
						format: shape.payloadFormat,
						...(shape.payloadPlace === undefined ? {} : { place: shape.payloadPlace }),
						images: payload.map(({ reference, manifestDigest }) => ({ reference, manifestDigest })),
					},
				}),
		...(also.length > 0 && {
			also: also.map(({ name, image: { reference, manifestDigest } }) => ({ name, reference, manifestDigest })),
		}),
		defaultExcludes: shape.defaultExcludes ? DEFAULT_EXCLUDES : [],
		exclude,
		dropXattr,
		...(shape.selinux === undefined ? {} : { selinux: shape.selinux }),
		...(shape.allRoot === true ? { allRoot: true } : {}),
		...bootOptionsOf(shape),
		sourceDateEpoch: epochSeconds(shape.sourceDateEpoch, process.env["SOURCE_DATE_EPOCH"], config.createdSeconds),
		rootfs: {
			format: shape.rootfs,
			comp,
			blockSize,
			...(bcj === undefined ? {} : { bcj }),
			...(fragmentRule === "small-files" ? {} : { fragmentRule }),
			...(exports === false ? { exportable: false } : {}),
			...(await encoderOf({ ...shape, format: shape.rootfs, bcj })),
		},
		tools,
		medium: { exporter: "iso", checksum: "isomd5" },
	};
}

/** Reads UTF-8 JSON of at most `MAX_PLAN_BYTES`; throws as `checkPlan`. */
export function parsePlan(bytes: Uint8Array): BuildPlan {
	if (bytes.byteLength > MAX_PLAN_BYTES) throw planInvalid("it is too long", "", `at most ${MAX_PLAN_BYTES} bytes`);
	let value: unknown;
	try {
		value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
	} catch {
		throw planInvalid("it is not JSON", "", "what oci2iso build --print-plan prints");
	}
	return checkPlan(value);
}

/** `value` as a plan that this oci2iso knows; throws `Oci2isoError` (exit 2): PLAN_INVALID, `where` being the first field that is wrong, or PLAN_UNSUPPORTED. */
export function checkPlan(value: unknown): BuildPlan {
	const { version, oci2iso } = isObject(value) ? value : {};
	if (Number.isSafeInteger(version) && version !== PLAN_VERSION)
		throw planUnsupported(`it has version ${version}`, "version", `version ${PLAN_VERSION}`);
	if (typeof oci2iso === "string" && oci2iso !== VERSION)
		throw planUnsupported(`it is one of oci2iso ${oci2iso}`, "oci2iso", VERSION);
	const result = schema.safeParse(value);
	if (result.success) return portable(result.data);
	const [issue] = result.error.issues;
	if (issue?.code === "unrecognized_keys")
		throw planInvalid(
			"there is no such field",
			pathOf([...issue.path, issue.keys[0] ?? ""]),
			"the fields of --print-plan",
		);
	throw planInvalid("a field is wrong or missing", pathOf(issue?.path ?? []), issue && expectedOf(issue));
}

/** Throws `Oci2isoError` PLAN_UNSUPPORTED (exit 2) where this oci2iso has another encoder than the plan. */
export async function requireEncoder({ rootfs }: BuildPlan): Promise<void> {
	const { comp, level, encoder } = rootfs;
	const own = await encoderOf({ ...rootfs, level: comp === "none" && level === 0 ? undefined : level });
	if (own.encoder !== encoder)
		throw planUnsupported(`its encoder is ${encoder}, which this oci2iso does not have`, "rootfs.encoder", own.encoder);
}

type Encoding = Pick<Shape, "comp" | "level" | "bcj" | "blockSize"> & Pick<BuildPlan["rootfs"], "format">;

/** What would compress. Other encoders, and other versions of one, make other bytes. */
async function encoderOf({ format, comp: codec, level, bcj, blockSize: blockBytes }: Encoding) {
	const { gzipForm } = rootFileSystemNamed(format);
	const compressor = await createCompressor({ codec, level, bcj, gzipForm, blockBytes, threads: 1 });
	await compressor.close();
	return { level: compressor.level, encoder: compressor.encoder };
}

/** A tool of the host is none of what a plan names. */
function portable(plan: BuildPlan): BuildPlan {
	const { format, comp, fragmentRule = DEFAULT_FRAGMENT_RULE, exportable } = plan.rootfs;
	requireWritable(rootFileSystemNamed(format), { comp, fragmentRule, exports: exportable });
	if (plan.tools !== "host") return plan;
	throw new Oci2isoError({
		code: "INVALID_OPTION",
		kind: "usage",
		what: "no plan can say which bytes a host's own tools make",
		where: "tools",
		expected: "builtin or buildroot",
	});
}

function as<Value>({ accepts, expected }: Field<Value>): z.ZodType<Value> {
	return z.custom<Value>((value) => accepts(value), expected);
}

function pathOf(path: readonly PropertyKey[]): string {
	return path.map(String).join(".");
}

function expectedOf(issue: z.core.$ZodIssue): string {
	if (issue.code === "custom") return issue.message;
	if (issue.code === "invalid_value") return issue.values.map(String).join(" or ");
	return issue.code === "invalid_type" ? `a value of type ${issue.expected}` : "another value";
}

function planInvalid(what: string, where: string, expected: string | undefined): Oci2isoError {
	return new Oci2isoError({
		code: "PLAN_INVALID",
		kind: "usage",
		what: `the plan cannot be used: ${what}`,
		where: where || "plan",
		expected,
	});
}

function planUnsupported(what: string, where: string, expected: string): Oci2isoError {
	const remedy = "run it where it was made, or make a new plan, whose ISO has other bytes";
	return new Oci2isoError({
		code: "PLAN_UNSUPPORTED",
		kind: "usage",
		what: `the plan cannot be run: ${what}`,
		where,
		expected,
		remedy,
	});
}

/** The time of every stamp that we set, in seconds since 1970: the option, else `SOURCE_DATE_EPOCH`, else when the image was made, else 0. */
export function epochSeconds(
	option: number | undefined,
	environment: string | undefined,
	createdSeconds: number | undefined,
): number {
	if (option !== undefined) return option;
	if (environment === undefined || environment === "") {
		return Math.min(MAX_EPOCH_SECONDS, Math.max(0, createdSeconds ?? 0));
	}
	const seconds = /^\d{1,10}$/.test(environment) ? Number(environment) : Number.NaN;
	if (Number.isNaN(seconds) || seconds > MAX_EPOCH_SECONDS) {
		throw new Oci2isoError({
			code: "INVALID_OPTION",
			kind: "usage",
			what: `SOURCE_DATE_EPOCH is "${environment}"`,
			expected: `seconds since 1970, 0 to ${MAX_EPOCH_SECONDS}`,
		});
	}
	return seconds;
}
