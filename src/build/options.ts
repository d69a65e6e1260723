import { availableParallelism } from "node:os";
import { DEFAULT_CACHE_BYTES } from "../cache/settings.ts";
import { requireFilter } from "../codec/codec-table.ts";
import { DEFAULT_FRAGMENT_RULE, type FragmentRule } from "../content/fragment-rule.ts";
import type { Problem } from "../errors.ts";
import type { OciImage, OpenImageOptions } from "../oci/open-image.ts";
import { checkOptions, invalidOptions } from "../options/check-options.ts";
import {
	accessFields,
	alsoFields,
	bootFields,
	buildrootFields,
	cacheFields,
	callback,
	field,
	imageFields,
	imageReference,
	isObject,
	mediumFields,
	type OptionsOf,
	payloadFields,
	rootFileSystemFields,
	runFields,
	treeFields,
} from "../options/fields.ts";
import { bootOptionsOf } from "../options/image-options.ts";
import type { NamedImage } from "../options/open-beside.ts";
import { DEFAULT_PRESET, presets } from "../options/presets.ts";
import { type Destination, parseDestinations } from "../output/destination.ts";
import type { RootFileSystemName } from "../rootfs/root-file-system.ts";
import { requireWritable, rootFileSystemNamed } from "../rootfs/root-file-systems.ts";
import { type BuildPlan, checkPlan, makePlan, requireEncoder } from "./plan.ts";
import type { BuildListener } from "./progress.ts";
import type { BuildDetails, BuildReport } from "./report.ts";

const listenerFields = {
	/** Called with the layout of the ISO, a line for each thing on it, before its tail is written. */
	onLayout: callback<(layout: string) => void>(),
	/** Given the report when the ISO is whole and before it has its name; what the details do not have yet is to be asked for before it resolves. Where it rejects, so does the build, and no ISO is left. */
	onReport: callback<(report: BuildReport, details: BuildDetails) => Promise<void>>(),
	onEvent: callback<BuildListener>(),
};
/** Of these no byte of an ISO depends. */
const workFields = { ...runFields, ...cacheFields, ...accessFields, ...listenerFields };
/** These and the image decide every byte. */
const shapingFields = {
	...imageFields,
	...bootFields,
	...buildrootFields,
	...payloadFields,
	...alsoFields,
	...treeFields,
	...rootFileSystemFields,
	...mediumFields,
};
const buildFields = { image: imageReference, ...shapingFields, ...workFields };
const planField = field<BuildPlan>("a plan, as planBuild makes it", isObject);

/** What `buildIso` takes; the command line's options have the same names. */
export interface BuildOptions extends OptionsOf<typeof shapingFields>, OptionsOf<typeof workFields> {
	/** Image reference with skopeo's transports, for example `oci:DIR:TAG`; a bare one names a registry's image. */
	readonly image: string;
	/** Path of the ISO, `-` for standard output, `pxe:DIR` for files for network boot; or several of these. */
	readonly output: string | readonly string[];
}

/** What `buildIso` takes to run a plan. */
export interface PlannedBuildOptions extends OptionsOf<typeof workFields> {
	readonly plan: BuildPlan;
	/** Path of the ISO, `-` for standard output, `pxe:DIR` for files for network boot; or several of these. */
	readonly output: string | readonly string[];
}

/** What `planBuild` takes; what decides no byte is taken too, so that the same options serve both. */
export interface PlanOptions extends Omit<BuildOptions, "output"> {
	readonly output?: BuildOptions["output"] | undefined;
}

/** What decides the bytes, with every default filled in that needs no image. */
export interface Shape extends Omit<OptionsOf<typeof shapingFields>, "preset" | "fragments" | "alwaysUseFragments"> {
	readonly image: string;
	readonly rootfs: RootFileSystemName;
	readonly comp: NonNullable<BuildOptions["comp"]>;
	readonly blockSize: number;
	readonly exclude: readonly string[];
	readonly defaultExcludes: boolean;
	readonly dropXattr: readonly string[];
	readonly fragmentRule: FragmentRule;
	readonly tools: BuildPlan["tools"];
}

