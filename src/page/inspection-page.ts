import { formatSize } from "../binary/format-size.ts";
import type { ImageInspection } from "../inspect/inspect.ts";
import { type BootFacts, bootPaths } from "./boot-paths.ts";
import { documentOf, facts, section, table, texts } from "./document.ts";
import { findingsList } from "./findings.ts";
import { html, type Markup } from "./markup.ts";

/** An inspection as a page of HTML that needs nothing but itself. Whatever the image says is text on it, and bounded. */
export function inspectionPage(inspection: ImageInspection): string {
	const { image, buildroot, contract, osRelease, label, kernel, initramfs, menu, efi, grubModules } = inspection;
	const { findings, read, notes, tools, isBootable } = inspection;
	const system = `${osRelease.name ?? osRelease.id ?? "no os-release"} ${osRelease.versionId ?? ""}`.trimEnd();
	const violations = contract.violations;
	const overview = facts([
		["Image", image.reference],
		["Manifest", image.manifestDigest],
		["Platform", image.platform],
		["Boot loaders from", buildroot && `${buildroot.reference} (${buildroot.manifestDigest})`],
		["System", system],
		["Label", label ?? "not known"],
		["Kernel", kernel === undefined ? "none" : `${kernel.path} (${kernel.architecture ?? "?"})`],
		[
			"Initramfs",
			initramfs === undefined
				? "none"
				: `${initramfs.path}, ${formatSize(initramfs.byteLength)}, ${initramfs.modules} modules`,
		],
		["EFI", efi === undefined ? "none" : `${efi.vendor}, ${efi.bootLoader}`],
		["BIOS", grubModules === undefined ? "none" : `${grubModules.path}, ${grubModules.files} files`],
		[
			"Contract",
			contract.isMet ? `${contract.version}: met` : `${contract.version}: not met in ${violations.length} points`,
		],
		[
			"Read",
			`${formatSize(read.blobBytes)} of ${formatSize(read.totalBytes)}, ${read.layersRead} of ${read.layers} layers`,
		],
	]);
	const boot: BootFacts = {
		bootLoader: efi?.bootLoader ?? "grub2",
		bootPaths: inspection.bootPaths,
		findings: [...violations, ...findings],
		kernel: kernel && (kernel.release ?? kernel.version),
		initramfs: initramfs?.segments.map(({ compression }) => compression).join(", "),
		menu: menu && `${menu.entries.length} entries, ${menu.timeoutSeconds} s`,
		rootFileSystem: inspection.rootFileSystem,
		signers:
			efi === undefined
				? []
				: [signedBy("shim", efi.shim), signedBy(efi.bootLoader === "grub2" ? "GRUB" : efi.bootLoader, efi.grub)],
	};
	return documentOf(`oci2iso inspect: ${image.reference}`, [
		html`<header><h1>${image.reference}</h1><p><span class="mark ${isBootable ? "ok" : "blocker"}">${isBootable ? "✓ builds and boots" : "✕ does not build or boot"}</span></p>${overview}</header>\n`,
		section("How it starts", [bootPaths(boot)]),
		section("Findings", [findingsList([...violations, ...findings])]),
		section("Choices that the image leaves open", [findingsList(contract.choices)]),
		section("Menu", [
			menu &&
				table(
					`${menu.timeoutSeconds} s${menu.isBuiltIn ? ", built in" : ""}`,
					[
						["entry", "text"],
						["kernel and arguments", "text"],
					],
					menu.entries.map(({ name, linux }, index) => [
						`${name}${index === (menu.defaultEntry ?? 0) ? " (default)" : ""}`,
						html`<code>${linux}</code>`,
					]),
				),
		]),
		section("Boot loaders", [efi && programs(efi)]),
		section("Tools in the image", [texts(tools.map(({ names, path }) => `${names[0] ?? ""}: ${path ?? "none"}`))]),
		section("Notes", [texts(notes)]),
	]);
}

type Efi = NonNullable<ImageInspection["efi"]>;

function programs({ shim, grub, mokManager }: Efi): Markup | undefined {
	return table(
		"Signatures and SBAT generations, by which revocations go",
		[
			["program", "text"],
			["signed by", "text"],
			["components", "text"],
		],
		[shim, grub, mokManager].map(({ path, signers, components }) => [
			path,
			html`${texts(signers.map(({ name, issuer, isValid }) => `${name} (${issuer})${isValid ? "" : ", not valid"}`)) ?? "nobody"}`,
			html`${texts(components.slice(1).map(({ component, generation, version }) => `${component} ${generation}, ${version}`))}`,
		]),
	);
}

function signedBy(name: string, { signers }: Efi["shim"]): string {
	const valid = signers.filter(({ isValid }) => isValid).slice(0, 4);
	return `${name}: ${valid.length === 0 ? "not signed" : `signed by ${valid.map((signer) => signer.name).join(", ")}`}`;
}
