import { bootsOf } from "../support/suite-boots.ts";

await bootsOf("trixie", ["BIOS from USB disk", "UEFI from USB disk with Secure Boot"]);
