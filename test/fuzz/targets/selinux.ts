import { Oci2isoError } from "../../../src/errors.ts";
import { labelImage } from "../../../src/selinux/label-image.ts";
import { Matcher } from "../../../src/selinux/matcher.ts";
import { PatternFault, parsePattern } from "../../../src/selinux/parse-pattern.ts";
import { Program } from "../../../src/selinux/program.ts";
import { SmallRoot } from "../../support/small-root.ts";
import { type FuzzTarget, utf8 } from "../engine/target.ts";

const BASE = "/etc/selinux/x/contexts/files/file_contexts";
/** A policy's files in one input, with a form feed between them, which their lines may have as well. */
const FILES = ["", ".homedirs", ".local", ".subs", ".subs_dist"];
const LIBRARIES = ["", "failed to simplify regex", "failed to simplify regex; regex of length %zu too long"];
const CODES = [
	"SELINUX_POLICY_INVALID",
	"SELINUX_POLICY_TOO_LARGE",
	"SELINUX_POLICY_TOO_SLOW",
	"SELINUX_POLICY_MISSING",
];

export const selinuxTargets: readonly FuzzTarget[] = [
	{
		name: "selinux-pattern",
		maxBytes: 300,
		dictionary: "(/.*)?~[^/]+~{2,}~{0,65535}~(?:~(?<n>~[[:alpha:]]~[[:^digit:]]~\\x{2f}~\\.~$~^~|~\\Q~*?~[]a-z]",
		seeds: () => utf8("/usr(/.*)?", "/var/lib/(a|b)[^/]{1,3}\\.so\\.[0-9]+", "/[[:alpha:]]\\x41\\d$|^/b*?"),
		run(input) {
			const text = input.toString("latin1");
			const program = new Program();
			try {
				if (!program.add(parsePattern(text), 0)) return false;
			} catch (error) {
				if (error instanceof PatternFault) return false;
				throw error;
			}
			const matcher = new Matcher(program);
			return ["/usr/lib/x", "/", "/a\n", `/${"a".repeat(200)}`, text].map((path) => matcher.matches(path).length);
		},
	},
	{
		name: "selinux-policy",
		dictionary:
			"SELINUX=enforcing~SELINUXTYPE=x~<<none>>~ -- ~ -d ~ -l ~\tu:r:t:s0~\n~\f~\r\n~/.*~(/.*)?~/a /b~#~\\~\0",
		seeds: () =>
			utf8(
				"SELINUX=enforcing\nSELINUXTYPE=x\n\f/.* u:r:all:s0\n/etc(/.*)?\t--\tu:r:etc:s0\n/run/.* <<none>>\n\f/home/[^/]+ -d u:r:h:s0\n\f/etc/a u:r:l:s0\n\f/etc /usr\n\f/b /etc\n",
				"SELINUXTYPE=x\r\n\f/a/b -l u:r:a:s0\n/a/.*\\.c u:r:b:s0\r\n\f\f\f# x\n/ /a\n",
			),
		async run(input) {
			const [config = "", ...texts] = input.toString("latin1").split("\f");
			const outcomes: unknown[] = [];
			for (const library of LIBRARIES) {
				const root = new SmallRoot().file("/etc/selinux/config", Buffer.from(config, "latin1"));
				root.file("/usr/lib/libselinux.so.1", library).file("/etc/a", "").symlink("/b\xff", "x").directory("/run/y");
				for (const [i, suffix] of FILES.entries())
					if (texts[i] !== undefined) root.file(BASE + suffix, Buffer.from(texts[i], "latin1"));
				const options = {
					choice: "policy",
					tree: root,
					kept: root.root,
					dropsLabels: false,
					fetch: async () => {},
				} as const;
				outcomes.push(
					await labelImage(options).catch((error: unknown) => {
						if (!(error instanceof Oci2isoError) || !CODES.includes(error.code)) throw error;
						return error.code;
					}),
				);
			}
			return outcomes;
		},
	},
];
