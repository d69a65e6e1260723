import { ISO_PATHS } from "../iso-paths.ts";
import { type ArgumentLookup, type FoundArgument, InitramfsArguments } from "./argument-lookup.ts";
import { barredDrivers } from "./barred-drivers.ts";
import { deviceOfTag, escapedLabel } from "./device-names.ts";
import { deviceProblem, shorten } from "./device-problem.ts";
import type { FollowedRoot, RootProblem, RootRequest } from "./followed-root.ts";
import { grubCommandLine, kernelArguments } from "./kernel-command-line.ts";
import { type LiveMedium, pathOnMedium } from "./live-medium.ts";
import { type DmsquashLive, type LiveSupport, startsWithLiveBoot, UNKNOWN_DMSQUASH_LIVE } from "./live-support.ts";
import { startedInstead, stopsInInitramfs } from "./other-start.ts";
import { formOf } from "./root-forms.ts";

/**
 * Follows the words of a `linux` command (the kernel's path first) through the initramfs to the root file system: what dracut's
 * parse-dmsquash-live and dmsquash-live-root (releases 050 to 112), anaconda's stage2 logic, live-boot and casper do with them.
 * `support` is undefined where the initramfs cannot be looked into.
 */
export function followRoot(
	words: readonly string[],
	support: LiveSupport | undefined,
	medium: LiveMedium,
): FollowedRoot {
	const line = grubCommandLine(words);
	const args = InitramfsArguments.after(support?.ownLines ?? [], line.text);
	const live = support === undefined ? UNKNOWN_DMSQUASH_LIVE : support.dmsquashLive;
	const request = requestOf(args, live ?? UNKNOWN_DMSQUASH_LIVE, support);
	const way = new Way(args, live ?? UNKNOWN_DMSQUASH_LIVE, support, medium);
	if (line.lost.length > 0)
		way.problem("COMMAND_LINE_TOO_LONG", "has more arguments than a kernel's command line holds", {
			evidence: `GRUB leaves away ${line.lost.length} words, from ${shorten(line.lost[0] ?? "")} on`,
		});
	way.initramfsProgram();
	way.drivers();
	way.shell(request);
	way.otherStart();
	const isForDracut = request === "dmsquash-live" || request === "anaconda";
	if (isForDracut && support !== undefined && startsWithLiveBoot(support)) way.noLiveBoot();
	else if (request === "dmsquash-live") way.dmsquashLive();
	else if (request === "anaconda") way.anaconda();
	else if (request === "live-boot") way.liveBoot();
	else if (request === "casper") way.liveDirectory("casper");
	else if (request === "other")
		way.problem("MENU_NO_ROOT", "does not say where the root file system is", {
			evidence: `root=${args.value("root") ?? "(none)"}`,
		});
	return { request, device: way.device, image: way.image, problems: way.problems, notes: way.notes };
}

function requestOf(args: InitramfsArguments, live: DmsquashLive, support: LiveSupport | undefined): RootRequest {
	const root = args.value("root");
	const boot = args.value("boot");
	if (boot === "live" && support !== undefined && startsWithLiveBoot(support)) return "live-boot";
	const isInstaller = (args.value("inst.stage2") ?? args.value("inst.repo")) !== undefined;
	// The installer's hook runs after dmsquash-live's and puts its own root in place of it.
	if (isInstaller && (support?.anaconda === true || root === undefined)) return "anaconda";
	if (root !== undefined && (isLive(root) || args.isSet(live.asks["rd.live.image"]))) return "dmsquash-live";
	if (boot === "live" && support?.liveBoot !== false) return "live-boot";
	return boot === "casper" && support?.casper !== false ? "casper" : "other";
}

function isLive(root: string): boolean {
	return root === "live" || root.startsWith("live:");
}

const LIVE_IMAGE = /\.(squashfs|ext2|ext3|ext4|xfs|dir|jffs)$/;
const NETWORK = /^live:(https?|ftp|tftp|nfs4?|torrent):/;

