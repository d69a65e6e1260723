import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { describe, expect, it } from "vitest";
import { buildIso, verifyAgainstImage } from "../../src/index.ts";
import { debianFixture, FIXTURE_NEEDS } from "../support/fixture.ts";
import { withExtraLayer } from "../support/large-layout.ts";
import { bootIso, bootRequirements } from "../support/qemu.ts";
import { requires } from "../support/requires.ts";
import { run } from "../support/run.ts";
import { isSlowWanted } from "../support/slow.ts";
import { writeStoragePayloads } from "../support/storage-payload.ts";
import { tarArchive } from "../support/tar-fixtures.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const TOOLS = "opt/skopeo";

/** In place of the fixture's report: the images of the medium's container storage, copied by skopeo without a network. */
const script = (names: readonly string[]): string => `#!/bin/sh
kill -s 55 1
echo 0 > /proc/sys/kernel/printk
mkdir -p /run/store /run/copy
mount -o ro,loop /run/initramfs/live/LiveOS/store.img /run/store
export HOME=/run TMPDIR=/run LD_LIBRARY_PATH=/${TOOLS}
echo
for name in ${names.join(" ")}; do
	of="containers-storage:[overlay@/run/own+/run/place:overlay.imagestore=/run/store,overlay.skip_mount_home=true]localhost/$name:v1"
	echo "OCI2ISO-MANIFEST $name $(/${TOOLS}/skopeo inspect --raw "$of" | sha256sum | cut -c 1-64)"
	/${TOOLS}/skopeo --insecure-policy copy --quiet "$of" "dir:/run/copy/$name"
	echo "OCI2ISO-STATUS $name $?"
	for file in /run/copy/$name/*; do
		echo "OCI2ISO-BLOB $name \${file##*/} $(sha256sum < "$file" | cut -c 1-64)"
	done
done
echo OCI2ISO-BOOT-OK
exec systemctl poweroff -ff
`;

describe.skipIf(
	!isSlowWanted("a guest copies the medium's payload") ||
		(bootRequirements() ?? requires("skopeo", "ldd", ...FIXTURE_NEEDS)),
)("container storage on a booted medium", () => {
	const work = temporaryDirectory("payload-boot");

	it("is there for skopeo of the live system, offline, and every blob has its digest", async () => {
		const { plain, odd } = writeStoragePayloads(work);
		const payloads = { plain, odd };
		const program = (await run("which", ["skopeo"])).trim();
		const libraries = [...(await run("ldd", [program])).matchAll(/=> (\/\S+)/g)].map(([, path = ""]) => path);
		// the guest's libc is of the host's suite too
		const files = [program, ...libraries.filter((path) => !/^lib(c|m|pthread|dl)\.so/.test(basename(path)))];
		const image = await withExtraLayer(await debianFixture(), join(work, "live"), async (append) => {
			await append(
				tarArchive([
					...files.map((path) => ({ path: `${TOOLS}/${basename(path)}`, mode: 0o755, content: readFileSync(path) })),
					{ path: "usr/libexec/oci2iso-report", mode: 0o755, content: Buffer.from(script(Object.keys(payloads))) },
				]),
			);
		});
		const iso = join(work, "payload.iso");
		const payload = [plain.reference, odd.reference];
		await buildIso({ image, payload, output: iso, level: 3 });
		expect(await verifyAgainstImage(iso, { image, payload })).toMatchObject({ verdict: "pass" });
		const log = await bootIso(iso, "BIOS from CD");
		for (const [name, { manifestDigest, diffIds }] of Object.entries(payloads)) {
			expect(log).toContain(`OCI2ISO-MANIFEST ${name} ${manifestDigest.slice("sha256:".length)}`);
			expect(log).toContain(`OCI2ISO-STATUS ${name} 0`);
			const blobs = [...log.matchAll(new RegExp(`OCI2ISO-BLOB ${name} ([0-9a-f]{64}) ([0-9a-f]{64})`, "g"))];
			expect(blobs.map(([, , digest]) => digest)).toEqual(blobs.map(([, file]) => file));
			// the layers as they are, and the configuration
			expect(blobs.map(([, file]) => `sha256:${file}`)).toEqual(expect.arrayContaining([...diffIds]));
			expect(blobs).toHaveLength(diffIds.length + 1);
		}
	});
});
