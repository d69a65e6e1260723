import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { copyFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { requires } from "./requires.ts";

export const BOOT_PATHS = [
	"BIOS from CD",
	"BIOS from USB disk",
	"UEFI from CD",
	"UEFI from USB disk with Secure Boot",
] as const;
/** The last is for programs that nobody signed. */
export type BootPath = (typeof BOOT_PATHS)[number] | "UEFI from USB disk";

/** The fixture's last line on the serial console; on a line of its own, as the kernel command line may hold the word too. */
const BOOT_MARKER = /\nOCI2ISO-BOOT-OK\r*\n/;
const MARKER_MAX_CHARACTERS = 4096;

interface Firmware {
	readonly code: string;
	readonly variables: string;
}

/** QEMU's machine and its firmware; the variables of the second hold Microsoft's keys and leave Secure Boot switched on. */
interface GuestMachine {
	readonly command: string;
	readonly arguments: readonly string[];
	readonly plain: Firmware;
	readonly secureBoot: Firmware;
	readonly cd: (iso: string) => string[];
}

/** With Microsoft's keys, for machines of x86-64. */
export const MICROSOFT_VARIABLES = "/usr/share/OVMF/OVMF_VARS_4M.ms.fd";

const MACHINES = {
	x86_64: {
		command: "qemu-system-x86_64",
		arguments: ["-cpu", "max"],
		plain: firmware("/usr/share/OVMF", "OVMF_CODE_4M.fd", "OVMF_VARS_4M.fd"),
		secureBoot: firmware("/usr/share/OVMF", "OVMF_CODE_4M.secboot.fd", "OVMF_VARS_4M.ms.fd"),
		cd: (iso) => ["-drive", `file=${iso},format=raw,media=cdrom,index=2,readonly=on`],
	},
	aarch64: {
		command: "qemu-system-aarch64",
		arguments: ["-machine", "virt", "-cpu", "cortex-a57"],
		plain: firmware("/usr/share/AAVMF", "AAVMF_CODE.fd", "AAVMF_VARS.fd"),
		secureBoot: firmware("/usr/share/AAVMF", "AAVMF_CODE.ms.fd", "AAVMF_VARS.ms.fd"),
		cd: (iso) => [
			...["-drive", `file=${iso},format=raw,if=none,id=cd,media=cdrom,readonly=on`],
			...["-device", "virtio-scsi-pci", "-device", "scsi-cd,drive=cd,bootindex=1"],
		],
	},
} as const satisfies Record<string, GuestMachine>;
export type GuestArchitecture = keyof typeof MACHINES;

function firmware(directory: string, code: string, variables: string): Firmware {
	return { code: join(directory, code), variables: join(directory, variables) };
}

/** The firmware must be able to keep the guest away from its variables, or it would not enforce anything. */
const ENFORCEMENT = ["-machine", "q35,smm=on", "-global", "driver=cfi.pflash01,property=secure,value=on"];

/** Why this machine cannot boot an ISO in QEMU, or undefined. */
export function bootRequirements(architecture: GuestArchitecture = "x86_64"): string | undefined {
	const { command, plain, secureBoot } = MACHINES[architecture];
	const files = [plain, secureBoot].flatMap(({ code, variables }) => [code, variables]);
	const missing = files.find((path) => !existsSync(path));
	// `requires` reports a missing file as it does a missing command.
	return requires(command, "setpriv", ...(missing === undefined ? [] : [missing]));
}

export interface BootOptions {
	/** Default: x86_64. */
	readonly architecture?: GuestArchitecture | undefined;
	/** Default: ten minutes, which is ten times what software emulation needs on a slow machine. */
	readonly timeoutMs?: number;
	/** What to wait for on the console, at most 4096 characters long. */
	readonly until?: RegExp;
	readonly memoryMebibytes?: number;
	/** Of the firmware, in place of its own. */
	readonly variables?: Uint8Array | undefined;
	/** No more than this is read from the USB disk. Default: no limit. */
	readonly mediumBytesPerSecond?: number | undefined;
}

/**
 * Boots an ISO in QEMU under software emulation until the marker appears on its serial console, and gives the whole
 * console log as text. QEMU is always gone afterwards. Throws with the log when the machine stops or the time is over
 * before the marker. With OCI2ISO_SHOW_BOOT=1 the log is also shown while it grows.
 */
export async function bootIso(iso: string, path: BootPath, options: BootOptions = {}): Promise<string> {
	const { architecture = "x86_64", timeoutMs = 600_000, until = BOOT_MARKER, memoryMebibytes = 1536 } = options;
	const guest: GuestMachine = MACHINES[architecture];
	const scratch = await mkdtemp(join(tmpdir(), "oci2iso-boot-"));
	try {
		const machine = ["-accel", "tcg,thread=multi", "-m", String(memoryMebibytes), "-smp", "1", ...guest.arguments];
		const console = ["-nographic", "-serial", "stdio", "-monitor", "none", "-no-reboot", "-net", "none"];
		const { variables, mediumBytesPerSecond: bytesPerSecond } = options;
		const medium = await pathArguments(path, guest, { iso, scratch, variables, bytesPerSecond });
		return await watch([guest.command, ...machine, ...console, ...medium], until, timeoutMs, path);
	} finally {
		await rm(scratch, { recursive: true, force: true });
	}
}

/** How a guest starts from the network: iPXE of its network card, or its firmware, each by TFTP to begin with. */
export type NetworkPath = "BIOS and iPXE" | "UEFI with Secure Boot";

/** Boots from a directory that QEMU's own TFTP server has, as `bootIso` does; `bootFile` is what DHCP names. The host is 10.0.2.2. */
export async function bootFromNetwork(
	directory: string,
	bootFile: string,
	path: NetworkPath,
	{ timeoutMs = 600_000, until = BOOT_MARKER, memoryMebibytes = 2048 }: BootOptions = {},
): Promise<string> {
	const { command, arguments: processor, secureBoot } = MACHINES.x86_64;
	const scratch = await mkdtemp(join(tmpdir(), "oci2iso-boot-"));
	try {
		const machine = ["-accel", "tcg,thread=multi", "-m", String(memoryMebibytes), "-smp", "1", ...processor];
		const console = ["-nographic", "-serial", "stdio", "-monitor", "none", "-no-reboot"];
		const network = ["-netdev", `user,id=n,tftp=${directory},bootfile=${bootFile}`, "-boot", "n"];
		const card =
			path === "BIOS and iPXE"
				? ["-device", "virtio-net-pci,netdev=n"]
				: [
						...ENFORCEMENT,
						...(await flash(secureBoot, scratch, undefined)),
						"-device",
						"virtio-net-pci,netdev=n,romfile=",
					];
		return await watch([command, ...machine, ...console, ...network, ...card], until, timeoutMs, path);
	} finally {
		await rm(scratch, { recursive: true, force: true });
	}
}

async function pathArguments(
	path: BootPath,
	guest: GuestMachine,
	{
		iso,
		scratch,
		variables,
		bytesPerSecond,
	}: {
		readonly iso: string;
		readonly scratch: string;
		readonly variables: BootOptions["variables"];
		readonly bytesPerSecond: number | undefined;
	},
): Promise<string[]> {
	const throttle = bytesPerSecond === undefined ? "" : `,throttling.bps-read=${bytesPerSecond}`;
	const cd = guest.cd(iso);
	const isPc = guest === MACHINES.x86_64;
	const usb = [
		...["-drive", `file=${iso},format=raw,if=none,id=stick,readonly=on${throttle}`],
		...["-device", "nec-usb-xhci", "-device", "usb-storage,drive=stick,bootindex=1"],
	];
	switch (path) {
		case "BIOS from CD":
			return cd;
		case "BIOS from USB disk":
			return usb;
		case "UEFI from CD":
			return [...(isPc ? ["-machine", "q35"] : []), ...(await flash(guest.plain, scratch, variables)), ...cd];
		case "UEFI from USB disk":
			return [...(isPc ? ["-machine", "q35"] : []), ...(await flash(guest.plain, scratch, variables)), ...usb];
		case "UEFI from USB disk with Secure Boot": {
			return [...(isPc ? ENFORCEMENT : []), ...(await flash(guest.secureBoot, scratch, variables)), ...usb];
		}
	}
}

async function flash(firmware: Firmware, scratch: string, own: BootOptions["variables"]): Promise<string[]> {
	const variables = join(scratch, "variables.fd");
	if (own === undefined) await copyFile(firmware.variables, variables);
	else await writeFile(variables, own);
	return [
		...["-drive", `if=pflash,format=raw,unit=0,readonly=on,file=${firmware.code}`],
		...["-drive", `if=pflash,format=raw,unit=1,file=${variables}`],
	];
}

function watch(args: readonly string[], until: RegExp, timeoutMs: number, path: string): Promise<string> {
	const show = process.env["OCI2ISO_SHOW_BOOT"] === "1";
	return new Promise((resolve, reject) => {
		// A test runner that is killed takes its machine along.
		const command = ["--pdeathsig", "KILL", "--", ...args];
		const qemu = spawn("setpriv", command, { stdio: ["ignore", "pipe", "pipe"] });
		let log = "";
		const decoder = new TextDecoder();
		let reached = false;
		let timedOut = false;
		const stop = () => qemu.kill("SIGKILL");
		const timer = setTimeout(() => {
			timedOut = true;
			stop();
		}, timeoutMs);
		const take = (chunk: Buffer) => {
			if (show) process.stderr.write(chunk);
			const text = decoder.decode(chunk, { stream: true });
			log += text;
			reached ||= until.test(log.slice(-MARKER_MAX_CHARACTERS - text.length));
			if (reached) stop();
		};
		qemu.stdout.on("data", take);
		qemu.stderr.on("data", take);
		qemu.on("error", reject);
		qemu.on("close", (status, signal) => {
			clearTimeout(timer);
			const text = plainText(log);
			if (reached) return resolve(text);
			const end = timedOut
				? `gave no ${until} within ${timeoutMs / 1000} s`
				: `ended (${status ?? signal}) without ${until}`;
			reject(new Error(`${path}: the machine ${end}. Its console:\n${text}\n${path}: the machine ${end}.`));
		});
	});
}

/** Without the terminal control sequences of firmware, GRUB and systemd. */
function plainText(log: string): string {
	// biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences are what is removed
	return log.replace(/\x1b\[[0-9;?=]*[A-Za-z]|\x1b[()][A-Z0-9]|\x1bc/g, "").replaceAll("\r", "");
}
