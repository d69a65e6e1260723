import type { Machine } from "./machines.ts";

/** What a distribution's packages of EFI boot loaders install, where that is no vendor's directory. */
export interface LoaderPackages {
	/** For people. */
	readonly place: string;
	/** The vendor, where the image's own id says less. */
	readonly vendorOf: (id: string | undefined) => string;
	/** Paths by the names that the contract has, the best first. */
	readonly paths: Readonly<Record<string, readonly string[]>>;
}

/** In the order in which they count. */
export function loaderPackages(machine: Machine): readonly LoaderPackages[] {
	return [debian(machine), suse(machine), gentoo(machine), arch(machine), systemd(machine)];
}

/** Debian and Ubuntu: signed by their distribution, or else as built. */
function debian({ efi, grub }: Machine): LoaderPackages {
	const place = "/usr/lib/shim";
	const ofShim = (name: string): string[] =>
		[".signed", ".signed.latest", ".dualsigned", ""].map((suffix) => `${place}/${name}${suffix}`);
	const ofGrub = (name: string): string[] => [
		`/usr/lib/grub/${grub.efi.name}-signed/${name}.signed`,
		`/usr/lib/grub/${grub.efi.name}/monolithic/${name}`,
	];
	return {
		place,
		vendorOf: (id) => id ?? "debian",
		paths: {
			[efi.shim]: ofShim(efi.shim),
			[efi.mokManager]: ofShim(efi.mokManager),
			[efi.mediaGrub]: ofGrub(efi.mediaGrub),
			[efi.netGrub]: ofGrub(efi.netGrub),
			[efi.grub]: ofGrub(efi.grub),
		},
	};
}

/** openSUSE and SLE, with elemental and Kairos on them; one build of GRUB is for media and installed systems. */
function suse({ name, efi, grub }: Machine): LoaderPackages {
	const place = `/usr/share/efi/${name}`;
	const both = (file: string): string[] => [`${place}/${file}`, `/usr/lib64/efi/${file}`];
	const ofGrub = ["/usr/share/grub2", "/usr/lib/grub2"].map((path) => `${path}/${grub.efi.name}/grub.efi`);
	return {
		place,
		vendorOf: (id) => id?.split("-")[0] ?? "suse",
		paths: {
			[efi.shim]: both("shim.efi"),
			[efi.mokManager]: [...both("MokManager.efi"), `${place}/${efi.mokManager}`],
			[efi.mediaGrub]: [...both("grub.efi"), ...ofGrub],
		},
	};
}

/** Fedora's shim under the name that firmware looks for, and a GRUB with everything in it that the image's administrator signed. */
function gentoo({ efi, grub }: Machine): LoaderPackages {
	const place = "/usr/share/shim";
	const standalone = `/usr/lib/grub/grub-${grub.efi.name.replace(/-efi$/, "")}.efi`;
	return {
		place,
		vendorOf: (id) => id ?? "gentoo",
		paths: {
			[efi.shim]: [`${place}/${efi.loader}`, `${place}/${efi.shim}`],
			[efi.mokManager]: [`${place}/${efi.mokManager}`],
			[efi.mediaGrub]: [`${standalone}.signed`, standalone],
		},
	};
}

/** Has no GRUB beside it: that is made on each machine. */
function arch({ efi }: Machine): LoaderPackages {
	const place = "/usr/share/shim-signed";
	return {
		place,
		vendorOf: (id) => id ?? "arch",
		paths: { [efi.shim]: [`${place}/${efi.shim}`], [efi.mokManager]: [`${place}/${efi.mokManager}`] },
	};
}

/** The same on every distribution; Debian has a signed one beside it since 13. */
function systemd({ efi }: Machine): LoaderPackages {
	const place = "/usr/lib/systemd/boot/efi";
	const path = `${place}/${efi.systemdBoot}`;
	return { place, vendorOf: (id) => id ?? "systemd", paths: { [efi.systemdBoot]: [`${path}.signed`, path] } };
}
