import { displayName } from "../../binary/byte-string.ts";
import type { ContainerfileLines } from "../../findings/finding.ts";
import type { Findings } from "../../findings/findings.ts";
import type { ImageTree } from "../../tree/image-tree.ts";
import type { FileInode } from "../../tree/inode.ts";
import { lookupQuietly } from "../../tree/lookup-quietly.ts";
import type { BootParts } from "../boot-parts.ts";
import { readText } from "../boot-parts.ts";
import { anyDistribution } from "../containerfile.ts";

const RESOLVED_STUB = "../run/systemd/resolve/stub-resolv.conf";
const RESOLVED = ["/usr/lib/systemd/systemd-resolved", "/lib/systemd/systemd-resolved"];
/** They write an empty file full; what else would is not known. */
const RESOLV_CONF_WRITERS = ["dhclient", "dhcpcd", "connmand", "resolvconf", "wicked", "udhcpc"].flatMap((name) =>
	["/usr/sbin", "/sbin", "/usr/bin", "/bin"].map((directory) => `${directory}/${name}`),
);
const NETWORK_MANAGER = ["/usr/sbin/NetworkManager", "/usr/bin/NetworkManager"];
const TMPFILES = ["/etc/tmpfiles.d", "/usr/lib/tmpfiles.d"];
/** Of text in them, all together. */
const MAX_TMPFILES_CHARACTERS = 4 * 1024 * 1024;
/** Programs that do nothing for a user without root's rights. */
const SETUID_PROGRAMS = ["sudo", "su", "mount", "umount", "passwd", "newgrp", "gpasswd", "pkexec", "fusermount3"];
const SETUID = 0o4000;
const READABLE_BY_ALL = 0o444;

/** What building in a container leaves in an image, or takes off it, and a booted system is worse for. Nothing of it ends a boot. */
export async function checkLeftovers({ tree }: Pick<BootParts, "tree">, findings: Findings): Promise<void> {
	await checkResolvConf(tree, findings);
	await checkHosts(tree, findings);
	if (isFile(tree, "/.dockerenv"))
		findings.warn("DOCKERENV_LEFT", "systemd takes a system with /.dockerenv for a container, and leaves units out", {
			evidence: "/.dockerenv",
			containerfile: anyDistribution("RUN rm -f /.dockerenv"),
		});
	checkSetuid(tree, findings);
}

/**
 * buildah and podman leave an empty file where they mount their own. systemd-resolved wants a link there, which systemd-tmpfiles only makes where nothing
 * is. A `RUN` line cannot replace what is mounted, so the advice is for tmpfiles.d(5).
 */
async function checkResolvConf(tree: ImageTree, findings: Findings): Promise<void> {
	const path = "/etc/resolv.conf";
	const file = emptyFileIn(tree, "/etc", "resolv.conf");
	if (file === undefined || (await isMadeAtBoot(tree, path))) return;
	const has = (programs: readonly string[]): boolean => programs.some((program) => isFile(tree, program));
	const hasResolved = has(RESOLVED);
	// NetworkManager puts its own in place of a file unless resolved is there to be asked.
	const hasWriter = has([...NETWORK_MANAGER, ...RESOLV_CONF_WRITERS]);
	const isReadable = (file.mode & READABLE_BY_ALL) === READABLE_BY_ALL;
	if (!hasResolved && hasWriter && isReadable) return;
	const why = hasResolved
		? "systemd-resolved wants a link there"
		: hasWriter
			? "what writes into it leaves its mode"
			: "nothing is seen in the image that writes it";
	const rule = hasResolved ? `L+! ${path} - - - - ${RESOLVED_STUB}` : `r! ${path}`;
	findings.warn(
		"RESOLV_CONF_EMPTY",
		"the image has an empty /etc/resolv.conf: the booted system may resolve no names",
		{
			evidence: `${describe(path, file)}; ${why}`,
			remedy:
				hasResolved || hasWriter
					? "have it made at boot: a RUN line cannot replace what the build mounts there"
					: "install what sets the system's name servers, such as systemd-resolved or NetworkManager",
			containerfile: hasResolved || hasWriter ? tmpfilesLine(rule) : undefined,
		},
	);
}

