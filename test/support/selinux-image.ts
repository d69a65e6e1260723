import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fetchClosure } from "../../fixtures/debian/apt.ts";
import { mergedUsr } from "../../fixtures/debian/base-system.ts";
import { runInChroot } from "../../fixtures/debian/chroot.ts";
import { unpackDeb } from "../../fixtures/debian/deb.ts";
import type { Entry } from "../../fixtures/debian/entry.ts";
import { LABEL } from "../../fixtures/debian/live-system.ts";
import { applyModesAndTimes, materialise } from "../../fixtures/debian/materialise.ts";
import { PROFILES } from "../../fixtures/debian/packages.ts";
import { debianFixture } from "./fixture.ts";
import { withExtraLayer } from "./large-layout.ts";
import { type TarMember, tarMember } from "./tar-fixtures.ts";

const CACHE = join(import.meta.dirname, "..", "..", "fixtures", "cache");
const PACKAGES = "dash coreutils libc-bin selinux-utils policycoreutils".split(" ");
const ARGUMENTS =
	"console=tty0 console=ttyS0,115200 rd.emergency=poweroff panic=1 nowatchdog systemd.default_timeout_start_sec=600 sysctl.kernel.printk_ratelimit=0 selinux=1 enforcing=1 security=selinux";

/** What the policy's maintainer script does; it leaves some modules off, and they are here. */
const COMPILE = `
modules=
for module in $(cat "/usr/share/selinux/$POLICY/.modules"); do
	modules="$modules -i/usr/share/selinux/$POLICY/$module.pp.bz2"
done
semodule -X 100 -n -s "$POLICY" $modules
`;

const REPORT = `#!/bin/sh
kill -s 55 1
echo
echo "OCI2ISO-SELINUX $(getenforce) $(tr -d '\\0' < /proc/1/attr/current) $(stat -c %C /usr/bin/true)"
echo OCI2ISO-BOOT-OK
exec systemctl poweroff -ff
`;

const UNITS = "etc/systemd/system";
const ROOT_UNIT = "label-live-root.service";
/** As docs/cli.md has it. */
const ROOT_LABEL = `[Unit]
DefaultDependencies=no
Before=systemd-journald.service systemd-sysctl.service systemd-modules-load.service
[Service]
Type=oneshot
ExecStart=/usr/bin/chcon -t root_t /
[Install]
WantedBy=sysinit.target
`;

/** A directory with what Debian's SELinux policy `name` needs, compiled as its maintainer script does; of the suite of a fixture's profile. */
export async function compiledPolicy(profile: string, name: string, work: string): Promise<string> {
	const { suite } = PROFILES[profile] ?? {};
	const cacheDir = join(CACHE, suite === undefined ? "apt" : `apt-${suite}`);
	const debs = await fetchClosure([...PACKAGES, `selinux-policy-${name}`], cacheDir, {
		closureFile: join(cacheDir, `closure-selinux-${name}.json`),
		suite,
		architecture: "amd64",
		refresh: false,
		log: (line) => process.stderr.write(`policy: ${line}\n`),
	});
	const tree = join(work, `policy-${profile}-${name}`);
	await materialise(mergedUsr(0), tree);
	const entries: Entry[] = [];
	for (const deb of debs) entries.push(...(await unpackDeb(deb, tree, [])));
	await applyModesAndTimes(entries, tree);
	for (const directory of ["dev", "proc", "tmp"]) mkdirSync(join(tree, directory), { recursive: true });
	await runInChroot(tree, COMPILE, { POLICY: name });
	writeFileSync(join(tree, "etc/selinux/config"), `SELINUX=enforcing\nSELINUXTYPE=${name}\n`);
	return tree;
}

/** The fixture with a compiled policy in it, which starts enforcing and says what SELinux does when it is up. */
export async function selinuxImage(
	profile: string,
	policyRoot: string,
	directory: string,
	{ labelsRoot }: { readonly labelsRoot: boolean },
): Promise<string> {
	const root = `root=live:CDLABEL=${LABEL} rd.live.image ${PROFILES[profile]?.overlayArguments}`;
	const entry = {
		name: "SELinux",
		linux: `/images/pxeboot/vmlinuz ${root} ${ARGUMENTS}`,
		initrd: "/images/pxeboot/initrd.img",
	};
	const members: TarMember[] = [
		{
			path: "usr/lib/bootc-image-builder/iso.yaml",
			content: Buffer.from(JSON.stringify({ label: LABEL, grub2: { timeout: 1, entries: [entry] } })),
		},
		{ path: "usr/libexec/oci2iso-report", content: Buffer.from(REPORT), mode: 0o755 },
	];
	if (labelsRoot)
		members.push(
			{ path: `${UNITS}/${ROOT_UNIT}`, content: Buffer.from(ROOT_LABEL) },
			{ path: `${UNITS}/sysinit.target.wants/${ROOT_UNIT}`, type: "symlink", linkTarget: `../${ROOT_UNIT}` },
		);
	const owners = ["--owner=0", "--group=0", "--numeric-owner", "--sort=name"];
	const archive = execFileSync("tar", ["-C", policyRoot, ...owners, "-cf", "-", "etc/selinux", "usr/sbin/getenforce"], {
		maxBuffer: 1 << 28,
	});
	return withExtraLayer(await debianFixture(profile), directory, async (append) => {
		for (const member of members) await append(tarMember(member));
		await append(archive);
	});
}
