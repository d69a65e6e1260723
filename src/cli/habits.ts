import { parseBoolean, parseSize } from "./values.ts";

// Options that people type by habit because other tools have them, said once: what each is here. An option of ours needs no row, not with one dash either
// (`-comp`, as mksquashfs and xorriso write theirs).

/** What another tool's option is here. */
export type Meaning =
	/** The same as an option of ours, with the value that was given, or always with this one. */
	| { readonly ours: string; readonly value?: string; readonly read?: (text: string) => Reading }
	/** Nothing to do: it is so anyway, with those values of which that is true; without `values` it takes none. */
	| { readonly already: true; readonly values?: RegExp; readonly otherwise?: string }
	/** There is no such thing: why, and what to do instead. */
	| { readonly none: string }
	/** A piece of `--platform`. */
	| { readonly platform: "os" | "architecture" | "variant" }
	/** A piece of `--output`. */
	| { readonly output: "directory" | "name" }
	/** The image is one of podman's, on this machine. */
	| { readonly storage: true }
	/** The image itself. */
	| { readonly image: true }
	/** Paths up to the next option, for `--exclude`. */
	| { readonly paths: true }
	/** The paths are regular expressions. */
	| { readonly patterns: true };

/** What a value is here, or why it is nothing. */
export type Reading = string | { readonly none: string };

export interface Habit {
	readonly tool: string;
	readonly options: readonly string[];
	readonly meaning: Meaning;
}

const BOOT_IMAGES =
	"the boot catalog, its images and the partition table are made: GRUB for BIOS, an EFI system partition for UEFI, both for CD and USB";
const VOLUME_FIELDS = "of the volume's fields only --label is open, the others are those of the reference converter";
const BUILT_IMAGE = "oci2iso reads an image that is built already: podman build makes one of a Containerfile";
const KERNEL_ARGUMENTS =
	"kernel arguments are kernel_args in the image's /usr/lib/image-builder/bootc/iso.yaml: put them there in the Containerfile";
const INSTALLER = "oci2iso makes live ISOs and no installers: an installer comes from the image";
const CUSTOMIZE =
	"the image says everything: iso.yaml has label, kernel_args and menu, users and files go into the Containerfile";
const NO_PUBLISHING = "oci2iso writes a file, or with -o - to another program";
const SQUASHFS_OWNERS = "owners and modes are the image's; --all-root gives all to user and group 0";
const NO_SIGNATURES =
	"signatures of images are not looked at: check them before (cosign verify), and name the image by its digest";
const STORED_IMAGE = "no image is copied: nothing is pushed, and its layers go into the ISO";

const same = (ours: string, read?: (text: string) => Reading): Meaning =>
	read === undefined ? { ours } : { ours, read };
const always = (ours: string, value?: string): Meaning => (value === undefined ? { ours } : { ours, value });
const none = (why: string): Meaning => ({ none: why });
/** It is so anyway, whatever its value is. */
const whatever: Meaning = { already: true, values: /^/ };
const already: Meaning = { already: true };

type Rows = readonly (readonly [options: string, meaning: Meaning])[];

