export { buildIso } from "./assemble/build.ts";
export type { BuildOptions } from "./assemble/options.ts";
export { VERSION } from "./assemble/version.ts";
export type { Choice } from "./contract/contract.ts";
export { type ErrorKind, EXIT_STATUS, Oci2isoError, type Problem } from "./errors.ts";
export type { TransferPolicy } from "./oci/registry/options.ts";
export type { BuildReport, LayerReport, SquashfsReport, ToolReport } from "./report/build-report.ts";
export type { BuildEvent, BuildListener, Phase } from "./report/events.ts";
