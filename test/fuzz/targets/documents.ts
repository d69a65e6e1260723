import { commandArguments, singleQuoted } from "../../../src/boot/grub/made/quoting.ts";
import { grubWords } from "../../../src/boot/grub/menu-words.ts";
import { lookupsIn } from "../../../src/boot/live-root/argument-lookup.ts";
import { followRoot } from "../../../src/boot/live-root/follow-root.ts";
import { udevLabel } from "../../../src/boot/live-root/live-medium.ts";
import { rootFormsIn } from "../../../src/boot/live-root/root-forms.ts";
import { parseIsoYaml } from "../../../src/contract/iso-yaml.ts";
import { parseOsRelease } from "../../../src/contract/os-release.ts";
import { substitute, variablesIn } from "../../../src/contract/template.ts";
import { parseYaml } from "../../../src/contract/yaml-node.ts";
import { Findings, Findings as VerifyFindings } from "../../../src/findings/findings.ts";
import { compileExcludes } from "../../../src/layers/excludes.ts";
import { compileXattrPattern } from "../../../src/layers/xattr-pattern.ts";
import { digestOf } from "../../../src/oci/digest.ts";
import { parseDockerReference } from "../../../src/oci/docker-reference.ts";
import { parseImageConfig } from "../../../src/oci/image-config.ts";
import { parseManifest, requireImage } from "../../../src/oci/manifest.ts";
import { parsePlatform } from "../../../src/oci/platform.ts";
import { parseReference } from "../../../src/oci/reference.ts";
import { findAuth, parseAuthFile } from "../../../src/oci/registry/auth-file.ts";
import { parseChallenges } from "../../../src/oci/registry/challenge.ts";
import { parseContentRange } from "../../../src/oci/registry/content-range.ts";
import { parseRegistriesConf } from "../../../src/oci/registry/registries-conf.ts";
import { parseStorageConf } from "../../../src/oci/storage/storage-conf.ts";
import { entriesOf } from "../../../src/oci/storage/tar-split.ts";
import { decodeEstargzFooter, tocPlaceOf } from "../../../src/oci/toc/locate-toc.ts";
import { parseToc } from "../../../src/oci/toc/toc-entries.ts";
import { TocFault } from "../../../src/oci/toc/toc-fault.ts";
import { readBootMenu } from "../../../src/verify/boot-menu.ts";
import { type FuzzTarget, utf8 } from "../engine/target.ts";

const DIGEST = digestOf(Buffer.from("x"));
const DESCRIPTOR = { mediaType: "application/vnd.oci.image.layer.v1.tar+gzip", digest: DIGEST, size: 5 };
const CONFIG = { ...DESCRIPTOR, mediaType: "application/vnd.oci.image.config.v1+json" };
const JSON_WORDS = `{~}~[~]~"~:~,~null~1e400~-0~__proto__~\\u0000~${DIGEST}`;