/** Where /init leads in initramfs of dracut, mkinitcpio and systemd. */
const INITRAMFS_PROGRAMS = new Set([
	...["/sbin/init", "/usr/sbin/init", "/bin/init", "/usr/bin/init"],
	...["/lib/systemd/systemd", "/usr/lib/systemd/systemd"],
]);

class Way {
	readonly problems: RootProblem[] = [];
	readonly notes: string[] = [];
	device: string | undefined;
	image: string | undefined;
	/** The argument that is being followed. */
	#asking = "root";
	readonly #args: InitramfsArguments;
	readonly #live: DmsquashLive;
	readonly #support: LiveSupport | undefined;
	readonly #medium: LiveMedium;

	constructor(args: InitramfsArguments, live: DmsquashLive, support: LiveSupport | undefined, medium: LiveMedium) {
		this.#args = args;
		this.#live = live;
		this.#support = support;
		this.#medium = medium;
	}

	problem(
		code: RootProblem["code"],
		what: string,
		{ stops = true, ...details }: Pick<RootProblem, "evidence" | "argument"> & { readonly stops?: boolean },
	): undefined {
		this.problems.push({ code, what, argument: this.#asking, ...details, stops });
	}

	/** The kernel starts what `rdinit` names in place of /init, and mounts `root` itself where that is missing. */
	initramfsProgram(): undefined {
		const program = this.#args.value("rdinit");
		if (program === undefined || program === "" || program === "/init") return;
		const isMissing = this.#support !== undefined && !this.#support.isFile(program);
		if (!isMissing && INITRAMFS_PROGRAMS.has(program)) return;
		this.problem(
			"MENU_INITRAMFS_PROGRAM",
			isMissing ? "starts a program that the initramfs does not have" : "does not start the initramfs's own program",
			{ evidence: `rdinit=${shorten(program)}`, argument: "rdinit" },
		);
	}

	drivers(): void {
		const needed = this.#support?.neededModules ?? new Map();
		for (const { argument, driver, always } of barredDrivers(this.#args, needed, this.#live.namedModules))
			this.problem("DRIVER_BARRED", `keeps ${driver} from being started, which its root needs`, {
				evidence: `${argument}=${shorten([...this.#args.listed(argument)].join())}`,
				argument,
				stops: always,
			});
	}

	/** A shell in place of the root file system: dracut's `rd.break`, systemd's targets, initramfs-tools's `break` for live-boot and casper. */
	shell(request: RootRequest): undefined {
		const names = request === "live-boot" || request === "casper" ? ["break"] : ["rd.break", "rdbreak"];
		const argument =
			names.find((name) => this.#args.value(name) !== undefined) ?? stopsInInitramfs(this.#args.list)?.name;
		if (argument !== undefined)
			this.problem("MENU_BREAK", "stops in the initramfs and gives a shell", {
				evidence: argument,
				argument,
				stops: false,
			});
	}

	/** The root file system is mounted, and something else than the system in it is started. */
	otherStart(): undefined {
		const start = startedInstead(this.#args.list);
		if (start === undefined) return;
		const { name, value } = start.argument;
		this.problem("MENU_OTHER_START", `starts ${shorten(start.what)} in place of the system`, {
			evidence: shorten(value === undefined ? name : `${name}=${value}`),
			argument: name,
			stops: false,
		});
	}

	dmsquashLive(): undefined {
		const root = this.#args.value("root") ?? "";
		if (NETWORK.test(root) && (this.#live.livenet || this.#support === undefined))
			return this.problem("MENU_ROOT_NETWORK", "gets its root file system from the network, not from this medium", {
				evidence: shorten(`root=${root}`),
				stops: false,
			});
		this.#findDevice(root);
		this.#findImage();
		this.#checkOverlay();
		this.#checkMediaCheck();
	}

	/** anaconda's `hd:DEVICE[:PATH]`; what it does with others is not known here. */
	anaconda(): undefined {
		this.#asking = "inst.stage2";
		const stage2 = this.#args.value("inst.stage2") ?? this.#args.value("inst.repo") ?? "";
		const [kind = "", source = "", path = ""] = stage2.split(":");
		if (kind !== "hd")
			return this.problem("MENU_ROOT_DEVICE", `gets its root file system from ${stage2}`, {
				evidence: "inst.stage2=hd:LABEL= names the medium on every machine",
				stops: false,
			});
		const isPath = source.startsWith("/dev/");
		this.#waitFor(isPath ? source : (deviceOfTag(source) ?? `/dev/${source}`), source);
		this.#takeImage(`${path}/LiveOS/squashfs.img`, "inst.stage2");
		this.#checkMediaCheck();
	}

	/** initramfs-tools starts live-boot for `boot=live` only. */
	noLiveBoot(): undefined {
		const root = this.#args.value("root");
		this.problem("MENU_ROOT_UNKNOWN", "says where its root is in a way that the initramfs does not understand", {
			argument: "boot=live",
			evidence: `${root === undefined ? "" : `${shorten(`root=${root}`)}: `}its live-boot is started by boot=live`,
		});
	}

	/** live-boot's find_livefs and copy_live_to (9990-misc-helpers.sh, 9990-toram-todisk.sh). */
	liveBoot(): undefined {
		const of = (name: string): string | undefined => this.#args.value(name);
		const elsewhere = (argument: string, what: string): undefined =>
			this.problem("MENU_ROOT_DEVICE", what, {
				argument,
				evidence: shorten(`${argument}=${of(argument)}`),
				stops: false,
			});
		// Whoever starts the medium from a file says so; from a CD or stick there is no such file.
		const file = ["findiso", "fromiso", "isofrom"].find((name) => (of(name) ?? "") !== "");
		if (file !== undefined) elsewhere(file, "gets its root file system from an ISO that is a file on a disk");
		if (of("live-media") === "removable-usb")
			elsewhere("live-media", "looks for its root on USB disks only, which a CD is not");
		if (of("plainroot") !== undefined && of("root") !== undefined)
			return elsewhere("root", "has a root file system of the machine's, not of this medium");
		const hasUuid = this.#medium.names(".disk")?.some((name) => name.startsWith("live-uuid")) === true;
		const isUuidAsked = of("ignore_uuid") === undefined && (of("live-media") ?? "") === "";
		if (this.#support?.wantsUuid === true && isUuidAsked && !hasUuid)
			this.problem("MENU_LIVE_UUID", "looks for a medium that has the initramfs's own UUID", {
				argument: "ignore_uuid",
				evidence: "/conf/uuid.conf in the initramfs, and no /.disk/live-uuid on the medium",
			});
		this.liveDirectory("live");
		this.#checkCopying();
	}

	/** Of the whole medium, or of the file that is named. */
	#checkCopying(): undefined {
		const copied = this.#args.value("toram");
		if (copied === undefined || this.image === undefined) return;
		const slash = this.image.lastIndexOf("/");
		const [directory, name] = [this.image.slice(0, slash), this.image.slice(slash + 1)];
		if (copied !== "" && this.#medium.names(directory)?.includes(copied) !== true)
			return this.problem("MENU_LIVE_PATH", "copies a file to memory that the medium does not have", {
				argument: `toram=${name}`,
				evidence: shorten(`toram=${copied}`),
			});
		if (copied !== "" || pathOnMedium(this.#medium, ISO_PATHS.rootFs) === undefined) return;
		this.problem("MENU_COPIED_TWICE", "copies the root file system to memory under both of its names", {
			argument: `toram=${name}`,
			evidence: `toram: /${ISO_PATHS.rootFs} and /${this.image} are the same bytes of the medium, and two files in memory`,
			stops: false,
		});
	}

	/** live-boot's is_live_path, and casper's: images by the ends of their names, in one directory of any medium. */
	liveDirectory(usual: string): undefined {
		const fromNetwork = ["netboot", "fetch", "httpfs", "ftpfs", "iscsi", "url"].find((name) => this.#args.value(name));
		if (fromNetwork !== undefined)
			return this.problem("MENU_ROOT_NETWORK", "gets its root file system from the network, not from this medium", {
				evidence: shorten(`${fromNetwork}=${this.#args.value(fromNetwork)}`),
				stops: false,
			});
		const path = this.#args.value("live-media-path") ?? "";
		const directory = (path === "" ? usual : path)
			.split("/")
			.filter((part) => part !== "" && part !== ".")
			.join("/");
		const image = this.#medium.names(directory)?.find((name) => LIVE_IMAGE.test(name));
		if (image !== undefined) this.image = `${directory}/${image}`;
		else
			this.problem("MENU_LIVE_PATH", "looks for its root file system where the medium has none", {
				evidence: `no /${shorten(directory)}/*.squashfs on the medium, whose image is /LiveOS/squashfs.img`,
			});
	}

	/** parse-dmsquash-live.sh and parse-livenet.sh: which device is waited for. */
	#findDevice(root: string): undefined {
		const liveRoot = isLive(root) ? root : `live:${root}`;
		const bare = root.startsWith("live:") ? root.slice("live:".length) : root;
		const shown = shorten(`root=${root}`);
		const form = formOf(this.#live.rootForms, liveRoot);
		const unknown = (why: string): undefined =>
			this.problem("MENU_ROOT_UNKNOWN", "says where its root is in a way that the initramfs does not understand", {
				evidence: `${shown}: ${why}`,
			});
		switch (form) {
			case "tag":
				return this.#waitFor(deviceOfTag(bare) ?? bare, bare.slice(bare.indexOf("=") + 1));
			case "cdlabel": {
				const label = bare.replace(/^CDLABEL=/, "");
				return this.#waitFor(`/dev/disk/by-label/${escapedLabel(label)}`, label);
			}
			case "image-file":
			case "iso-file": {
				const isScanned = form === "iso-file" && this.#args.value("iso-scan/filename") !== undefined;
				if (isScanned || this.#support?.isFile(bare) === true) return;
				return unknown("no such file in the initramfs, where dmsquash-live looks for it");
			}
			case "device":
				return this.#waitFor(bare, bare);
			case "as-is":
				if (!bare.startsWith("/dev/")) return unknown("there is nothing in the initramfs that fetches it");
				if (root === liveRoot) return this.#waitFor(bare, bare);
				return this.problem(
					"MENU_ROOT_DEVICE",
					`looks for its root on ${shorten(bare)} without dmsquash-live, which takes devices as root=live:`,
					{
						evidence: `${shown}; another device on other machines`,
						stops: false,
					},
				);
			default:
				return unknown(`"Don't know how to handle 'root=${shorten(root)}'"`);
		}
	}

	/** `named` is how the arguments name the device. */
	#waitFor(device: string, named: string): undefined {
		this.device = device;
		const problem = deviceProblem(this.#medium, device, named);
		if (problem !== undefined) this.problem(problem.code, problem.what, problem);
	}

	/** dmsquash-live-root.sh: which image on the medium is mounted. */
	#findImage(): void {
		const asked = (lookup: ArgumentLookup, usual: string): FoundArgument => {
			const found = this.#args.find(lookup);
			return found === undefined || found.value === "" ? { name: "", value: usual, isDeprecated: false } : found;
		};
		const directory = asked(this.#live.asks.live_dir, "LiveOS");
		const image = asked(this.#live.asks.squash_image, "squashfs.img");
		this.#note(directory);
		const by = [directory, image].flatMap(({ name, value }) => (name === "" ? [] : [`${name}=${shorten(value)}`]));
		this.#takeImage(`${directory.value}/${image.value}`, by.join(" "));
	}

	#takeImage(path: string, by: string): void {
		this.image = pathOnMedium(this.#medium, path);
		if (this.image !== undefined) return;
		const shown = `/${path}`.replace(/\/{2,}/g, "/");
		this.problem("MENU_LIVE_PATH", "looks for its root file system where the medium has none", {
			evidence: `${by === "" ? "" : `${by}: `}no ${shorten(shown)} on the medium, whose image is /LiveOS/squashfs.img`,
		});
	}

	/**
	 * A squashfs that holds the root itself needs an overlay. dmsquash-live-root says so to the scripts after it, in a line that comes before the
	 * kernel's (since 060); releases 058 and 059 do only what the kernel's say.
	 */
	#checkOverlay(): void {
		const { version, writtenArgument, asks } = this.#live;
		const found = this.#args.find(asks.overlayfs);
		if (found !== undefined) this.#note(found);
		const writes = writtenArgument ?? (version === undefined || version >= 60 ? asks.overlayfs[0]?.name : undefined);
		const isObeyed = (version ?? 58) >= 58;
		const [written] = writes === undefined ? [] : kernelArguments(writes);
		if (isObeyed && !this.#args.isSet(asks.overlayfs, written)) {
			const name = asks.overlayfs[0]?.name ?? "rd.live.overlay.overlayfs";
			const what = found === undefined ? `lacks ${name}=1` : `turns the overlay off that its root needs`;
			const why = `dracut ${this.#support?.dracut ?? ""} overlays a squashfs that holds the root itself`;
			this.problem("OVERLAY_ARGUMENT_MISSING", what, {
				argument: `${name}=1`,
				evidence: found === undefined ? `${why} only with ${name}=1` : `${found.name}=${found.value}: ${why.trim()}`,
			});
		}
		const place = this.#overlayPlace();
		if (place !== undefined && !this.#args.isSet(asks.overlay_no_user_confirm_prompt))
			this.problem(
				"MENU_OVERLAY_DEVICE",
				`wants its changes on ${shorten(place.value)}: where that is not, it waits for Enter`,
				{
					evidence: `${place.name}: the medium has no such place`,
					argument: place.name,
					stops: false,
				},
			);
	}

	/** Where changes are asked to be kept; undefined where that is memory. */
	#overlayPlace(): FoundArgument | undefined {
		const names = this.#live.asks.overlay;
		for (const [index, name] of names.entries()) {
			const found = this.#args.find([name]);
			if (found === undefined) continue;
			if (index < names.length - 1 && ["0", "no", "off", "", "1"].includes(found.value)) continue;
			return found.value === "" || /^none$/i.test(found.value) ? undefined : found;
		}
		return undefined;
	}

	/** dmsquash-live-root.sh asks whether the argument is there, not what it says. */
	#checkMediaCheck(): void {
		const check = this.#args.find(this.#live.asks.check);
		if (check === undefined || this.#live.mediaCheck === "checks") return;
		const fails = this.#live.mediaCheck === "fails";
		this.problem(
			"MEDIA_CHECK_TOOL_MISSING",
			`asks for a check of the medium, for which the initramfs has no checkisomd5${fails ? ": the boot ends there" : ": none is made"}`,
			{ evidence: `${check.name}; no usr/bin/checkisomd5 in the initramfs`, stops: fails },
		);
	}

	#note({ name, isDeprecated }: FoundArgument): void {
		const lookup = Object.values(this.#live.asks).find((names) => names.some((asked) => asked.name === name));
		if (isDeprecated && lookup?.[0] !== undefined)
			this.notes.push(`dracut ${this.#support?.dracut ?? ""} calls ${name} deprecated in favour of ${lookup[0].name}`);
	}
}