/** The same of /etc/hosts; an empty /etc/hostname is none to systemd, which takes its default. */
async function checkHosts(tree: ImageTree, findings: Findings): Promise<void> {
	const path = "/etc/hosts";
	const file = emptyFileIn(tree, "/etc", "hosts");
	if (file === undefined || (await isMadeAtBoot(tree, path))) return;
	const nsswitch = (await readText(tree, ["/etc/nsswitch.conf", "/usr/etc/nsswitch.conf"])) ?? "";
	const hosts = nsswitch.split("\n").find((line) => line.trimStart().startsWith("hosts:"));
	if (hosts?.includes("myhostname") === true) return;
	findings.warn("HOSTS_EMPTY", "the image has an empty /etc/hosts: localhost has no address", {
		evidence: `${describe(path, file)}; no myhostname in /etc/nsswitch.conf`,
		remedy: "have it written at boot (a RUN line cannot write what the build mounts there)",
		containerfile: tmpfilesLine(`f+! ${path} 0644 root root - 127.0.0.1 localhost\\n::1 localhost\\n`),
	});
}

/** Copying without modes, as COPY of some builders does, takes the bit off. */
function checkSetuid(tree: ImageTree, findings: Findings): void {
	const without = SETUID_PROGRAMS.flatMap((name) => {
		const found = lookupQuietly(tree, `/usr/bin/${name}`) ?? lookupQuietly(tree, `/bin/${name}`);
		if (found?.inode.type !== "file") return [];
		const { mode, uid, xattrs } = found.inode;
		const isShared = !found.path.endsWith(`/${name}`) && /\/(busybox|toybox)[^/]*$/.test(found.path);
		const hasRights = ((mode & SETUID) !== 0 && uid === 0) || xattrs.has("security.capability");
		return hasRights || isShared || (mode & 0o111) === 0 ? [] : [displayName(found.path)];
	});
	if (without.length === 0) return;
	const paths = [...new Set(without)].filter((path) => SAFE_PATH.test(path));
	findings.warn("SETUID_MISSING", `users cannot use ${without.join(", ")}: not setuid root`, {
		evidence: "the mode lacks 4000, or the owner is not root",
		remedy: "give it back after the last COPY",
		containerfile:
			paths.length === 0
				? undefined
				: anyDistribution(`RUN chown root ${paths.join(" ")} && chmod u+s ${paths.join(" ")}`),
	});
}

const SAFE_PATH = /^[A-Za-z0-9/._-]+$/;

/** A link does not count, whatever it leads to. */
function emptyFileIn(tree: ImageTree, directory: string, name: string): FileInode | undefined {
	const inode = lookupQuietly(tree, directory)?.inode;
	const own = inode?.type === "directory" ? inode.entries.get(name) : undefined;
	return own?.type === "file" && own.byteLength === 0 ? own : undefined;
}

function isFile(tree: ImageTree, path: string): boolean {
	return lookupQuietly(tree, path)?.inode.type === "file";
}

/** Whether tmpfiles.d(5) removes or replaces it at boot. */
async function isMadeAtBoot(tree: ImageTree, path: string): Promise<boolean> {
	let left = MAX_TMPFILES_CHARACTERS;
	for (const directory of TMPFILES) {
		const inode = lookupQuietly(tree, directory)?.inode;
		if (inode?.type !== "directory") continue;
		const names = [...inode.entries.keys()].filter((name) => name.endsWith(".conf")).sort();
		for (const name of names) {
			const text = (await readText(tree, [`${directory}/${name}`])) ?? "";
			left -= text.length + 1;
			if (left < 0) return false;
			for (const line of text.split("\n")) {
				const [type = "", target] = line.trim().split(/[ \t]+/, 2);
				if (["L+", "f+", "r"].some((start) => type.startsWith(start)) && target === path) return true;
			}
		}
	}
	return false;
}

function describe(path: string, { mode }: FileInode): string {
	return `${path}: 0 bytes, mode ${(mode & 0o7777).toString(8).padStart(4, "0")}, as buildah leaves it`;
}

function tmpfilesLine(rule: string): ContainerfileLines {
	const file = "/usr/lib/tmpfiles.d/live-image.conf";
	return anyDistribution(`RUN mkdir -p /usr/lib/tmpfiles.d && printf '%s\\n' '${rule}' >> ${file}`);
}