/** How the work is done, with every default filled in. */
export interface Work extends Omit<OptionsOf<typeof workFields>, "output"> {
	/** At least one. */
	readonly outputs: readonly Destination[];
	readonly overwrite: boolean;
	readonly requireSecureBoot: boolean;
	readonly force: boolean;
	readonly allowUnconfinedTools: boolean;
	readonly jobs: number;
	readonly cacheSize: number;
	readonly cacheFrom: readonly string[];
	readonly onEvent: BuildListener;
}

export interface BuildRequest {
	readonly image: ImageToOpen;
	/** Undefined where boot loaders come from the image. */
	readonly buildroot: Omit<ImageToOpen, "platform"> | undefined;
	readonly payload: readonly Omit<ImageToOpen, "platform">[];
	readonly payloadFormat: BuildOptions["payloadFormat"];
	readonly also: readonly AlsoToOpen[];
	readonly tools: BuildPlan["tools"];
	readonly work: Work;
	/** The plan that was given, or what was asked for of this image; throws as `requireEncoder` and `makePlan`. */
	planOf(
		image: OciImage,
		buildroot: OciImage | undefined,
		payload: readonly Pick<OciImage, "reference" | "manifestDigest">[],
		also: readonly NamedImage[],
	): Promise<BuildPlan>;
}

interface AlsoToOpen extends Omit<ImageToOpen, "platform"> {
	readonly name: string;
}

interface ImageToOpen extends Pick<OpenImageOptions, "platform" | "manifestDigest"> {
	readonly reference: string;
}

/** Checks and completes the options; throws `Oci2isoError` INVALID_OPTION (exit 2) naming every fault, and as `checkPlan`. */
export function resolveOptions(options: BuildOptions | PlannedBuildOptions): BuildRequest {
	if (!isObject(options) || !("plan" in options) || options.plan === undefined) {
		checkOptions(options, buildFields, ["image", "output"]);
		const shape = shapeOf(options as BuildOptions);
		const image = { reference: shape.image, platform: shape.platform };
		const buildroot = shape.buildroot === undefined ? undefined : { reference: shape.buildroot };
		const payload = (shape.payload ?? []).map((reference) => ({ reference }));
		const also = alsoOf(shape);
		const planOf: BuildRequest["planOf"] = (opened, other, images, systems) =>
			makePlan(opened, shape, other, images, systems);
		const { payloadFormat, tools } = shape;
		return { image, buildroot, payload, payloadFormat, also, tools, work: completed(options), planOf };
	}
	requireUnshaped(options);
	checkOptions(options, { ...workFields, plan: planField }, ["output"]);
	const plan = checkPlan(options.plan);
	const planOf = (): Promise<BuildPlan> => requireEncoder(plan).then(() => plan);
	const { image, buildroot, tools, also = [] } = plan;
	const { images: payload = [], format: payloadFormat } = plan.payload ?? {};
	return { image, buildroot, payload, payloadFormat, also, tools, work: completed(options), planOf };
}

/** Checks and completes what a plan is made of; throws as `resolveOptions`. */
export function resolvePlanOptions(options: PlanOptions): Shape {
	checkOptions(options, buildFields, ["image"]);
	return shapeOf(options);
}

export function alsoOf({ also = [] }: Pick<Shape, "also">): AlsoToOpen[] {
	return also.map(({ name, image: reference }) => ({ name, reference }));
}

function requireUnshaped(options: object): void {
	const problems: Problem[] = Object.entries(options)
		.filter(([name, value]) => value !== undefined && (name === "image" || Object.hasOwn(shapingFields, name)))
		.map(([where]) => ({
			code: "INVALID_OPTION",
			what: "the plan decides it",
			where,
			remedy: "leave it out, or make another plan with it",
		}));
	if (problems.length > 0) throw invalidOptions(problems);
}

