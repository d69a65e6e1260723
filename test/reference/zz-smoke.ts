import { readFileSync } from "node:fs";
import { treeFromDirectory, writeIso } from "/work/main/test/reference/iso9660-fixture.ts";
import { describePlan } from "/work/main/src/iso9660/plan-volume.ts";
const [,, dir, out] = process.argv;
const plan = writeIso(out!, treeFromDirectory(dir!), dir!, { volumeIdentifier: "Kinoite-Live", bootHybrid: readFileSync("/tmp/iso/pkg/x/usr/lib/grub/i386-pc/boot_hybrid.img") });
console.log(describePlan(plan).slice(0, 30).join("\n"));
