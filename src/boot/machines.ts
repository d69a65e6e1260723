/** One build of GRUB: `name` is that of the directory with its modules, which are ELF objects of the given class and machine. */
export interface GrubPlatform {
	readonly name: string;
	/** 1: 32 bits, 2: 64 bits. */
	readonly elfClass: 1 | 2;
	readonly elfMachine: number;
}

/** How distributions write an architecture in the names of packages. */
export interface PackageSpelling {
	readonly fedora: string;
	readonly debian: string;
	readonly suse: string;
}

/** A kind of computer that media are made for. */
export interface Machine {
	/** As `uname -m`, the ISO's label and `.discinfo` have it. */
	readonly name: string;
	/** As OCI images have it. */
	readonly ociArchitecture: string;
	/** Number in the headers of its EFI programs (Microsoft PE format, "Machine Types"). */
	readonly peMachine: number;
	/** Names of EFI programs. */
	readonly efi: {
		/** What firmware starts on a removable medium (UEFI 3.5.1.1). */
		readonly loader: string;
		readonly shim: string;
		readonly mokManager: string;
		/** What shim starts, whoever it is; in images, GRUB for installed systems, which is no help on a medium. */
		readonly grub: string;
		/** In images: GRUB's variant for media, which reads `grub.cfg` from its own directory. */
		readonly mediaGrub: string;
		/** In Debian's images: GRUB's variant that reads its files from where it came from over the network. */
		readonly netGrub: string;
		/** In images: systemd-boot. */
		readonly systemdBoot: string;
	};
	/** GRUB's builds; `bios` is undefined for machines without a BIOS. */
	readonly grub: { readonly efi: GrubPlatform; readonly bios: GrubPlatform | undefined };
	/** What its kernels are: x86's with a setup header, or Linux's `Image` on others, also packed with gzip or as an EFI program that unpacks it (zboot). */
	readonly kernelFormats: readonly ("bzImage" | "Image" | "Image.gz" | "zboot")[];
	readonly packages: PackageSpelling;
}

/** GRUB on a PC's BIOS, the one BIOS there is. */
export const PC_BIOS: GrubPlatform = { name: "i386-pc", elfClass: 1, elfMachine: 3 };

/** By OCI's names, also of machines that no media are made for yet: what is missing in their images can be named. */
const PACKAGES = {
	amd64: { fedora: "x64", debian: "amd64", suse: "x86_64" },
	arm64: { fedora: "aa64", debian: "arm64", suse: "arm64" },
} as const;

const X64: Machine = {
	name: "x86_64",
	ociArchitecture: "amd64",
	peMachine: 0x8664,
	efi: efiNames("x64"),
	grub: { efi: { name: "x86_64-efi", elfClass: 2, elfMachine: 62 }, bios: PC_BIOS },
	kernelFormats: ["bzImage"],
	packages: PACKAGES.amd64,
};

const AARCH64: Machine = {
	name: "aarch64",
	ociArchitecture: "arm64",
	peMachine: 0xaa64,
	efi: efiNames("aa64"),
	grub: { efi: { name: "arm64-efi", elfClass: 2, elfMachine: 183 }, bios: undefined },
	kernelFormats: ["Image", "Image.gz", "zboot"],
	packages: PACKAGES.arm64,
};

/** Every machine that media are made for; the first is taken where nothing says which. */
export const MACHINES: readonly [Machine, ...Machine[]] = [X64, AARCH64];

/** The machine of an image, by OCI's name of it; undefined where media cannot be made for it. */
export function machineOfImage(ociArchitecture: string): Machine | undefined {
	return MACHINES.find((machine) => machine.ociArchitecture === ociArchitecture);
}

/** The machine of an EFI program. */
export function machineOfProgram(peMachine: number): Machine | undefined {
	return MACHINES.find((machine) => machine.peMachine === peMachine);
}

export function packageSpelling(ociArchitecture: string): PackageSpelling {
	return Object.hasOwn(PACKAGES, ociArchitecture)
		? PACKAGES[ociArchitecture as keyof typeof PACKAGES]
		: MACHINES[0].packages;
}

function efiNames(suffix: string): Machine["efi"] {
	return {
		loader: `BOOT${suffix.toUpperCase()}.EFI`,
		shim: `shim${suffix}.efi`,
		mokManager: `mm${suffix}.efi`,
		grub: `grub${suffix}.efi`,
		mediaGrub: `gcd${suffix}.efi`,
		netGrub: `grubnet${suffix}.efi`,
		systemdBoot: `systemd-boot${suffix}.efi`,
	};
}