const ROWS: Readonly<Record<string, Rows>> = {
	mksquashfs: [
		["-b", same("--block-size", blockSize)],
		["-Xcompression-level", same("--level")],
		["-Xhc", always("--level", "12")],
		["-Xbcj", same("--bcj", (text) => (text.includes(",") ? { none: "--bcj takes one filter" } : text))],
		["-Xdict-size", { already: true, values: /^100%$/, otherwise: "the dictionary is as large as --block-size" }],
		["-Xstrategy -Xwindow-size -Xalgorithm", none("of a compressor only --level can be chosen, and of xz --bcj")],
		["-processors", same("--jobs")],
		["-mem -mem-percent", whatever],
		["-mem-default -noappend -no-recovery -no-duplicates -no-sparse -nopad", already],
		["-one-file-system -one-file-system-x -exit-on-error -reproducible -xattrs -no-tailends", already],
		["-e", { paths: true }],
		["-regex", { patterns: true }],
		["-wildcards", none("--exclude takes regular expressions, as -regex -e does")],
		["-ef", none("there is no file of excludes: give --exclude for each pattern")],
		["-root-owned", always("--all-root")],
		["-tailends", always("--always-use-fragments")],
		["-no-xattrs", always("--drop-xattr", "*")],
		[
			"-xattrs-exclude -xattrs-include",
			none("--drop-xattr PATTERN takes a shell pattern for the attributes to leave out"),
		],
		["-mkfs-time -fstime", same("--source-date-epoch")],
		["-all-time -root-time", none("times are the image's; --source-date-epoch is for the stamps that are not")],
		["-force-uid -force-gid -root-mode -root-uid -root-gid -uid-gid-offset", none(SQUASHFS_OWNERS)],
		[
			"-noI -noD -noF -noX -noId -noInodeCompression -noDataCompression -noFragmentCompression",
			none("--comp none leaves everything uncompressed"),
		],
		["-no-compression", always("--comp", "none")],
		["-progress", already],
		["-no-progress", always("--progress", "plain")],
		["-info", none("--report FILE says what was made of what")],
		["-p -pf -pd", none("pseudo files are not made: they go into the Containerfile")],
		["-sort", none("contents are in the order of the layers, each once")],
		["-offset -align", none("the squashfs is in the ISO, where that puts it")],
		[
			"-no-hardlinks -not-reproducible -keep-as-directory -action",
			none("the root file system is the image's, and the same for the same image"),
		],
	],
	xorriso: [
		["-V -volid --volid --volume-id --volume_id --fslabel --iso-volume", same("--label")],
		["-outdev -dev", same("--output")],
		["-as", whatever],
		[
			"-r -R -rock -rational-rock -J -joliet -joliet-long -l -D -N -full-iso9660-filenames -allow-lowercase -allow-multidot -graft-points -pad -no-pad",
			already,
		],
		["-iso-level", whatever],
		[
			"-no-emul-boot -boot-info-table -eltorito-alt-boot -isohybrid-gpt-basdat -isohybrid-gpt-hfsplus -isohybrid-apm-hfsplus -boot-load-size -eltorito-boot -eltorito-catalog -eltorito-platform -efi-boot --efi-boot -efi-boot-part --efi-boot-part --efi-boot-image -isohybrid-mbr --grub2-mbr --grub2-boot-info -append_partition -appended_part_as_gpt -partition_offset -partition_cyl_align -boot_image --mbr-force-bootable --protective-msdos-label --embedded-boot -G",
			none(BOOT_IMAGES),
		],
		["-A -appid -publisher -preparer -sysid -volset -abstract -biblio -copyright", none(VOLUME_FIELDS)],
		["--modification-date -volume_date", none("the ISO's dates are the image's; --source-date-epoch says otherwise")],
		[
			"-map -m -x --add --extra-file --extra-artifacts --overlay",
			none(
				"what is on the ISO comes from the image: its /usr/share/… is found there, other files go into the Containerfile",
			),
		],
		["-udf -hfs -hfsplus -apm-block-size", none("the file system is ISO 9660 with Rock Ridge and Joliet")],
		[
			"-z -md5 --md5 -jigdo-jigdo",
			none("the report (--report) has the media checksum; --checksum makes digests of the file"),
		],
	],
	skopeo: [
		["--src-tls-verify --registry-tls-verify", same("--tls-verify", boolean)],
		["--insecure --insecure-skip-tls-verify --plain-http", always("--tls-verify", "false")],
		["--src-creds", same("--creds")],
		["--src-authfile --auth-file", same("--authfile")],
		["--src-cert-dir", same("--cert-dir")],
		["--override-arch --arch --target-arch --architecture", { platform: "architecture" }],
		["--override-os --os", { platform: "os" }],
		["--override-variant --variant", { platform: "variant" }],
		["--retry", same("--retry-times")],
		[
			"--retry-delay",
			none(
				"pauses between tries start at half a second and double, or are what the registry asks for; --retry-times says how many",
			),
		],
		["--insecure-policy", already],
		["--policy --registries.d --sign-by --sign-by-sigstore --remove-signatures", none(NO_SIGNATURES)],
		[
			"--username --password --src-username --src-password --dest-username",
			none("--creds USER:PASSWORD, or --authfile for what other users of this machine should not see"),
		],
		["--src-no-creds --no-creds", none("--authfile with a file that holds {} has no credentials")],
		["--src-registry-token --registry-token", none("--authfile has tokens, as podman login writes them")],
		["--registries-conf", none("the variable CONTAINERS_REGISTRIES_CONF names another registries.conf")],
		["--tmpdir", none("the variable TMPDIR names the directory")],
		[
			"--command-timeout --src-shared-blob-dir --raw --no-tags",
			none("an image is read whole; oci2iso inspect --json says what is in it"),
		],
		["--all --multi-arch", none("an ISO is for one architecture: --platform says which")],
		[
			"--dest-creds --dest-tls-verify --dest-authfile --dest-cert-dir --dest-compress --dest-compress-format --dest-compress-level --digestfile",
			none(STORED_IMAGE),
		],
		["--debug", always("--verbose")],
		["-v", always("--verbose")],
		["--log-level", none("--verbose prints the causes of errors, --progress says how progress is shown")],
	],
	podman: [
		[
			"--pull",
			{
				already: true,
				values: /^(always|newer|missing|true|)$/,
				otherwise: "name an image that is here: oci:DIR, oci-archive:FILE",
			},
		],
		[
			"--decryption-key",
			none("encrypted layers are not read: skopeo copy --decryption-key makes an image without encryption"),
		],
		["--file --build-arg --build-context --target --secret --ssh --squash --layers --from -t --tag", none(BUILT_IMAGE)],
		["--format", none("--json prints everything that inspect and verify found, and --report of build writes it")],
		["--compression-format --compression --compressor --compress --compression-type", same("--comp")],
		["--compression-level", same("--level")],
		[
			"--rm --privileged --security-opt --volume --network --cap-add --userns -it -i",
			none("oci2iso runs no container and needs no rights"),
		],
		[
			"--root --runroot --storage-driver --storage-opt",
			none("the variable CONTAINERS_STORAGE_CONF names another storage"),
		],
	],
	"image-builder": [
		[
			"--type --image-type",
			{
				already: true,
				values: /^(iso|live|live-iso|bootc-generic-iso|generic-iso)$/,
				otherwise: "oci2iso makes live ISOs, image-builder's bootc-generic-iso, and nothing else",
			},
		],
		["--bootc-ref --image --image-ref", { image: true }],
		["--bootc-build-ref --build-container", same("--buildroot")],
		["--bootc-installer-payload-ref --payload-ref --installer-payload-ref", same("--payload")],
		["--ks --kickstart", none(INSTALLER)],
		["--output-dir --target-dir", { output: "directory" }],
		["--output-name", { output: "name" }],
		["--bootc-default-fs", { already: true, values: /^squashfs$/, otherwise: "--rootfs is squashfs or erofs" }],
		["--erofs", none("--rootfs erofs makes it one")],
		["--squashfs-only", none("the root file system of the ISO is a squashfs where --rootfs does not say erofs")],
		["--config --blueprint --customizations", none(CUSTOMIZE)],
		["--local", { storage: true }],
		[
			"--with-provenance --provenance --attest",
			none("--report FILE has layers, digests and choices, --sbom what is on the ISO"),
		],
		["--with-sbom", always("--sbom", "spdx")],
		["--with-manifest --export-manifest", none("--print-plan prints what decides every byte")],
		[
			"--with-buildlog --with-metrics --metadata-file --iidfile",
			none("--report FILE has layers, choices, sizes and times"),
		],
		[
			"--in-vm --use-librepo --experimental --force-repo --extra-repo --registrations --seed --distro --data-dir",
			none("nothing of the image is run and no package is installed: the image is what goes onto the ISO"),
		],
		["--chown", none("the ISO belongs to who runs oci2iso, which needs no root")],
		["--store --osbuild-store", none("--cache DIR is where compressed blocks are kept")],
		["--aws-ami-name --aws-bucket --aws-region --upload --upload-to --push --load", none(NO_PUBLISHING)],
	],
	"coreos-installer": [
		[
			"--kargs --karg --append-karg --delete-karg --live-karg-append --live-karg-delete --dest-karg-append --kernel-args --kernel-append --cmdline --append --bootappend-live --kernelcmdline --extra-kargs",
			none(KERNEL_ARGUMENTS),
		],
		[
			"--ignition-file --live-ignition --dest-ignition --dest-device --pre-install --post-install --installer-config",
			none(INSTALLER),
		],
		[
			"--pxe --netboot --rootless-pxe",
			none("-o pxe:DIR writes kernel, initramfs, root file system and menus for network boot"),
		],
		["--minimal", none("an ISO has its root file system in it; -o pxe:DIR writes files for network boot")],
	],
	kiwi: [
		[
			"--description --set-container-from --set-container-derived-from --allow-existing-root --add-repo --set-repo --profile",
			none(BUILT_IMAGE),
		],
		["--signing-key --sign", none("oci2iso signs nothing: shim, GRUB and kernel have their signatures from the image")],
		["--selinux-label", none("SELinux labels are those of the image's own policy: --selinux policy")],
		["--no-selinux --disable-selinux", none("--selinux off leaves the labels out")],
	],
	others: [
		["-j --threads --parallel --processors --cpus", same("--jobs")],
		["--block-bytes --blocksize --squashfs-block-size", same("--block-size")],
		["--exclude-from --ignorefile", none("there is no file of excludes: give --exclude for each pattern")],
		[
			"-f",
			none(
				"--overwrite replaces an existing output, --force builds what would not boot; a Containerfile is podman build's",
			),
		],
		["-c", none("neither a boot catalog nor a configuration is given: the one is made, and the image says the rest")],
		["--dry-run", none("oci2iso inspect says whether it builds and boots, --print-plan what decides every byte")],
		[
			"--yes --assumeyes -y --no-confirm --noconfirm",
			none("nothing is asked; --overwrite replaces an existing output"),
		],
		["--replace --clobber --allow-overwrite", always("--overwrite")],
		["--sha256 --sha256sum --checksum-file", always("--checksum", "sha256")],
		["--sha512 --sha512sum", always("--checksum", "sha512")],
		[
			"--secureboot --secure-boot",
			none("--require-secure-boot refuses what Secure Boot would refuse; the ISO always has shim where the image has"),
		],
		["--buildid --timestamp --epoch", same("--source-date-epoch")],
		["--out --outfile --output-file --iso --dest", same("--output")],
		["--silent", always("--quiet")],
		["--json-report --build-report", same("--report")],
		["--no-color --color", whatever],
	],
};

