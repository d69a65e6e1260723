import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, beforeEach, describe, expect, it } from "vitest";
import { fileDigest } from "../support/cache-build.ts";
import { COMPILED_MAIN } from "../support/compiled.ts";
import { HOST_GRUB } from "../support/contract-image.ts";
import { writeContractLayout } from "../support/contract-layout.ts";
import { requires } from "../support/requires.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

const noGrub = requires(HOST_GRUB) !== undefined;

const work = temporaryDirectory("outputs");
let image = "";
let reference = "";
let folder = "";
let round = 0;

interface Outcome {
	readonly status: number | null;
	readonly stdout: string;
	readonly stderr: string;
}

/** Runs a shell script in which `$O` is oci2iso, `$B` a build of the image, `$TMPDIR` an empty directory; the status is that of the last pipeline's first failure. */
function shell(script: string): Outcome {
	const O = `${process.execPath} ${COMPILED_MAIN}`;
	const B = `${O} build ${image} --force --tools builtin --no-cache --comp none --progress none`;
	const { status, stdout, stderr } = spawnSync("bash", ["-c", `set -o pipefail; ${script}`], {
		cwd: folder,
		env: { ...process.env, O, B, TMPDIR: join(folder, "tmp") },
		encoding: "utf8",
		maxBuffer: 256 * 2 ** 20,
	});
	expect(stderr).not.toMatch(/^ {4}at |node:internal/m);
	expect(readdirSync(join(folder, "tmp")).filter((name) => name.startsWith("oci2iso"))).toEqual([]);
	expect(readdirSync(folder).filter((name) => name.endsWith(".partial"))).toEqual([]);
	return { status, stdout, stderr };
}

const digestOf = (name: string) => fileDigest(join(folder, name));
const lines = (text: string) => text.trimEnd().split("\n");

