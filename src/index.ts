export type { ByteSource } from "./binary/byte-source.ts";
export { buildIso, planBuild } from "./build/build.ts";
export type { BootCheckReport } from "./build/checked-contract.ts";
export type { BuildOptions, PlannedBuildOptions, PlanOptions } from "./build/options.ts";
export type { BuildPlan } from "./build/plan.ts";
export type { BuildEvent, BuildListener, Phase } from "./build/progress.ts";
export type { AlsoReport, BuildDetails, BuildReport, LayerReport, SquashfsReport } from "./build/report.ts";
export type { SharedCacheReport } from "./build/shared-cache.ts";
export { VERSION } from "./build/version.ts";
export type { ToolReport } from "./buildroot/tools.ts";
export { type ErrorDetails, type ErrorKind, EXIT_STATUS, Oci2isoError, type Problem } from "./errors.ts";
export type { BootPaths, Finding } from "./findings/finding.ts";
export { type ImageInspection, type InspectImageOptions, inspectImage } from "./inspect/inspect.ts";
export type { TransferPolicy } from "./oci/registry/retry-policy.ts";
export type {
	AccessOptions,
	BootOptions,
	ImageOptions,
	SquashfsOptions,
	TreeOptions,
} from "./options/image-options.ts";
export { PRESET_NAMES, type PresetName } from "./options/presets.ts";
export { type FileSource, openIso } from "./output/iso-file.ts";
export { buildPage } from "./page/build-page.ts";
export { inspectionPage } from "./page/inspection-page.ts";
export type { CheckReport, VerifyReport } from "./verify/report.ts";
export { type VerifyOptions, verifyAgainstImage } from "./verify/verify.ts";