export const HABITS: readonly Habit[] = Object.entries(ROWS).flatMap(([tool, rows]) =>
	rows.map(([options, meaning]) => ({ tool, options: options.split(" "), meaning })),
);

/** What other tools write as values of options that have the same name here. */
export const VALUES: ReadonlyMap<string, (text: string) => Reading> = new Map([
	["--cache-from", (text: string) => buildkitReference(text)],
	["--cache-to", (text: string) => buildkitReference(text)],
	["--progress", (text: string) => PROGRESS.get(text) ?? text],
	[
		"--output",
		(text: string) => (/^type=\w+(,|$)/.test(text) ? { none: "--output takes the path of the ISO, or -" } : text),
	],
]);

/** BuildKit's and bootc-image-builder's words. */
const PROGRESS: ReadonlyMap<string, string> = new Map([
	["tty", "auto"],
	["term", "auto"],
	["verbose", "plain"],
	["debug", "plain"],
	["rawjson", "json"],
	["quiet", "none"],
]);

/** `type=registry,ref=R`, in which keys may be in any order and others beside them. */
function buildkitReference(text: string): Reading {
	if (!/^(type|ref|mode)=/.test(text)) return text;
	const keys = new Map(text.split(",").map((part) => [part.split("=", 1)[0], part.replace(/^[^=]*=/, "")]));
	const reference = keys.get("ref");
	if ((keys.get("type") ?? "registry") !== "registry" || reference === undefined)
		return { none: "the cache is shared through a registry: type=registry,ref=HOST/NAME:TAG, or the reference alone" };
	return reference;
}

/** xorriso's `-b` is a boot image. */
function blockSize(text: string): Reading {
	try {
		parseSize(text);
		return text;
	} catch {
		return { none: `-b is mksquashfs's, a block size such as 128K; ${BOOT_IMAGES}` };
	}
}

function boolean(text: string): Reading {
	try {
		return `${parseBoolean(text)}`;
	} catch {
		return text;
	}
}
