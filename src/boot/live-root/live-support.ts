import { type ArgumentLookup, lookupOf, lookupsIn } from "./argument-lookup.ts";
import { modulesNamedIn, neededModules } from "./barred-drivers.ts";
import { DEFAULT_ROOT_FORMS, type RootForm, rootFormsIn } from "./root-forms.ts";

/** An initramfs as far as the model of what it does looks at it. */
export interface InitramfsFiles {
	/** A regular file, symbolic links followed. */
	isFile(path: string): boolean;
	isExecutable(path: string): boolean;
	exists(path: string): boolean;
	/** Names in a directory; none where it is not there. */
	names(path: string): readonly string[];
	/** Content of a file that was kept. */
	text(path: string): string | undefined;
}

/** How an initramfs finds its root file system on a medium. */
export interface LiveSupport {
	/** dracut's dmsquash-live. */
	readonly dmsquashLive: DmsquashLive | undefined;
	/** The installer's own logic, `inst.stage2`. */
	readonly anaconda: boolean;
	readonly liveBoot: boolean;
	readonly casper: boolean;
	/** dracut's iso-scan: the medium may be a file on a disk (`iso-scan/filename`). */
	readonly isoScan: boolean;
	/** live-boot or casper take only a medium that has the initramfs's UUID. */
	readonly wantsUuid: boolean;
	/** dracut's version as it says it, `059-4`. */
	readonly dracut: string | undefined;
	/** Lines of arguments that the initramfs puts before the kernel's. */
	readonly ownLines: readonly string[];
	/** Modules on the way to the root, each with the driver that needs it. */
	readonly neededModules: ReadonlyMap<string, string>;
	isFile(path: string): boolean;
}

/** What the initramfs's dmsquash-live takes, as its own scripts say it. */
export interface DmsquashLive {
	/** Text of dmsquash-live-root; "" where it is no script. */
	readonly script: string;
	/** dracut's release number; undefined where nothing says it. */
	readonly version: number | undefined;
	readonly rootForms: readonly RootForm[];
	/** dracut's livenet: a root from the network. */
	readonly livenet: boolean;
	readonly asks: Readonly<Record<keyof typeof ASKED, ArgumentLookup>>;
	/** The line that it writes for the scripts after it where the squashfs needs an overlay. */
	readonly writtenArgument: string | undefined;
	readonly mediaCheck: MediaCheck;
	/** Modules that its scripts ask for by name; undefined where they are no scripts. */
	readonly namedModules: ReadonlySet<string> | undefined;
}

/** What `rd.live.check` comes to. */
type MediaCheck =
	| "checks"
	/** systemd's unit fails for lack of checkisomd5, and so does the boot. */
	| "fails"
	/** Nothing is there to start: the boot goes on unchecked. */
	| "skipped";

/** Variables of dmsquash-live-root, with what releases 050 to 112 ask for. */
const ASKED = {
	live_dir: lookupOf("rd.live.dir", "live_dir"),
	squash_image: lookupOf("rd.live.squashimg"),
	overlayfs: lookupOf("rd.live.overlay.overlayfs"),
	overlay: lookupOf("rd.live.overlay", "overlay"),
	overlay_no_user_confirm_prompt: lookupOf("rd.live.overlay.nouserconfirmprompt"),
	check: lookupOf("rd.live.check", "check"),
	"rd.live.image": lookupOf("rd.live.image", "liveimg"),
};

const ROOT_SCRIPTS = ["dmsquash-live-root", "dmsquash-live-root.sh"].flatMap((name) => [
	`/usr/sbin/${name}`,
	`/sbin/${name}`,
	`/usr/bin/${name}`,
]);
/** The second since dracut 107. */
export const DRACUT_HOOKS = ["/usr/lib/dracut/hooks", "/var/lib/dracut/hooks", "/lib/dracut/hooks"];
/** A kernel's own line has 2047. */
const MAX_OWN_CHARACTERS = 16 * 1024;
const PARSE_SCRIPT = "parse-dmsquash-live.sh";

/** Nothing else in the initramfs finds a live root. */
export function startsWithLiveBoot({ dmsquashLive, liveBoot }: LiveSupport): boolean {
	return liveBoot && dmsquashLive === undefined;
}

