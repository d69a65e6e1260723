import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import "../../support/every-source.ts";

const source = resolve(import.meta.dirname, "../../../src");

/** Rooms whose code any room may use. */
const shared = ["binary", "errors.ts"];
/** Rooms made of rooms: a folder each, which do not know each other unless the table says so. */
const nested = ["formats", "rootfs", "exporters"];
/** What code (not types) each room may import beside itself and the shared ones; every format: nothing. */
const mayImport: Readonly<Record<string, readonly string[]>> = {
	binary: [],
	codec: ["native", "formats"],
	native: ["codec"],
	// An archive that comes as a stream is kept in the temporary directory.
	oci: ["codec", "native", "formats", "output"],
	tree: [],
	// What an image's own policy says of the labels of its files.
	selinux: ["tree"],
	content: [],
	layers: ["tree", "content", "cache", "oci", "formats"],
	rootfs: ["content", "tree", "codec"],
	cache: ["content", "oci", "native"],
	output: ["codec", "native"],
	options: ["contract", "oci", "codec", "rootfs", "selinux", "sbom", "output"],
	findings: [],
	contract: ["boot", "formats", "tree", "findings"],
	// Boot loaders of another image than the system's, for build, inspect and verify.
	loaders: ["contract", "layers", "tree", "oci", "options", "findings", "buildroot", "boot"],
	// Images that a medium carries.
	payload: ["oci", "options", "medium", "boot", "tree"],
	buildroot: ["tree", "boot", "codec", "native"],
	// What goes at which block of an ISO: written by one, compared by the other.
	medium: ["formats", "boot"],
	boot: ["formats", "rootfs", "tree", "codec", "native"],
	// Each takes what a build has made, and knows nothing of builds.
	exporters: ["formats", "medium", "buildroot", "native", "boot", "tree"],
	build: [
		"findings",
		"formats",
		"rootfs",
		"content",
		"layers",
		"tree",
		"contract",
		"medium",
		"boot",
		"codec",
		"native",
		"oci",
		"output",
		"buildroot",
		"cache",
		"inspect",
		"loaders",
		"options",
		"exporters",
		"payload",
		"selinux",
		"sbom",
	],
	inspect: [
		"findings",
		"formats",
		"rootfs",
		"layers",
		"tree",
		"contract",
		"boot",
		"codec",
		"native",
		"oci",
		"buildroot",
		"loaders",
		"options",
		"selinux",
	],
	verify: [
		"findings",
		"formats",
		"rootfs",
		"content",
		"layers",
		"tree",
		"contract",
		"medium",
		"boot",
		"codec",
		"native",
		"oci",
		"options",
		"loaders",
		"output",
		"payload",
		"selinux",
	],
	// What is on a medium, as documents say it: package databases of a tree, and the id that the medium's own are made like.
	sbom: ["tree", "formats"],
	// What this machine can do.
	doctor: ["findings", "codec", "native", "cache", "oci", "buildroot"],
	// What was built or inspected, as HTML: data to text.
	page: [],
	cli: [
		"doctor",
		"page",
		"build",
		"oci",
		"cache",
		"inspect",
		"verify",
		"output",
		"codec",
		"native",
		"index.ts",
		"options",
		"medium",
	],
	"index.ts": ["build", "page", "inspect", "verify", "oci", "codec", "options", "output"],
	"errors.ts": [],
};
/** Rooms that hold bytes and rules only: no files, no network, no process. */
const pure = ["formats", "tree", "content", "rootfs", "contract", "page", "selinux", "sbom"];
const roomsWithNodeIo = ["oci", "cache", "output", "buildroot", "codec", "native", "cli", "doctor"];
const ioModules = /^node:(fs|fs\/promises|net|http|https|tls|dns|child_process|worker_threads|process|http2|dgram)$/;

interface Import {
	readonly file: string;
	readonly room: string;
	readonly specifier: string;
	readonly typeOnly: boolean;
}

function importsOf(file: string): Import[] {
	const text = readFileSync(file, "utf8").replace(/\/\*[\s\S]*?\*\//g, "");
	const room = roomOf(relative(source, file));
	const statements = text.matchAll(/^(?:import|export)\s+(type\s+)?([^;]*?\sfrom\s+)?"([^"]+)"/gm);
	return [...statements].map(([, type, names, specifier]) => ({
		file: relative(source, file),
		room,
		specifier: specifier ?? "",
		typeOnly: type !== undefined || /^\{(\s*type [\w$]+( as [\w$]+)?,?)+\s*\}\s+from\s+$/.test(names ?? ""),
	}));
}

const files = readdirSync(source, { recursive: true, encoding: "utf8" })
	.filter((name) => name.endsWith(".ts"))
	.map((name) => join(source, name));
const imports = files.flatMap(importsOf);

function targetRoom(entry: Import): string {
	return roomOf(relative(source, resolve(source, dirname(entry.file), entry.specifier)));
}

/** Files that lie beside the folders of a nested room are its own: the interface of these, and their table. */
function roomOf(path: string): string {
	const [room = "", inner = ".ts"] = path.split("/");
	return nested.includes(room) && !inner.endsWith(".ts") ? `${room}/${inner}` : room;
}

const outer = (room: string): string => room.split("/")[0] ?? "";

describe("import rules of the rooms", () => {
	it("finds the source", () => expect(files.length).toBeGreaterThan(20));

	it("keeps every room to the flow, and formats apart from each other", () => {
		const wrong = imports
			.filter((entry) => entry.specifier.startsWith(".") && !entry.typeOnly && targetRoom(entry) !== entry.room)
			.filter((entry) => entry.room !== outer(targetRoom(entry)) && targetRoom(entry) !== outer(entry.room))
			.filter((entry) => ![...shared, ...(mayImport[outer(entry.room)] ?? [])].includes(outer(targetRoom(entry))));
		expect(wrong).toEqual([]);
	});

	it("keeps exporters apart from builds, in types too: one knows what was made, the other the table", () => {
		const wrong = imports.filter((entry) => {
			const [room, target] = [outer(entry.room), targetRoom(entry)];
			return (room === "exporters" && target === "build") || (room !== "exporters" && target.startsWith("exporters/"));
		});
		expect(wrong).toEqual([]);
	});

	it("keeps files, processes and the network at the rim", () => {
		const wrong = imports.filter(
			(entry) => ioModules.test(entry.specifier) && !roomsWithNodeIo.includes(outer(entry.room)),
		);
		expect(wrong).toEqual([]);
		const globals = files.filter(
			(file) => pure.includes(outer(relative(source, file))) && /\bprocess\./.test(readFileSync(file, "utf8")),
		);
		expect(globals).toEqual([]);
	});

	it("uses the node: protocol and known packages only", () => {
		const packages = new Set(imports.map((entry) => entry.specifier).filter((name) => !/^(\.|node:)/.test(name)));
		const known = [
			"commander",
			"zod",
			"js-yaml",
			"fflate",
			"fzstd",
			"@napi-rs/lzma",
			"undici",
			"smol-toml",
			"packageurl-js",
			"spdx-expression-parse",
		];
		expect(
			[...packages].filter((name) => !known.includes(name) && !name.startsWith("@cyclonedx/cyclonedx-library/")),
		).toEqual([]);
	});
});
