import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import ts from "typescript";
import { describe, expect, it } from "vitest";
import "../../support/every-source.ts";
import { whyNotLinear } from "../../support/linear-pattern.ts";

const source = resolve(import.meta.dirname, "../../../src");

// biome-ignore-start lint/suspicious/noTemplateCurlyInString: they are quoted as they are written
/** Expressions that are not seen to be linear, and why they may be used all the same: text that is short by construction, or the user's own. */
const REVIEWED: readonly { readonly file: string; readonly pattern: string; readonly why: string }[] = [
	{
		file: "buildroot/launcher.ts",
		pattern: "/^([a-z-]+) ?(.*)$/s",
		why: "a report of our own program, at most a few hundred bytes",
	},
	{
		file: "buildroot/library-search.ts",
		pattern: 'new RegExp(`\\\\$(?:\\\\{${name}\\\\}|${name}(?![A-Za-z0-9_]))`, "g")',
		why: "three names of ours in it, and text of at most 4096 bytes",
	},
	{
		file: "cache/store-directory.ts",
		pattern: "/^tmp-(.*)-(\\d+)-[0-9a-f]+$/",
		why: "names of files, at most 255 bytes",
	},
	{ file: "cli/output-name.ts", pattern: "/^[-.]+|-+$/g", why: "the user's own argument" },
	{ file: "formats/gpt/gpt.ts", pattern: "/\\0.*$/s", why: "36 characters of a partition's name" },
	{ file: "formats/iso9660/volume-descriptor.ts", pattern: "/ +$/", why: "a field of at most 128 characters" },
	{ file: "verify/volume-check.ts", pattern: "/ +$/", why: "a field of at most 128 characters" },
	{
		file: "oci/docker-reference.ts",
		pattern: "new RegExp(`^(?:${DOMAIN_COMPONENT}(?:\\\\.${DOMAIN_COMPONENT})*|\\\\[[a-fA-F0-9:]+\\\\])(?::[0-9]+)?$`)",
		why: "the user's own argument",
	},
	{
		file: "oci/docker-reference.ts",
		pattern: "/^[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*$/",
		why: "the user's own argument; each turn begins with what the one before cannot take",
	},
	{ file: "oci/bare-path.ts", pattern: "/^(.*[^:/]):([^:/]+)$/", why: "the user's own argument" },
	{ file: "oci/reference.ts", pattern: "/^(.*)@(sha(?:256|512):[0-9a-f]+)$/s", why: "the user's own argument" },
	{
		file: "layers/posix-regex.ts",
		pattern: 'new RegExp(translator.translate(), "s")',
		why: "the user's own pattern, for names of at most 255 bytes",
	},
	{ file: "layers/posix-regex.ts", pattern: "/^\\{(\\d*)(,?)(\\d*)\\}/", why: "the user's own pattern" },
	{ file: "layers/posix-regex.ts", pattern: "/^\\[([:.=])(.*?)\\1\\]/s", why: "the user's own pattern" },
	{ file: "oci/registry/auth-file.ts", pattern: "/\\/+$/", why: "the user's own file" },
	{ file: "oci/registry/auth-file.ts", pattern: "/\\0+$/", why: "the user's own file" },
	{
		file: "oci/registry/challenge.ts",
		pattern: '/[ \\t]*=[ \\t]*(?:"((?:[^"\\\\]|\\\\.)*)"|([!#$%&\'*+.^_`|~0-9A-Za-z:/?@-]+))/y',
		why: "headers of at most 16 KiB, and no character begins both alternatives",
	},
	{
		file: "oci/registry/proxy.ts",
		pattern: "/^(?:\\[([^\\]]+)\\]|([^:]+|[0-9a-f:./]*:[0-9a-f:./]*?))(?::(\\d+))?$/i",
		why: "the user's own environment",
	},
	{ file: "oci/registry/registries-conf.ts", pattern: "/\\/+$/", why: "the user's own file" },
];
// biome-ignore-end lint/suspicious/noTemplateCurlyInString: they are quoted as they are written

interface Use {
	readonly file: string;
	/** As written. */
	readonly pattern: string;
	/** Undefined: linear. */
	readonly reason: string | undefined;
}

function usesIn(file: string): Use[] {
	const text = readFileSync(join(source, file), "utf8");
	const uses: Use[] = [];
	const visit = (node: ts.Node): void => {
		if (ts.isRegularExpressionLiteral(node)) {
			const end = node.text.lastIndexOf("/");
			uses.push({ file, pattern: node.text, reason: whyNotLinear(node.text.slice(1, end), node.text.slice(end + 1)) });
		} else if ((ts.isNewExpression(node) || ts.isCallExpression(node)) && node.expression.getText() === "RegExp") {
			uses.push({ file, pattern: node.getText(), reason: "it is made at run time" });
		}
		ts.forEachChild(node, visit);
	};
	visit(ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true));
	return uses;
}

const uses = readdirSync(source, { recursive: true, encoding: "utf8" })
	.filter((name) => name.endsWith(".ts"))
	.flatMap(usesIn);

describe("regular expressions of the source", () => {
	it("are found", () => expect(uses.length).toBeGreaterThan(50));

	it("take time in proportion to the text, or were looked at: text of an image is read by scanners, with a bound on its size", () => {
		const isReviewed = ({ file, pattern }: Use): boolean =>
			REVIEWED.some((reviewed) => reviewed.file === file && reviewed.pattern === pattern);
		const wrong = uses
			.filter((use) => use.reason !== undefined && !isReviewed(use))
			.map(
				({ file, pattern, reason }) =>
					`${file}: ${pattern}: ${reason}; write a scanner, or say in REVIEWED what bounds the text`,
			);
		expect(wrong).toEqual([]);
	});

	it("are not reviewed for nothing", () => {
		const unused = REVIEWED.filter(
			({ file, pattern }) =>
				!uses.some((use) => use.file === file && use.pattern === pattern && use.reason !== undefined),
		);
		expect(unused).toEqual([]);
	});
});

describe("what is called linear", () => {
	it.each([[/;\d+$/], [/^\s*([-+]?)\d+$/], [/^(?:a|b)*$/], [/x{1,15}$/], [/[ \t]*=/y], [/^(foo|bar)\.[a-z]*$/]])(
		"%s",
		(pattern) => expect(whyNotLinear(pattern.source, pattern.flags)).toBeUndefined(),
	);

	it.each([
		[/=+$/],
		[/^\s*\s*x/],
		[/^(a+)+$/],
		[/^(?:a|a)*$/],
		[/(?:ab*)*/],
		[/^.*x.*y$/],
		[/^(\w+\s?)*$/],
		[/(?<=a+)b/],
		[/^(?=.*x)y/],
		[/^a{0,1000}a{0,1000}b/],
	])("not %s", (pattern) => expect(whyNotLinear(pattern.source, pattern.flags)).toBeDefined());
});