export function liveSupportOf(files: InitramfsFiles): LiveSupport {
	const has = (...paths: string[]): boolean => paths.some((path) => files.exists(path));
	const hooks = DRACUT_HOOKS.flatMap((directory) =>
		files.names(`${directory}/cmdline`).map((name) => `${directory}/cmdline/${name}`),
	);
	const release = files.text("/usr/lib/initrd-release") ?? "";
	const versionFile = files.names("/usr/lib/dracut").find((name) => /^dracut-\d/.test(name));
	const dracut = versionFile?.slice("dracut-".length) ?? /^DRACUT_VERSION="?([^"\n]{1,100})/m.exec(release)?.[1];
	const settings = files
		.names("/etc/cmdline.d")
		.filter((name) => name.endsWith(".conf"))
		.sort();
	const rootScript = ROOT_SCRIPTS.find((path) => files.exists(path));
	const parse = hooks.find((path) => path.endsWith(PARSE_SCRIPT));
	return {
		dmsquashLive: rootScript === undefined ? undefined : dmsquashLiveOf(files, rootScript, parse, dracut),
		anaconda:
			hooks.some((name) => name.includes("anaconda")) || has("/usr/lib/anaconda-lib.sh", "/lib/anaconda-lib.sh"),
		liveBoot: has("/usr/lib/live/boot", "/lib/live/boot", "/scripts/live"),
		casper: has("/scripts/casper"),
		isoScan: has("/usr/sbin/iso-scan", "/sbin/iso-scan") && hooks.some((path) => path.endsWith("parse-iso-scan.sh")),
		wantsUuid: has("/conf/uuid.conf"),
		dracut,
		ownLines: [...settings.map((name) => `/etc/cmdline.d/${name}`), "/etc/cmdline"]
			.map((path) => files.text(path) ?? "")
			.join("\n")
			.slice(0, MAX_OWN_CHARACTERS)
			.split("\n"),
		neededModules: neededModules(files),
		isFile: (path) => files.isFile(path),
	};
}

/** What is assumed of an initramfs that cannot be looked into. */
export const UNKNOWN_DMSQUASH_LIVE: DmsquashLive = {
	script: "",
	version: undefined,
	rootForms: DEFAULT_ROOT_FORMS,
	livenet: false,
	asks: ASKED,
	writtenArgument: undefined,
	mediaCheck: "checks",
	namedModules: undefined,
};

function dmsquashLiveOf(
	files: InitramfsFiles,
	rootScript: string,
	parse: string | undefined,
	dracut: string | undefined,
): DmsquashLive {
	const script = files.text(rootScript) ?? "";
	const parsing = (parse === undefined ? undefined : files.text(parse)) ?? "";
	const asked = new Map([...lookupsIn(parsing), ...lookupsIn(script)]);
	// A function in overlayfs-lib since 109: the value of rd.overlay, or else of rd.live.overlay.
	if (script.includes("overlay=$(get_rd_overlay)")) asked.set("overlay", lookupOf("rd.overlay", "rd.live.overlay"));
	const number = Number.parseInt(dracut ?? "", 10);
	const rootForms = rootFormsIn(parsing);
	return {
		script,
		version: Number.isNaN(number) ? undefined : number,
		rootForms: rootForms.length === 0 ? DEFAULT_ROOT_FORMS : rootForms,
		livenet: files.exists("/usr/sbin/livenetroot") || files.exists("/sbin/livenetroot"),
		asks: Object.fromEntries(
			Object.entries(ASKED).map(([name, usual]) => [name, asked.get(name) ?? usual]),
		) as DmsquashLive["asks"],
		writtenArgument: writtenArgumentIn(script),
		mediaCheck: mediaCheckOf(files),
		namedModules: script === "" ? undefined : modulesNamedIn(`${parsing}\n${script}`),
	};
}

/** `echo "NAME" > /etc/cmdline.d/...`, as dracut has it since 060, and distributions before. */
function writtenArgumentIn(script: string): string | undefined {
	const to = script.indexOf("> /etc/cmdline.d/");
	if (to < 0) return undefined;
	const line = script.slice(script.lastIndexOf("\n", to) + 1, to);
	const [, text] = line.split('"', 2);
	return text;
}

function mediaCheckOf(files: InitramfsFiles): MediaCheck {
	const tool = ["/usr/bin/checkisomd5", "/bin/checkisomd5", "/usr/sbin/checkisomd5"].some((path) =>
		files.isExecutable(path),
	);
	if (tool) return "checks";
	const unit = ["/etc/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"].some((directory) =>
		files.exists(`${directory}/checkisomd5@.service`),
	);
	// Without systemd the shell says 127 and with no unit systemctl says 5: only 1 ends the boot.
	return unit && files.exists("/usr/lib/systemd/systemd") ? "fails" : "skipped";
}
