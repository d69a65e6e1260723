import { describe, expect, it } from "vitest";
import { LABEL_XATTR, type SelinuxChoice } from "../../../src/selinux/choice.ts";
import { labelImage } from "../../../src/selinux/label-image.ts";
import { readPolicy, readSelinuxConfig } from "../../../src/selinux/policy.ts";
import type { Inode } from "../../../src/tree/inode.ts";
import { SmallRoot } from "../../support/small-root.ts";

const FILES = "/etc/selinux/test/contexts/files/file_contexts";
/** What libselinux says in its versions. */
const LIBRARIES = {
	"before 3.8": "nothing",
	"3.8": "%s:  line %u failed to simplify regex %s",
	"3.9": "failed to simplify regex, regex of length %zu too long",
};

type Library = keyof typeof LIBRARIES;
interface Policy {
	readonly contexts?: string;
	readonly homedirs?: string;
	readonly local?: string;
	readonly subs?: string;
	readonly subsDist?: string;
	readonly library?: Library;
}

function policyRoot({ contexts = "", homedirs, local, subs, subsDist, library = "3.9" }: Policy): SmallRoot {
	const root = new SmallRoot()
		.file("/etc/selinux/config", " # x\nSELINUX=Enforcing\nselinuxtype=old\nSELINUXTYPE= test \t\n")
		.file("/usr/lib/x86_64-linux-gnu/libselinux.so.1", LIBRARIES[library])
		.file(FILES, contexts);
	const others = { ".homedirs": homedirs, ".local": local, ".subs": subs, ".subs_dist": subsDist };
	for (const [suffix, text] of Object.entries(others)) if (text !== undefined) root.file(FILES + suffix, text);
	return root;
}

async function labelOf(policy: Policy, path: string, type: Inode["type"] = "file"): Promise<string | undefined> {
	const root = policyRoot(policy);
	const read = await readPolicy(root, await readSelinuxConfig(root));
	expect(read).toMatchObject({ name: "test", library: policy.library ?? "3.9" });
	const found = read?.labelFor(path, type);
	return found === undefined ? undefined : (found.context ?? "<<none>>");
}

describe("a policy's label", () => {
	const every: readonly Library[] = ["before 3.8", "3.8", "3.9"];

	it.each(every)(
		"is that of the last line that matches, of the type, a literal path before patterns: %s",
		async (library) => {
			const contexts = "/a/x.y\t--\tliteral?\n/a/.* all\n/a/b -d directory\n/a/x\\.y literal\n/a/.*\\.y -- files\n";
			const of = (path: string, type?: Inode["type"]) => labelOf({ contexts, library }, path, type);
			expect(await of("/a/x.y")).toBe("literal");
			expect(await of("/a/z.y")).toBe("files");
			expect(await of("/a/z.y", "symlink")).toBe("all");
			expect(await of("/a/b", "directory")).toBe("directory");
			expect(await of("/a/b")).toBe("all");
			expect(await of("/ab")).toBeUndefined();
		},
	);

	it.each([
		["before 3.8", "late", "second", "dist"],
		["3.8", "<<none>>", "first", "first"],
		["3.9", "<<none>>", "second", "dist"],
	] as const)("is chosen as libselinux %s does", async (library, below, literal, substituted) => {
		expect(await labelOf({ contexts: "/a/b/.* <<none>>\n/a/.* late\n", library }, "/a/b/c")).toBe(below);
		expect(await labelOf({ contexts: "/a/b first\n", local: "/a/b second\n", library }, "/a/b")).toBe(literal);
		const subs = "/s /first\n/s /dist\n";
		const contexts = "/first/.* first\n/dist/.* dist\n";
		expect(await labelOf({ contexts, subs, library }, "/s/x")).toBe(substituted);
	});

	it.each(every)("is not that of a line whose directory is the path itself: %s", async (library) => {
		expect(await labelOf({ contexts: "/a/? x\n", library }, "/a")).toBeUndefined();
		expect(await labelOf({ contexts: "/a(/.*)? x\n", library }, "/a")).toBe("x");
	});

	it("goes by .homedirs and .local after the others, and by both substitutions", async () => {
		const policy: Policy = {
			contexts: "/home/.* a\n/usr/.* usr\n",
			homedirs: "/home/[^/]+/.* b\n",
			local: "/home/x/z.* c\n",
			subs: "# x\n /srv/u  /opt/u  y\n",
			subsDist: "/opt /usr\n/root /\n",
		};
		expect(await labelOf(policy, "/home/x/y")).toBe("b");
		expect(await labelOf(policy, "/home/x/z1")).toBe("c");
		expect(await labelOf(policy, "/srv/u/x")).toBe("usr");
		expect(await labelOf(policy, "/srv/ux")).toBeUndefined();
		expect(await labelOf(policy, "/root/usr/x")).toBe("usr");
	});

	it.each([
		["/a -x b", "is not a type of file"],
		["/a", "has no context"],
		["/a\xe4 b", "other characters than those of ASCII"],
		["/(?=a) b", "the pattern /(?=a) cannot be followed"],
		["/a$.* b", 'it goes on behind "$"'],
		[`/${"a".repeat(5000)} b`, "it is too long"],
	])("ends in an error that names the line: %s", async (line, what) => {
		const labels = labelOf({ contexts: `# x\n\n${Buffer.from(line, "latin1").toString("latin1")}\n` }, "/a");
		await expect(labels).rejects.toThrow(what);
		await expect(labels).rejects.toMatchObject({ code: "SELINUX_POLICY_INVALID", where: `${FILES}:3` });
	});
});