export const documentTargets: readonly FuzzTarget[] = [
	{
		name: "manifest",
		dictionary: `${JSON_WORDS}~"manifests":[]~"layers":null~"schemaVersion":2~"fsLayers":[]`,
		seeds: () =>
			utf8(
				JSON.stringify({ schemaVersion: 2, config: CONFIG, layers: [DESCRIPTOR, DESCRIPTOR] }),
				JSON.stringify({
					schemaVersion: 2,
					mediaType: "application/vnd.oci.image.index.v1+json",
					manifests: [{ ...DESCRIPTOR, platform: { os: "linux", architecture: "amd64", variant: "v3" } }],
				}),
				JSON.stringify({ schemaVersion: 1, fsLayers: [] }),
			),
		run(input) {
			const document = parseManifest(input, DIGEST, undefined);
			if (document.kind === "manifest") requireImage(document);
		},
	},
	{
		name: "image-config",
		dictionary: `${JSON_WORDS}~"rootfs"~"diff_ids"~2024-02-30T25:61:61Z~0001-01-01T00:00:00Z`,
		seeds: () =>
			utf8(
				JSON.stringify({
					created: "2024-01-02T03:04:05.123456789+01:00",
					architecture: "amd64",
					os: "linux",
					variant: "v2",
					config: { Labels: { a: "b" } },
					rootfs: { type: "layers", diff_ids: [DIGEST] },
				}),
			),
		run: (input) => parseImageConfig(input, DIGEST, 1),
	},
	{
		name: "reference",
		maxBytes: 600,
		dictionary:
			"docker://~containers-storage:[overlay@/s+/r:overlay.imagestore=/a,x]~oci:~oci-archive:~docker-archive:~dir:~@sha256:~:@1~localhost:5000~/",
		seeds: () =>
			utf8(
				"docker://registry.example:5000/a/b:tag",
				`quay.example/a@${DIGEST}`,
				"oci:dir:tag",
				"docker-archive:f:a/b:c",
				`containers-storage:[vfs@/s+/r]a/b:c@${DIGEST}@0123`,
				"linux/arm64/v8",
			),
		run(input) {
			const text = input.toString();
			for (const parse of [parseReference, parseDockerReference, parsePlatform]) {
				try {
					parse(text);
				} catch (error) {
					if ((error as { kind?: string }).kind !== "usage") throw error;
				}
			}
		},
	},
	{
		name: "storage-conf",
		dictionary: "[storage]~[storage.options]~driver=~graphroot=~additionalimagestores=[]~{append=true}~\n~'''~=",
		seeds: () =>
			utf8(
				'[storage]\ndriver = "overlay"\ngraphroot = "/s"\n[storage.options]\nadditionalimagestores = ["/a", {append=true}]\n',
			),
		run: (input) => parseStorageConf({ path: "storage.conf", text: input.toString() }),
	},
	{
		name: "tar-split",
		dictionary: `${JSON_WORDS}~"type":1~"type":2~"name":"a/b"~"name_raw":"ZP8="~"size":5~"payload":"AAAA"~\n`,
		seeds: () =>
			utf8(
				'{"type":2,"payload":"AAAA","position":0}\n{"type":1,"name":"etc/","payload":null,"position":1}\n',
				'{"type":1,"name_raw":"ZP8vZv4=","size":1,"payload":"IxAAAAAAAAA=","position":5}\n',
			),
		run: (input) => entriesOf(input.toString(), "tar-split"),
	},
	{
		name: "registries-conf",
		dictionary: `[[registry]]~[[registry.mirror]]~prefix~location~insecure = true~[aliases]~"~'''~=`,
		seeds: () =>
			utf8(
				'unqualified-search-registries = ["a.example"]\n[[registry]]\nprefix = "*.b.example"\nlocation = "c.example/x"\nblocked = false\n' +
					'[[registry.mirror]]\nlocation = "d.example"\ninsecure = true\npull-from-mirror = "digest-only"\n[aliases]\n"x" = "y.example/z"\n',
			),
		run: (input) => parseRegistriesConf([{ path: "registries.conf", text: input.toString() }]),
	},
	{
		name: "auth-file",
		dictionary: `${JSON_WORDS}~"auths"~"auth"~"credHelpers"~"credsStore"~dXNlcjpwYXNz`,
		seeds: () =>
			utf8(
				JSON.stringify({
					auths: { "a.example/b": { auth: "dXNlcjpwYXNz" }, "a.example": { identitytoken: "t" } },
					credHelpers: { "b.example": "helper" },
					credsStore: "store",
				}),
				JSON.stringify({ "a.example": { auth: "dXNlcjpwYXNz" } }),
			),
		run(input) {
			const text = input.toString();
			const legacy = input.byteLength % 2 === 1;
			const file = parseAuthFile(text, "auth.json", legacy);
			return [findAuth(file, "a.example", "b/c", "auth.json"), findAuth(file, "docker.io", "library/x", "auth.json")];
		},
	},
	{
		name: "http-headers",
		dictionary: 'Bearer ~Basic ~realm="~scope="~\\~,~bytes ~-~/~*',
		seeds: () =>
			utf8(
				'Bearer realm="https://a.example/token",service="a",scope="repository:x:pull", Basic realm="x\\"y"',
				"bytes 0-99/200",
			),
		run(input) {
			const text = input.toString("latin1");
			return [parseChallenges(text), parseContentRange(text)];
		},
	},
	{
		name: "iso-yaml",
		dictionary: "&a~*a~<<: ~- ~: ~|\n~>-\n~!!str ~!!binary ~{~}~[~]~---\n~...\n~? ~\t~%YAML 1.2\n",
		seeds: () =>
			utf8(
				'label: L-1\nkernel_args: [a, "b c"]\ngrub2:\n  default: 0\n  timeout: 5\n  entries:\n    - name: x\n      linux: "@kernel@ root=live:CDLABEL=$label quiet"\n      initrd: y\n',
				"a: &a {x: 1}\nb: {<<: *a, y: 2}\nc: [*a, *a]\n",
				"label: >-\n  folded\n  text\n? k\n: v\n",
			),
		run(input) {
			const source = input.toString();
			const found = parseIsoYaml(source, "iso.yaml", new Findings());
			parseYaml(source, "iso.yaml");
			const text = source.slice(0, 500);
			variablesIn(text);
			return [found, substitute(text, new Map([["label", "L"]]), 1 << 20), commandArguments(text), singleQuoted(text)];
		},
	},
	{
		name: "os-release",
		dictionary: `ID=~NAME=~"~'~\\~#~\n~export `,
		seeds: () => utf8('ID=debian\nNAME="Debian \\"GNU\\""\nVERSION_ID=\'12\'\n# c\nX=a"b"\'c\'#d\n'),
		run: (input) => parseOsRelease(input.toString()),
	},
	{
		name: "grub-script",
		dictionary: `menuentry ~{~}~linux ~initrd ~search --label ~if ~fi~$x~$\u007bx}~'~"~\\\n~;~chainloader `,
		seeds: () =>
			utf8(
				"function load_video {\n  insmod all_video\n}\nset timeout=5\nsearch --no-floppy --set=root -l 'L'\n" +
					'menuentry \'x\' --class a {\n  linux ($root)/k root=live:CDLABEL=L "quiet $a"\n  initrd /i\n}\nif [ "$x" = y ]; then\n  a\nfi\n',
			),
		run(input) {
			const text = input.toString("latin1");
			const words = grubWords(text);
			const medium = { label: "L", uuid: undefined, partitions: [], names: () => undefined };
			const followed = followRoot(words, undefined, medium);
			return [
				readBootMenu(text, "grub.cfg", new VerifyFindings()),
				followed,
				rootFormsIn(text),
				[...lookupsIn(text)],
				udevLabel(text),
			];
		},
	},
	{
		name: "excludes",
		maxBytes: 200,
		dictionary: "[[:alpha:]]~(~)~{1,3}~*~|~\\~[^~^~$",
		seeds: () => utf8("boot/efi/.*", "a{2,5}/(b|c)+", "[[:digit:]]*/x?"),
		run(input) {
			const isExcluded = compileExcludes([input.toString()]);
			return [isExcluded("boot/efi/x"), isExcluded("aaaaaaaaaaaaaaaaaaaa/bcbcbcbc"), isExcluded("12/x")];
		},
	},
	{
		name: "layer-toc",
		dictionary: `${JSON_WORDS}~"type":"chunk"~"offset":~"endOffset":~"chunkSize":~"innerOffset":~"xattrs":{}`,
		seeds() {
			const entries = [
				{ name: "d/", type: "dir", mode: 0o755, modtime: "2024-01-02T03:04:05Z", xattrs: { "user.a": "AAE=" } },
				{
					name: "d/f",
					type: "reg",
					size: 9,
					offset: 10,
					endOffset: 40,
					digest: DIGEST,
					chunkSize: 5,
					chunkDigest: DIGEST,
				},
				{ name: "d/f", type: "chunk", offset: 20, chunkOffset: 5, chunkSize: 4, chunkDigest: DIGEST },
				{ name: "d/h", type: "hardlink", linkName: "d/f" },
				{ name: "n", type: "char", devMajor: 1, devMinor: 3, uid: 1, gid: 2 },
			];
			const footer = Buffer.alloc(51);
			Buffer.from("1f8b0804000000000000", "hex").copy(footer);
			footer.write("1a0053471600", 10, "hex");
			footer.write("0000000000000064STARGZ", 16, "latin1");
			return [Buffer.from(JSON.stringify({ version: 1, entries })), footer, Buffer.from("100:200:300:1")];
		},
		run(input) {
			const { annotations, mediaType, digest } = {
				...DESCRIPTOR,
				annotations: {
					"io.github.containers.zstd-chunked.manifest-position": input.toString("latin1", 0, 80),
					"io.github.containers.zstd-chunked.manifest-checksum": DIGEST,
				},
			};
			for (const read of [
				() => parseToc(input, 1000),
				() => decodeEstargzFooter(input, 1000),
				() => tocPlaceOf({ annotations, size: 1000, mediaType, digest } as Parameters<typeof tocPlaceOf>[0]),
			]) {
				try {
					read();
				} catch (error) {
					// The layer is read as a whole then.
					if (!(error instanceof TocFault)) throw error;
				}
			}
		},
	},
	{
		name: "xattr-pattern",
		maxBytes: 300,
		dictionary: "*~?~[a-z]~[!~]~\\~user.~*a*a*a*a*a*a*a*",
		seeds: () => utf8("security.selinux", "user.*", "[st]*.?x[!a-f]\\*"),
		run(input) {
			const matches = compileXattrPattern(input.toString());
			return [matches("security.selinux"), matches("a".repeat(255)), matches("")];
		},
	},
];
