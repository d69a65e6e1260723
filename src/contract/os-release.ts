import type { Findings } from "../findings/findings.ts";
import type { ImageTree } from "../tree/image-tree.ts";
import type { OsRelease } from "./contract.ts";
import { findFile, whyNoFile } from "./image-files.ts";

const OS_RELEASE_PATHS = ["/etc/os-release", "/usr/lib/os-release"];
/** systemd's own have less than 1 KiB. */
const MAX_OS_RELEASE_BYTES = 64 * 1024;
const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** os-release(5) of the image. Missing files and values are choices, never problems: every use has a default. */
export async function readOsRelease(tree: ImageTree, findings: Findings): Promise<OsRelease> {
	for (const path of OS_RELEASE_PATHS) {
		const file = findFile(tree, path);
		if (file === undefined) {
			const why = whyNoFile(tree, path);
			if (why !== "is missing")
				findings.choice({ code: "OS_RELEASE_UNUSABLE", what: `${path} ${why}: it is passed over`, where: path });
			continue;
		}
		if (file.inode.byteLength > MAX_OS_RELEASE_BYTES) {
			findings.choice({
				code: "OS_RELEASE_TOO_LARGE",
				what: `${file.inode.byteLength} bytes of os-release are ignored`,
				where: path,
			});
			continue;
		}
		const bytes = await tree.read(file.inode, MAX_OS_RELEASE_BYTES);
		return osReleaseOf(parseOsRelease(Buffer.from(bytes).toString("utf8")), path, findings);
	}
	findings.choice({ code: "OS_RELEASE_MISSING", what: "the image has no os-release", where: "/etc/os-release" });
	return { id: undefined, idLike: [], name: undefined, versionId: undefined };
}

/**
 * The assignments of os-release(5): `NAME=value` lines in shell syntax, the value bare, in single or in double quotes.
 * A line that is no assignment is skipped; of several assignments to one name the last counts.
 */
export function parseOsRelease(text: string): Map<string, string> {
	const values = new Map<string, string>();
	for (const line of text.split("\n")) {
		const equals = line.indexOf("=");
		const name = line.slice(0, Math.max(0, equals)).trim();
		if (NAME.test(name)) values.set(name, unquote(line.slice(equals + 1).trim()));
	}
	return values;
}

function osReleaseOf(values: Map<string, string>, path: string, findings: Findings): OsRelease {
	const value = (name: string): string | undefined => {
		const text = values.get(name);
		if (text !== undefined && text !== "") return text;
		findings.choice({ code: "OS_RELEASE_VALUE_MISSING", what: `os-release has no ${name}`, where: path });
		return undefined;
	};
	// Only the originals have no ID_LIKE, so that its absence is no news.
	const idLike = (values.get("ID_LIKE") ?? "").split(/\s+/).filter((id) => id !== "");
	const buildId = values.get("BUILD_ID") || undefined;
	return { id: value("ID"), idLike, name: value("NAME"), versionId: value("VERSION_ID"), ...(buildId && { buildId }) };
}

/** One shell word: quoted parts and bare parts may follow each other; what an unbalanced quote opens ends with the line. */
function unquote(text: string): string {
	let out = "";
	let quote = "";
	let isAfterSpace = false;
	for (let at = 0; at < text.length; at++) {
		const c = text.charAt(at);
		const wasAfterSpace = isAfterSpace;
		isAfterSpace = /\s/.test(c);
		if (quote === "'" ? c === "'" : quote === '"' && c === '"') quote = "";
		else if (quote === "" && (c === "'" || c === '"')) quote = c;
		else if (c === "\\" && quote !== "'" && at + 1 < text.length) {
			const next = text.charAt(++at);
			out += quote === "" || '"$`\\'.includes(next) ? next : `\\${next}`;
		} else if (quote === "" && c === "#" && wasAfterSpace) return out.trimEnd();
		else out += c;
	}
	return out;
}