describe("the configuration", () => {
	/** What `selinux_getenforcemode` and `selinux_policy_root` of libselinux 3.4 say. */
	it.each([
		["SELINUX=enforcing\r\nSELINUXTYPE=x\r\n", "enforcing", "x"],
		["SELINUX= Enforcing \n", "enforcing", "targeted"],
		['SELINUX="enforcing"\nSELINUXTYPE="x"', undefined, '"x"'],
		["selinux=enforcing\nselinuxtype=x y # z\n", undefined, "x y # z"],
		[" SELINUX=permissive\n\tSELINUXTYPE=x\n", undefined, "x"],
		["SELINUX=enforcing-x\n", "enforcing", "targeted"],
		["SELINUX=bogus\nSELINUX=permissive\nSELINUX=enforcing\n", "permissive", "targeted"],
		["SELINUXTYPE=a\nSELINUXTYPE=b\0c\n", undefined, "b"],
		["SELINUXTYPE=a\nSELINUXTYPE=\n", undefined, ""],
		["SELINUX =enforcing\nSELINUXTYPE =x\n", undefined, "targeted"],
	])("%j is read as libselinux reads it", async (text, mode, type) => {
		const root = new SmallRoot()
			.file("/etc/sysconfig/selinux", text)
			.symlink("/etc/selinux/config", "../sysconfig/selinux");
		expect(await readSelinuxConfig(root)).toEqual({ mode, type });
	});
});

describe("labelling", () => {
	const contexts = "/.* all\n/none(/.*)? <<none>>\n/z/.* late\n/etc/.* etc\n";

	async function labelled(root: SmallRoot, choice: SelinuxChoice | undefined, dropsLabels = false) {
		const outcome = await labelImage({ choice, tree: root, kept: root.root, dropsLabels, fetch: async () => {} });
		const of = (path: string): string | undefined => {
			const value = root.lookup(path, { followLast: false })?.inode.xattrs.get(LABEL_XATTR);
			return value === undefined ? undefined : Buffer.from(value).toString("latin1");
		};
		return { ...outcome, of };
	}

	it("gives each inode its label with a NUL, the root too, and counts what has none", async () => {
		const root = policyRoot({ contexts }).file("/none/x", "").symlink("/link", "x");
		const { labels, notes, of } = await labelled(root, undefined);
		expect(["/etc/selinux/config", "/link", "/none", "/none/x", "/"].map(of)).toEqual([
			"etc\0",
			"all\0",
			undefined,
			undefined,
			"all\0",
		]);
		expect(labels).toEqual({
			policy: "test",
			library: "3.9",
			labelled: 13,
			withoutLabel: 2,
			unmatched: 0,
			conflicts: 0,
		});
		expect(notes).toEqual([expect.stringContaining("policy test, as libselinux 3.9 chooses: 13 inodes")]);
	});

	it("of hard links takes the first name that has a label, and says so where another wants another", async () => {
		const root = policyRoot({ contexts });
		root.file("/a", "").file("/none/a", "").file("/z/a", "");
		const a = root.lookup("/a")?.inode as Inode;
		for (const path of ["/none", "/z"]) {
			const directory = root.lookup(path)?.inode;
			if (directory?.type === "directory") directory.entries.set("a", a);
		}
		const { labels, notes, of } = await labelled(root, "policy");
		expect(of("/z/a")).toBe("all\0");
		expect(labels).toMatchObject({ conflicts: 1 });
		expect(notes[1]).toBe("/z/a has the label of another name of its inode, all, where the policy has late for it");
	});

	it("leaves an image alone that has no policy, labels, or no wish for them", async () => {
		expect(await labelled(new SmallRoot().file("/etc/selinux/config", ""), undefined)).toMatchObject({
			labels: undefined,
			notes: [],
		});
		const withLabel = (): SmallRoot => {
			const root = policyRoot({ contexts });
			const config = root.lookup("/etc/selinux/config")?.inode as Inode;
			config.xattrs = new Map([
				[LABEL_XATTR, Buffer.from("x\0")],
				["user.y", Buffer.from("z")],
			]);
			return root;
		};
		const kept = await labelled(withLabel(), undefined);
		expect(kept).toMatchObject({
			labels: undefined,
			notes: [expect.stringContaining("that layers carry, 1 of 12 inodes have one")],
		});
		expect(kept.of("/etc/selinux/config")).toBe("x\0");
		const replaced = withLabel();
		expect((await labelled(replaced, "policy")).of("/etc/selinux/config")).toBe("etc\0");
		expect(replaced.lookup("/etc/selinux/config")?.inode.xattrs.has("user.y")).toBe(true);
		for (const choice of ["image", "off"] as const)
			expect((await labelled(policyRoot({ contexts }), choice)).labels).toBeUndefined();
		expect((await labelled(policyRoot({ contexts }), undefined, true)).labels).toBeUndefined();
	});

	it("goes on without a policy that cannot be read, unless that one was asked for", async () => {
		const compiled = new SmallRoot().file("/etc/selinux/targeted/contexts/files/file_contexts.bin", "x");
		for (const [root, code] of [
			[policyRoot({ contexts: "/(?i)a b\n" }), "SELINUX_POLICY_INVALID"],
			[compiled, "SELINUX_POLICY_COMPILED"],
			[policyRoot({ contexts }).file("/etc/selinux/config", "SELINUXTYPE=../x"), "SELINUX_POLICY_MISSING"],
		] as const) {
			const { labels, notes } = await labelled(root, undefined);
			expect([labels, notes]).toEqual([undefined, [expect.stringContaining("there are no SELinux labels:")]]);
			await expect(labelled(root, "policy")).rejects.toMatchObject({ code });
		}
	});
});
