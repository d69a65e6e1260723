import type { Contract, ContractOptions } from "../../../src/contract/contract.ts";
import { readContract } from "../../../src/contract/read-contract.ts";
import { Oci2isoError } from "../../../src/errors.ts";
import { moduleFile } from "../../support/grub-programs.ts";
import { SmallRoot } from "../../support/small-root.ts";
import { makeProgram } from "../../support/verify-programs.ts";
import { withSignatures } from "../../support/verify-signing.ts";

export const ISO_YAML = "/usr/lib/bootc-image-builder/iso.yaml";
export const NEW_ISO_YAML = "/usr/lib/image-builder/bootc/iso.yaml";

export const KINOITE_YAML = `label: Kinoite-Live
grub2:
  timeout: 10
  entries:
    - name: Kinoite Live ISO
      linux: /images/pxeboot/vmlinuz quiet rhgb root=live:CDLABEL=Kinoite-Live enforcing=0 rd.live.image
      initrd: /images/pxeboot/initrd.img
`;

/** An EFI program, with something in its certificate table or without one. */
export function efiProgram(isSigned: boolean, peMachine?: number): Buffer {
	const program = makeProgram({ ".text": Buffer.alloc(8) }, undefined, peMachine);
	return isSigned ? withSignatures(program, Buffer.alloc(104)) : program;
}

export function withGrub(image: SmallRoot): SmallRoot {
	for (const name of ["cdboot.img", "diskboot.img", "kernel.img", "lzma_decompress.img", "moddep.lst"])
		image.file(`/usr/lib/grub/i386-pc/${name}`, name);
	for (const name of ["biosdisk", "part_gpt", "iso9660", "normal"])
		image.file(`/usr/lib/grub/i386-pc/${name}.mod`, moduleFile(name, "i386-pc"));
	return image
		.file("/usr/lib/grub/i386-pc/boot_hybrid.img", Buffer.alloc(512, 1))
		.file("/usr/share/grub/unicode.pf2", "PFF2");
}

export function withVendor(image: SmallRoot, vendor: string): SmallRoot {
	for (const name of ["shimx64.efi", "mmx64.efi", "gcdx64.efi"])
		image.file(`/boot/efi/EFI/${vendor}/${name}`, efiProgram(true));
	return image;
}

export function withKernel(image: SmallRoot, version: string): SmallRoot {
	return image
		.file(`/usr/lib/modules/${version}/vmlinuz`, `kernel ${version}`)
		.file(`/usr/lib/modules/${version}/initramfs.img`, `initramfs ${version}`);
}

/** An image as the contract describes it, without iso.yaml. */
export function fedoraImage(): SmallRoot {
	const image = new SmallRoot()
		.symlink("/etc/os-release", "../usr/lib/os-release")
		.file("/usr/lib/os-release", 'NAME="Fedora Linux"\nID=fedora\nVERSION_ID=43\n')
		.directory("/usr/lib/efi/shim/16.1-2/EFI/BOOT")
		.directory("/usr/lib/efi/shim/16.1-2/EFI/fedora");
	return withGrub(withVendor(withKernel(image, "6.19.3-300.fc43.x86_64"), "fedora"));
}

/** Debian with its packages as they install themselves, and nothing made for the contract. */
export function debianImage(): SmallRoot {
	const image = new SmallRoot()
		.symlink("/etc/os-release", "../usr/lib/os-release")
		.file("/usr/lib/os-release", 'PRETTY_NAME="Debian GNU/Linux forky/sid"\nNAME="Debian GNU/Linux"\nID=debian\n')
		.directory("/usr/lib/modules/6.12.9-amd64/kernel")
		.file("/boot/vmlinuz-6.12.9-amd64", "kernel")
		.file("/boot/initrd.img-6.12.9-amd64", "initramfs")
		.file("/usr/lib/shim/shimx64.efi", efiProgram(false))
		.file("/usr/lib/shim/mmx64.efi", efiProgram(false))
		.file("/usr/lib/grub/x86_64-efi/monolithic/gcdx64.efi", efiProgram(false))
		.file("/usr/lib/shim/shimx64.efi.signed", efiProgram(true))
		.file("/usr/lib/shim/mmx64.efi.signed", efiProgram(true))
		.file("/usr/lib/grub/x86_64-efi-signed/gcdx64.efi.signed", efiProgram(true));
	return withGrub(image);
}

/** As the contract has it, for a machine without a BIOS. */
export function arm64Image(): SmallRoot {
	const image = new SmallRoot()
		.file("/usr/lib/os-release", 'NAME="Fedora Linux"\nID=fedora\nVERSION_ID=43\n')
		.file("/usr/share/grub/unicode.pf2", "PFF2");
	for (const name of ["shimaa64.efi", "mmaa64.efi", "gcdaa64.efi"])
		image.file(`/boot/efi/EFI/fedora/${name}`, efiProgram(true, 0xaa64));
	return withKernel(image, "6.19.3-300.fc43.aarch64");
}

export function contractOf(image: SmallRoot, options: Partial<ContractOptions> = {}): Promise<Contract> {
	return readContract(image, { architecture: "amd64", ...options });
}

/** The violations, as `CODE where`. */
export async function problemsOf(image: SmallRoot, options: Partial<ContractOptions> = {}): Promise<string[]> {
	return (await failureOf(image, options)).problems.map(({ code, where }) => `${code} ${where}`);
}

export async function failureOf(image: SmallRoot, options: Partial<ContractOptions> = {}): Promise<Oci2isoError> {
	try {
		await contractOf(image, options);
	} catch (error) {
		if (error instanceof Oci2isoError) return error;
		throw error;
	}
	throw new Error("the image meets the contract");
}

export function codesOf(contract: Contract): string[] {
	return contract.choices.map(({ code }) => code);
}
