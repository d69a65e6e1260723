import { chmodSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { COMPILED_MAIN } from "../support/compiled.ts";
import { HOST_GRUB } from "../support/contract-image.ts";
import { writeContractLayout } from "../support/contract-layout.ts";
import { engineChroot, inEngineChroot } from "../support/engine-chroot.ts";
import { requires } from "../support/requires.ts";
import { isSlowWanted } from "../support/slow.ts";
import { tarArchive } from "../support/tar-fixtures.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const SUITES = ["bookworm", "trixie", "sid"] as const;
const USERS = ["root", "live"] as const;
const DRIVERS = ["vfs", "overlay"] as const;
const ROWS = SUITES.flatMap((suite) => USERS.flatMap((user) => DRIVERS.map((driver) => ({ suite, user, driver }))));

/** Files of others that only they may read, and headers that a store has no place for but in its tar-split. */
const SECRET = tarArchive([
	{ path: "etc/shadow", mode: 0o600, content: Buffer.from("root:*:1::::::\n") },
	{ path: "srv/of-another", mode: 0o600, uid: 7, gid: 8, content: Buffer.from("closed".repeat(20_000)) },
]);

/** The squashfs, at block 64; its superblock has its length in bytes at 40. */
function rootOf(iso: Buffer): Buffer {
	const start = 64 * 2048;
	return iso.subarray(start, start + Number(iso.readBigUInt64LE(start + 40)));
}

const isSkipped =
	!isSlowWanted("stores of Debian 12's, 13's and unstable's engines") ||
	requires("root", "mmdebstrap", "pivot_root", "setpriv", HOST_GRUB);

describe.skipIf(isSkipped)("engines", () => {
	it.each(ROWS)(
		"of $suite keep an image in $user's store ($driver) that becomes the ISO of the image that they pulled, and one they built, with the root of what they save",
		{ timeout: 1_200_000 },
		async ({ suite, user, driver }) => {
			const chroot = await engineChroot(suite);
			const work = temporaryDirectory("engines");
			writeContractLayout(join(work, "layout"), [SECRET]);
			chmodSync(work, 0o777);
			const unshare = user === "root" ? "" : "podman unshare";
			const script = `
				cd /mnt
				store=/mnt/store run=$XDG_RUNTIME_DIR/storage
				oci2iso() { ${unshare} chroot /host "${process.execPath}" "${COMPILED_MAIN}" "$@"; }
				options="--tools builtin --no-cache --force --comp none -q --source-date-epoch 0"
				engine="--root $store --runroot $run --storage-driver ${driver}"
				skopeo --insecure-policy copy -q oci:layout "containers-storage:[${driver}@$store+$run]localhost/pulled:1"
				mkdir context; echo built >context/file
				printf 'FROM localhost/pulled:1\\nCOPY file /srv/file\\n' >context/Containerfile
				buildah $engine build --pull-never -t localhost/built:1 context
				for name in pulled built; do
					oci2iso build "containers-storage:[${driver}@${work}/store+$run]localhost/$name:1" -o "${work}/$name.iso" $options
				done
				podman $engine save -q --format oci-archive localhost/built:1 >built.tar
				oci2iso build oci-archive:- -o "${work}/saved.iso" $options <built.tar
				oci2iso build "oci:${work}/layout" -o "${work}/layout.iso" $options
			`;
			await inEngineChroot(chroot, work, script, user);
			const iso = (name: string): Buffer => readFileSync(join(work, `${name}.iso`));
			expect(iso("pulled").equals(iso("layout"))).toBe(true);
			// what is saved has another manifest, from which the volume's identifiers are made
			expect(rootOf(iso("built")).equals(rootOf(iso("saved")))).toBe(true);
			expect(rootOf(iso("built")).equals(rootOf(iso("layout")))).toBe(false);
		},
	);
});