function shapeOf(options: PlanOptions): Shape {
	const { image, platform, devicetree, bootloader, buildroot, sourceDateEpoch } = options;
	const { bcj, exports, selinux, allRoot, tools = "auto" } = options;
	const preset = presets[options.preset ?? DEFAULT_PRESET];
	const comp = options.comp ?? preset.comp;
	requireFilter(comp, bcj);
	const format = rootFileSystemNamed(options.rootfs);
	const askedRule = fragmentRuleOf(options);
	const fragmentRule = askedRule === DEFAULT_FRAGMENT_RULE && !format.packsTails(comp) ? "none" : askedRule;
	requireWritable(format, { comp, fragmentRule, exports });
	const payload = options.payload?.length ? options.payload : undefined;
	if (options.payload === undefined) requireNoPayloadChoice(options);
	const { payloadFormat, payloadPlace } = payload === undefined ? {} : payloadChoice(options);
	return {
		image,
		platform,
		...bootOptionsOf(options),
		devicetree: devicetree?.length === 0 ? undefined : devicetree,
		bootloader: bootloader === "auto" ? undefined : bootloader,
		buildroot,
		payload,
		payloadFormat,
		payloadPlace,
		also: options.also?.length ? options.also : undefined,
		sourceDateEpoch,
		rootfs: format.name,
		comp,
		// another compressor's levels mean something else
		level: options.level ?? (comp === preset.comp ? preset.level : undefined),
		blockSize: options.blockSize ?? preset.blockSize,
		bcj,
		fragmentRule,
		exports,
		exclude: options.exclude ?? [],
		defaultExcludes: options.defaultExcludes ?? true,
		dropXattr: options.dropXattr ?? [],
		selinux: selinux === "auto" ? undefined : selinux,
		allRoot,
		tools: tools === "auto" ? "builtin" : tools,
	};
}

/** A choice about images that nobody named is one that was forgotten. */
function requireNoPayloadChoice(options: PlanOptions): void {
	const where = (["payloadFormat", "payloadPlace"] as const).find((name) => options[name] !== undefined);
	if (where === undefined) return;
	const what = "there is no image to carry";
	throw invalidOptions([{ code: "INVALID_OPTION", what, where, remedy: "name it with --payload IMAGE" }]);
}

function payloadChoice({ payloadFormat = "storage", payloadPlace }: PlanOptions) {
	if (payloadFormat === "storage") return { payloadFormat, payloadPlace: payloadPlace ?? "medium" } as const;
	if (payloadPlace === undefined) return { payloadFormat };
	const what = "an image layout is always at /container";
	throw invalidOptions([{ code: "INVALID_OPTION", what, where: "payloadPlace", expected: "it left out" }]);
}

function fragmentRuleOf({ fragments = true, alwaysUseFragments = false }: PlanOptions): FragmentRule {
	if (!fragments && alwaysUseFragments)
		throw invalidOptions([
			{ code: "INVALID_OPTION", what: "fragments are asked for and refused", where: "alwaysUseFragments" },
		]);
	return !fragments ? "none" : alwaysUseFragments ? "all-tails" : DEFAULT_FRAGMENT_RULE;
}

function completed({ output, ...options }: OptionsOf<typeof workFields> & Pick<BuildOptions, "output">): Work {
	return {
		...options,
		outputs: parseDestinations(output),
		overwrite: options.overwrite ?? false,
		requireSecureBoot: options.requireSecureBoot ?? false,
		force: options.force ?? false,
		allowUnconfinedTools: options.allowUnconfinedTools ?? false,
		jobs: options.jobs ?? availableParallelism(),
		cacheSize: options.cacheSize ?? DEFAULT_CACHE_BYTES,
		cacheFrom: options.cacheFrom ?? [],
		onEvent: options.onEvent ?? (() => {}),
	};
}
