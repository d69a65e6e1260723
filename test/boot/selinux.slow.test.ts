import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { buildIso } from "../../src/index.ts";
import type { SelinuxChoice } from "../../src/selinux/choice.ts";
import { FIXTURE_NEEDS } from "../support/fixture.ts";
import { mediumFiles } from "../support/medium-files.ts";
import { bootIso, bootRequirements } from "../support/qemu.ts";
import { requires } from "../support/requires.ts";
import { compiledPolicy, selinuxImage } from "../support/selinux-image.ts";
import { isSlowWanted } from "../support/slow.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const TIMEOUT_MS = 900_000;
/** What Debian's policy denies a system whose initramfs has systemd, whoever made its labels: program, permission, class, type of the program's domain and of the object. */
const OF_DEBIAN = new Set([
	"systemd-gpt-aut read dir systemd_generator_t tmpfs_t",
	"systemd-modules use fd systemd_modules_load_t kernel_t",
	"systemd-sysctl use fd systemd_sysctl_t kernel_t",
	"systemd-tmpfile use fd systemd_tmpfiles_t kernel_t",
	"systemd-udevd search dir udev_t sysctl_fs_t",
	"systemd-udevd setrlimit process udev_t udev_t",
]);
/** The root of the overlay has the label of its upper directory, which was there before the policy. */
const isOfOverlayRoot = (denial: string): boolean => / search dir \S+ tmpfs_t$/.test(denial);

interface Boot {
	/** `getenforce`, then the types of init and of a program. */
	readonly said: readonly string[];
	/** How often each denial is on the console. */
	readonly denials: ReadonlyMap<string, number>;
}

describe.skipIf(
	!isSlowWanted("an enforcing system boots") ||
		(bootRequirements() ?? requires("root", "tar", "xorriso", ...FIXTURE_NEEDS)),
)("a live system that SELinux is enforcing in", () => {
	const work = temporaryDirectory("selinux-boot");
	let policy = "";
	beforeAll(async () => {
		policy = await compiledPolicy("debian", "default", work);
	}, TIMEOUT_MS);

	async function built(image: string, selinux: SelinuxChoice): Promise<string> {
		const output = join(work, `${selinux}.iso`);
		await buildIso({ image, output, selinux, level: 3, overwrite: true });
		return output;
	}

	async function booted(iso: string): Promise<Boot> {
		const log = await bootIso(iso, "BIOS from CD", { timeoutMs: TIMEOUT_MS });
		const denials = new Map<string, number>();
		for (const [, permission, rest = ""] of log.matchAll(/avc: +denied +\{ (.*?) \}(.*)/g)) {
			const [comm, scontext, tcontext, tclass] = ["comm", "scontext", "tcontext", "tclass"].map(
				(name) => new RegExp(` ${name}="?([^" \n]*)`).exec(rest)?.[1],
			);
			const name = [comm, permission, tclass, typeOf(scontext), typeOf(tcontext)].join(" ");
			denials.set(name, (denials.get(name) ?? 0) + 1);
		}
		const said = /\nOCI2ISO-SELINUX (.*)\n/.exec(log)?.[1]?.split(" ") ?? [];
		return { said: said.map((each) => (each.includes(":") ? typeOf(each) : each)), denials };
	}

	it(
		"has its labels from the policy: nothing is denied for want of one, which is otherwise so",
		async () => {
			const scratch = temporaryDirectory("selinux-boot-images");
			const plain = await selinuxImage("debian", policy, join(scratch, "plain"), { labelsRoot: false });
			const rooted = await selinuxImage("debian", policy, join(scratch, "rooted"), { labelsRoot: true });
			const unlabelled = await built(plain, "image");
			const off = await built(plain, "off");
			const squashfs = async (iso: string) => (await mediumFiles(iso)).get("LiveOS/squashfs.img");
			expect(await squashfs(off)).toEqual(await squashfs(unlabelled));
			const boots = {
				image: await booted(unlabelled),
				policy: await booted(await built(plain, "policy")),
				root: await booted(await built(rooted, "policy")),
			};
			process.stderr.write(sideBySide(boots));
			expect([...boots.root.denials.keys()].filter(isOfOverlayRoot)).toEqual([]);
			expect(boots.image.said).toEqual(["Enforcing", "kernel_t", "unlabeled_t"]);
			expect(boots.policy.said).toEqual(["Enforcing", "init_t", "bin_t"]);
			expect(boots.root.said).toEqual(["Enforcing", "init_t", "bin_t"]);
			const known = (denial: string): boolean => OF_DEBIAN.has(denial) || boots.image.denials.has(denial);
			expect([...boots.root.denials.keys()].filter((denial) => !known(denial))).toEqual([]);
			expect([...boots.policy.denials.keys()].filter((denial) => !known(denial) && !isOfOverlayRoot(denial))).toEqual(
				[],
			);
			expect([...boots.image.denials.keys()].filter((denial) => denial.includes("unlabeled_t"))).not.toEqual([]);
		},
		4 * TIMEOUT_MS,
	);
});

/** The third part of a context. */
function typeOf(context = ""): string {
	return context.split(":")[2] ?? "";
}

function sideBySide(boots: Readonly<Record<string, Boot>>): string {
	const names = Object.keys(boots);
	const all = [...new Set(Object.values(boots).flatMap(({ denials }) => [...denials.keys()]))].sort();
	const lines = all.map((denial) =>
		[...names.map((name) => String(boots[name]?.denials.get(denial) ?? 0).padStart(6)), denial].join(" "),
	);
	const said = names.map((name) => `${name}: ${boots[name]?.said.join(" ")}`);
	return [...said, `${names.map((name) => name.padStart(6)).join(" ")} denied`, ...lines, ""].join("\n");
}
