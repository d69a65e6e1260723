import { existsSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { hostSource } from "../../fixtures/debian/apt.ts";
import { run } from "./run.ts";

const CACHE = join(import.meta.dirname, "../../fixtures/cache");
const PACKAGES = "podman,buildah,skopeo,ca-certificates,fuse-overlayfs,uidmap,slirp4netns,passt,crun,passwd";
const USER = 'chroot "$1" useradd --create-home live && echo live:100000:65536 | tee "$1/etc/subuid" >"$1/etc/subgid"';

/** Debian of that suite with its podman, buildah and skopeo and a user `live` who has subordinate ids, made once; its directory. Takes root and mmdebstrap. */
export async function engineChroot(suite: string): Promise<string> {
	const directory = join(CACHE, `engines-${suite}`);
	if (existsSync(directory)) return directory;
	const { uri, options } = await hostSource();
	const making = `${directory}.${process.pid}`;
	const apt = ["Acquire::Check-Valid-Until", "APT::Install-Recommends"].map((name) => `--aptopt=${name} "false"`);
	const source = `deb ${options}${uri} ${suite} main`;
	try {
		await run("mmdebstrap", [
			...["--variant=apt", `--include=${PACKAGES}`, ...apt, `--customize-hook=${USER}`],
			...[suite, making, source],
		]);
		renameSync(making, directory);
	} finally {
		rmSync(making, { recursive: true, force: true });
	}
	return directory;
}

/**
 * Runs a shell script with that system as its root, the machine's at /host and `work` at /mnt. The root is pivoted, not changed: in a chroot Linux
 * makes no user namespace, and there are no ordinary users' stores without one.
 */
export function inEngineChroot(
	directory: string,
	work: string,
	script: string,
	user: "root" | "live",
): Promise<string> {
	const enter = `
		mount --bind "$1" "$1"; cd "$1"; mkdir -p host mnt
		mount --rbind /dev dev; mount -t proc proc proc; mount --rbind /sys sys; mount --rbind "$2" mnt; mount -t tmpfs tmpfs run
		pivot_root . host; cd /; mount --make-rshared /
		mkdir -p /run/user/0 /run/user/1000; chown live /run/user/1000
		export PATH=/usr/sbin:/usr/bin:/sbin:/bin PODMAN_IGNORE_CGROUPSV1_WARNING=1 BUILDAH_ISOLATION=chroot
		if [ "$4" = root ]; then export HOME=/root XDG_RUNTIME_DIR=/run/user/0; exec sh -ec "$3"; fi
		export HOME=/home/live XDG_RUNTIME_DIR=/run/user/1000
		exec setpriv --reuid live --regid live --clear-groups sh -ec "$3"`;
	const namespaces = ["--mount", "--pid", "--fork", "--kill-child"];
	return run("unshare", [...namespaces, "sh", "-ec", enter, "sh", directory, work, script, user]);
}
