import type { FuzzTarget } from "./engine/target.ts";
import { archiveTargets } from "./targets/archives.ts";
import { documentTargets } from "./targets/documents.ts";
import { packageTargets } from "./targets/packages.ts";
import { programTargets } from "./targets/programs.ts";
import { selinuxTargets } from "./targets/selinux.ts";
import { streamTargets } from "./targets/streams.ts";
import { volumeTargets } from "./targets/volumes.ts";

/** Every parser that reads what others wrote. */
export const targets: readonly FuzzTarget[] = [
	...archiveTargets,
	...documentTargets,
	...packageTargets,
	...selinuxTargets,
	...streamTargets,
	...programTargets,
	...volumeTargets,
];
