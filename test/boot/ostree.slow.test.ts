import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "vitest";
import { buildIso } from "../../src/index.ts";
import { expectBoot } from "../support/boot-report.ts";
import { debianFixture, FIXTURE_NEEDS } from "../support/fixture.ts";
import { mediumFiles } from "../support/medium-files.ts";
import { writeOciLayout } from "../support/oci-layout.ts";
import { encapsulated } from "../support/ostree-image.ts";
import { bootRequirements } from "../support/qemu.ts";
import { unpackImage } from "../support/reference-pipeline.ts";
import { requires } from "../support/requires.ts";
import { isSlowWanted } from "../support/slow.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const NEEDS = ["root", "ostree", "umoci", "skopeo", "tar", "xorriso", ...FIXTURE_NEEDS];
/** A tree as ostree commits it: no devices, nothing in /boot and /var, boot loaders where bootupd has them. ostree takes no names that are not UTF-8. */
const PREPARE = `
cd "$1"
mkdir usr/lib/bootupd usr/lib/bootupd/updates sysroot
mv boot/efi/EFI usr/lib/bootupd/updates/
mv etc usr/etc
rm -rf boot/* var/* dev/* run/* tmp/* usr/lib/efi usr/lib/shim usr/lib/grub/x86_64-efi-signed
ln -s sysroot/ostree ostree
find . '(' -type p -o -type c -o -type b ')' -delete
tar --xattrs --xattrs-include='*' --numeric-owner --sort=name --exclude='*-not-utf8' -cf "$2" .
`;

describe.skipIf(!isSlowWanted("an image of an ostree commit boots") || (bootRequirements() ?? requires(...NEEDS)))(
	"the ISO of an ostree commit",
	() => {
		const work = temporaryDirectory("ostree-boot");

		it("boots to its marker", async () => {
			const root = await unpackImage(await debianFixture(), work);
			const archive = join(work, "tree.tar");
			execFileSync("sh", ["-ec", PREPARE, "sh", root, archive]);
			const layers = encapsulated(readFileSync(archive), join(work, "ostree"), 64);
			const layout = join(work, "layout");
			mkdirSync(layout);
			const { reference } = writeOciLayout(layout, { layers: layers.map((tar) => ({ tar, compression: "gzip" })) });
			const iso = join(work, "ostree.iso");
			await buildIso({ image: reference, output: iso, level: 3, cache: undefined });
			await expectBoot("UEFI from USB disk with Secure Boot", iso, await mediumFiles(iso), "x86_64");
		});
	},
);
