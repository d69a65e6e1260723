import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { buildIso, verifyAgainstImage } from "../../src/index.ts";
import { debianFixture, FIXTURE_NEEDS } from "../support/fixture.ts";
import { withExtraLayer } from "../support/large-layout.ts";
import { bootIso, bootRequirements } from "../support/qemu.ts";
import { requires } from "../support/requires.ts";
import { isSlowWanted } from "../support/slow.ts";
import { tarArchive } from "../support/tar-fixtures.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const NEEDS = ["/proc/sys/fs/binfmt_misc/qemu-aarch64", ...FIXTURE_NEEDS];
const platform = "linux/arm64";
const MODEL = "linux,dummy-virt";
const OWN_MODEL = "oci2iso,own-tree";
/** The first entry of the submenu behind the only entry. */
const CHOOSES_DEVICE_TREE = 'set default="1>0"\n';
/** What the kernel says of the tree comes long before its console. */
const ISO_YAML = `label: Oci2iso-Live
grub2:
  timeout: 1
  entries:
    - name: Live
      linux: /images/pxeboot/vmlinuz root=live:CDLABEL=Oci2iso-Live rd.live.image rd.overlay=1 earlycon=pl011,0x9000000
      initrd: /images/pxeboot/initrd.img
`;

/** What QEMU tells firmware of its machine, with another model. */
function deviceTree(file: string): Buffer {
	execFileSync("qemu-system-aarch64", ["-machine", `virt,dumpdtb=${file}`, "-cpu", "cortex-a57", "-m", "1536"], {
		stdio: "ignore",
	});
	const tree = readFileSync(file);
	const models = tree.toString("latin1").split(MODEL).length - 1;
	expect(models).toBeGreaterThan(0);
	return Buffer.from(tree.toString("latin1").replaceAll(MODEL, OWN_MODEL), "latin1");
}

describe.skipIf(
	!isSlowWanted("GRUB gives the kernel a device tree of the menu") ||
		(bootRequirements("aarch64") ?? requires(...NEEDS)),
)("a device tree that the menu offers", () => {
	const work = temporaryDirectory("device-tree-boot");

	it("is given to the kernel by the image's GRUB", async () => {
		const layout = await debianFixture("trixie-arm64");
		const image = await withExtraLayer(layout, await mkdtemp(join(work, "image-")), async (append) =>
			append(
				tarArchive([
					{ path: "boot/dtb/qemu/virt.dtb", content: deviceTree(join(work, "virt.dtb")) },
					{ path: "usr/lib/bootc-image-builder/iso.yaml", content: Buffer.from(ISO_YAML) },
					{ path: "usr/lib/image-builder/bootc/grub/grub.cfg", content: Buffer.from(CHOOSES_DEVICE_TREE) },
				]),
			),
		);
		const output = join(work, "live.iso");
		await buildIso({ image, platform, output, level: 3, devicetree: ["qemu/virt.dtb"] });
		const { checks } = await verifyAgainstImage(output, { image, platform });
		expect(checks.filter(({ status }) => status === "fail")).toEqual([]);
		await bootIso(output, "UEFI from CD", {
			architecture: "aarch64",
			until: new RegExp(`Machine model: ${OWN_MODEL}`),
		});
	});
});
