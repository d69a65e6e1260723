import { bootsOf } from "../support/suite-boots.ts";

await bootsOf("sid", ["BIOS from CD", "UEFI from CD", "UEFI from USB disk with Secure Boot"]);
