export type { ByteSource } from "./binary/byte-source.ts";
export { buildIso } from "./build/build.ts";
export type { BuildOptions } from "./build/options.ts";
export { VERSION } from "./build/version.ts";
export { type ErrorDetails, type ErrorKind, EXIT_STATUS, Oci2isoError, type Problem } from "./errors.ts";
export type { BootPaths, Finding } from "./findings/finding.ts";
export { type FileSource, openIso } from "./input/iso-file.ts";
export { type ImageInspection, type InspectImageOptions, inspectImage } from "./inspect/inspect.ts";
export type { TransferPolicy } from "./oci/registry/options.ts";
export type { BootOptions, ImageOptions, SquashfsOptions, TreeOptions } from "./options/image-options.ts";
export { PRESET_NAMES, type PresetName } from "./options/presets.ts";
export type {
	BootCheckReport,
	BuildReport,
	LayerReport,
	SharedCacheReport,
	SquashfsReport,
	ToolReport,
} from "./report/build-report.ts";
export type { BuildEvent, BuildListener, Phase } from "./report/events.ts";
export type { CheckReport, VerifyReport } from "./verify/report.ts";
export { type VerifyOptions, verifyAgainstImage } from "./verify/verify.ts";