describe.skipIf(noGrub)("outputs of the command line", () => {
	beforeAll(() => {
		image = writeContractLayout(join(work, "image"), []);
		folder = work;
		mkdirSync(join(folder, "tmp"));
		expect(shell("$B -o reference.iso")).toMatchObject({ status: 0 });
		reference = digestOf("reference.iso");
	});
	beforeEach(() => {
		folder = join(work, `${round++}`);
		mkdirSync(join(folder, "tmp"), { recursive: true });
	});

	it("writes to /dev/stdout as to standard output, and through a link", () => {
		expect(shell("$B -o /dev/stdout > a.iso; ln -s b.iso l; $B -o l; $B -o l --overwrite")).toMatchObject({
			status: 0,
		});
		expect([digestOf("a.iso"), digestOf("b.iso")]).toEqual([reference, reference]);
		expect(existsSync("/dev/x.iso")).toBe(false);
	});

	it.each([
		"-o x.iso --report x.iso",
		"-o x.iso --report ./x.iso",
		"-o x.iso --report X.ISO",
		"-o x.iso --report $PWD/tmp/../x.iso",
		"-o - --report /dev/stdout",
		"-o $(touch a; ln a b; echo a) --report b --overwrite",
		"-o $(touch a; ln -s a b; echo a) --report b --overwrite",
		"-o - --overwrite --report c > c",
		"-o x.iso --cache x.iso",
		"-o x --cache ./x/cache",
		"-o x.iso --checksum sha256 --report x.iso-CHECKSUM",
	])("refuses before anything is read: %s", (options) => {
		const { status, stderr } = shell(`$B ${options}`);
		expect([status, stderr]).toEqual([2, expect.stringContaining("OUTPUT_CONFLICT")]);
	});

	it("never replaces the image that it reads", () => {
		const { status, stderr } = shell(`$B -o ${image.replace(/^oci:|:[a-z]+$/g, "")}/index.json --overwrite`);
		expect([status, stderr]).toEqual([2, expect.stringContaining("OUTPUT_CONFLICT")]);
	});

	it("finds a report's place missing or taken before it builds", () => {
		const missing = shell("$B -o x.iso --report missing/r.json");
		expect([missing.status, existsSync(join(folder, "x.iso"))]).toEqual([6, false]);
		const taken = shell("echo precious > r.json; $B -o x.iso --report r.json");
		expect([taken.status, readFileSync(join(folder, "r.json"), "utf8")]).toEqual([6, "precious\n"]);
		expect(shell("$B -o x.iso --report r.json --overwrite").status).toBe(0);
		expect(JSON.parse(readFileSync(join(folder, "r.json"), "utf8"))).toMatchObject({ iso: { path: "x.iso" } });
		expect(shell("$B -o y.iso --report >(cat > piped.json); sleep 1").status).toBe(0);
		expect(JSON.parse(readFileSync(join(folder, "piped.json"), "utf8"))).toMatchObject({ iso: { path: "y.iso" } });
	});

	it("writes checksums that coreutils check, of one algorithm or several, for any name", () => {
		expect(shell("$B -o a.iso --checksum sha256 && sha256sum --strict -c a.iso-CHECKSUM")).toMatchObject({ status: 0 });
		const several = "--checksum sha512 --checksum blake2b --checksum sha256 --checksum sha512 --report r.json";
		const check = "cksum --strict -c b-CHECKSUM && b2sum -c b-CHECKSUM && sha512sum -c b-CHECKSUM";
		expect(shell(`mkdir d; $B -o d/b ${several} && cd d && ${check}`)).toMatchObject({
			status: 0,
			stdout: "b: OK\n".repeat(5),
		});
		const { iso } = JSON.parse(readFileSync(join(folder, "r.json"), "utf8"));
		const { sha256, sha512, blake2b } = iso.checksums;
		const written = [`SHA256 (b) = ${sha256}`, `SHA512 (b) = ${sha512}`, `BLAKE2b (b) = ${blake2b}`];
		expect(lines(readFileSync(join(folder, "d/b-CHECKSUM"), "utf8"))).toEqual(written);
		const odd = shell(
			"$B -o $'a\\nb\\\\' --checksum sha256 && sha256sum $'a\\nb\\\\' | cmp - $'a\\nb\\\\-CHECKSUM' && sha256sum -c *-CHECKSUM",
		);
		expect(odd).toMatchObject({ status: 0, stderr: "" });
	});

	it("leaves neither ISO nor checksums where one of them cannot be", () => {
		const taken = shell("echo precious > x.iso-CHECKSUM; $B -o x.iso --checksum sha256");
		expect([taken.status, taken.stderr]).toEqual([6, expect.stringContaining("OUTPUT_EXISTS")]);
		expect(readdirSync(folder).toSorted()).toEqual(["tmp", "x.iso-CHECKSUM"]);
		const nameless = shell("$B -o - --checksum sha256 | wc -c");
		expect(nameless).toMatchObject({ status: 2, stdout: "0\n", stderr: expect.stringContaining("--checksum") });
		expect(shell("$B -o x.iso --checksum sha256 --overwrite; sha256sum -c x.iso-CHECKSUM")).toMatchObject({
			status: 0,
		});
		expect(shell("$B -o y.iso --checksum md5").stderr).toMatch(/sha256, sha512, blake2b/);
	});

	it("writes one result to several places, the same to each", () => {
		const { status, stdout } = shell(
			"$B -o a.iso -o - -o b.iso -o pxe:new/ -o pxe:./two --report r.json --checksum sha256 > c.iso && cmp a.iso c.iso && cmp a.iso b.iso && diff -r new two && sha256sum -c *-CHECKSUM",
		);
		expect([status, stdout]).toEqual([0, "a.iso: OK\nb.iso: OK\n"]);
		expect(digestOf("b.iso")).toBe(reference);
		const { iso, pxe } = JSON.parse(readFileSync(join(folder, "r.json"), "utf8"));
		expect([iso.path, iso.furtherPaths]).toEqual(["a.iso", ["-", "b.iso"]]);
		const listed = (set: { files: { path: string }[] }) => set.files.map(({ path }) => path);
		expect(pxe.map(listed)).toEqual(
			Array(2).fill(expect.arrayContaining(["vmlinuz", "initrd.img", "EFI/BOOT/BOOTX64.EFI"])),
		);
		expect(listed(pxe[0]).slice(-5)).toEqual(Array(5).fill(expect.stringMatching(/(^|\/)(grub\.cfg|boot\.ipxe)$/)));
		expect(shell("$B -o pxe:page --report page.html").status).toBe(0);
		expect(readFileSync(join(folder, "page.html"), "utf8")).toContain("initrd.img");
		const alone = shell("$B -o pxe:alone && diff -r two alone && unsquashfs -s alone/rootfs.img && ls");
		expect([alone.status, alone.stderr]).toEqual([0, ""]);
	});

	it("gives no place its result where one of them cannot have it", () => {
		const taken = shell("mkdir set; echo precious > set/boot.ipxe; $B -o a.iso -o pxe:set -o pxe:other");
		const second = shell(
			"echo precious > d-CHECKSUM; $B -o c -o d --checksum sha256; r=$?; ls -A; rm d-CHECKSUM; exit $r",
		);
		expect([second.status, second.stdout]).toEqual([6, "d-CHECKSUM\nset\ntmp\n"]);
		expect([taken.status, taken.stderr]).toEqual([6, expect.stringContaining("set/boot.ipxe")]);
		expect(shell("find . -type f").stdout).toBe("./set/boot.ipxe\n");
		expect(existsSync(join(folder, "other"))).toBe(false);
		const live = shell("B=$(echo $B | sed s/--force//); $B -o a.iso -o pxe:net; r=$?; ls -A; exit $r");
		expect([live.status, live.stdout]).toEqual([3, "set\ntmp\n"]);
		for (const places of ["-o pxe: ", "-o s3://bucket/key", "-o oci:", "-o a.iso -o ./a.iso", "-o pxe:x -o pxe:./x"])
			expect([places, shell(`$B ${places}`).status]).toEqual([places, 2]);
	});

	it.each([
		"$O build --help",
		"$O inspect $I",
		"$O verify $R --json",
		"$O cache ls --cache tmp",
		"$B -o x.iso --report -",
		"$B -o -",
	])("ends in one line and with status 6 where standard output is full or gone: %s", (command) => {
		const text = command.replace("$I", image).replace("$R", join(work, "reference.iso"));
		const full = shell(`${text} > /dev/full`);
		expect([full.status, lines(full.stderr)]).toEqual([6, [expect.stringContaining("oci2iso: DISK_FULL")]]);
		const gone = shell(`${text} | true`);
		expect([gone.status, lines(gone.stderr)]).toEqual([6, [expect.stringContaining("oci2iso: OUTPUT_CLOSED")]]);
		expect(readdirSync(folder)).toEqual(["tmp"]);
	});

	it("says in one line that there is no room for its version", () => {
		const { status, stderr } = shell("$O --version > /dev/full");
		expect([status, lines(stderr)]).toEqual([6, [expect.stringContaining("oci2iso: DISK_FULL")]]);
	});

	it("does not write an ISO to a standard output that is closed", () => {
		const { status, stderr } = shell("$B -o - >&-");
		expect([status, lines(stderr)]).toEqual([6, [expect.stringContaining("oci2iso: OUTPUT_CLOSED: it is closed")]]);
		expect(readdirSync(folder)).toEqual(["tmp"]);
	});

	it.skipIf(requires("root", "mount"))(
		"gives neither the ISO nor the report a name where one of them has no room",
		() => {
			const small = (bytes: string, command: string) =>
				shell(`mkdir m; mount -t tmpfs -o size=${bytes} tmpfs m; ${command}; r=$?; ls m; umount m; rmdir m; exit $r`);
			for (const { status, stdout } of [
				shell("$B -o x.iso --report /dev/full"),
				small("64k", "$B -o x.iso --report m/r.json"),
				small("2m", "$B -o m/x.iso --report r.json"),
			]) {
				expect([status, stdout]).toEqual([6, ""]);
				expect(readdirSync(folder)).toEqual(["tmp"]);
			}
		},
	);

	it("builds on where nobody reads its progress", () => {
		for (const style of ["plain", "json"]) {
			const B = `$B --progress ${style} --overwrite -o x.iso`;
			expect(shell(`${B} 2> /dev/full`)).toMatchObject({ status: 0 });
			expect(shell(`${B} 2>&1 | head -n 1 > first`)).toMatchObject({ status: 0 });
			expect(digestOf("x.iso")).toBe(reference);
		}
	});

	it.skipIf(requires("root", "mount"))("says how much room standard output needs, and checks it", () => {
		const { status, stderr } = shell(
			"mkdir m; mount -t tmpfs -o size=2m tmpfs m; TMPDIR=$PWD/m $B -o - | wc -c; r=$?; ls m; umount m; exit $r",
		);
		expect([status, stderr]).toEqual([6, expect.stringMatching(/TEMPORARY_DIRECTORY_FULL: .*needs about \d+ MiB/)]);
		expect(shell("$B --progress plain -o - > x.iso").stderr).toMatch(/kept in .*\(TMPDIR\): about \d+ MiB/);
	});

	it.skipIf(requires("root", "setpriv"))("needs neither a home nor a name of its user", () => {
		expect(
			shell(
				`chmod 777 . tmp; chmod 755 ${work}; setpriv --reuid 12345 --regid 12345 --clear-groups env -u HOME -u XDG_CACHE_HOME \${B/--no-cache /} -o x.iso`,
			),
		).toMatchObject({ status: 0, stderr: "" });
	});

	it("says in one line that files are left that it may not open, also before it is loaded", () => {
		for (const limit of [22, 32]) {
			const { status, stderr } = shell(`ulimit -n ${limit}; $B -o x.iso`);
			expect([status, stderr]).toEqual([6, expect.stringMatching(/^oci2iso: TOO_MANY_OPEN_FILES: [^\n]*\n$/)]);
		}
	});

	it("calls usage errors by their code, in JSON where that was asked for", () => {
		for (const command of ["build", "build x --level q", "verify a b"]) {
			const { status, stderr } = shell(`$O ${command}`);
			expect([status, stderr]).toEqual([2, expect.stringMatching(/^oci2iso: [A-Z_]+: .*--help\n$/)]);
		}
		const { stderr } = shell("$O build x --nope --progress json");
		expect(JSON.parse(stderr)).toMatchObject({ type: "error", code: "UNKNOWN_OPTION", exitStatus: 2 });
	});
});
