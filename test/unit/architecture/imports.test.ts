import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { describe, expect, it } from "vitest";

const source = resolve(import.meta.dirname, "../../../src");

/** Rooms that hold bytes and rules only: no files, no network, no process. */
const formats = [
	"tar",
	"tree",
	"squashfs",
	"fat",
	"iso9660",
	"eltorito",
	"gpt",
	"grub",
	"isomd5",
	"contract",
	"pe",
	"lzma",
];
/** Rooms whose code any room may use. */
const shared = ["binary", "errors.ts"];
/** What code (not types) each of the other rooms may import beside itself and the shared ones. */
const mayImport: Readonly<Record<string, readonly string[]>> = {
	binary: [],
	codec: [],
	oci: ["codec", "tar"],
	cache: ["squashfs", "oci"],
	output: ["codec"],
	input: [],
	options: ["contract", "oci"],
	report: [],
	buildroot: ["tree", "grub", "codec"],
	// What goes at which block of an ISO: written by one, compared by the other.
	medium: formats,
	boot: [...formats, "codec"],
	assemble: [
		...formats,
		"medium",
		"boot",
		"codec",
		"oci",
		"output",
		"report",
		"buildroot",
		"cache",
		"inspect",
		"options",
	],
	inspect: [...formats, "boot", "codec", "oci", "buildroot", "report", "options"],
	// One reader of initramfs for both.
	verify: [...formats, "medium", "boot", "codec", "inspect", "oci", "report", "options", "input"],
	cli: ["assemble", "cache", "inspect", "verify", "output", "report", "codec", "index.ts", "options"],
	"index.ts": ["assemble", "inspect", "verify", "report", "oci", "codec", "options", "input"],
	"errors.ts": [],
};
const roomsWithNodeIo = ["input", "oci", "cache", "output", "buildroot", "codec", "cli"];
const ioModules = /^node:(fs|fs\/promises|net|http|https|tls|dns|child_process|worker_threads|process|http2|dgram)$/;

interface Import {
	readonly file: string;
	readonly room: string;
	readonly specifier: string;
	readonly typeOnly: boolean;
}

function importsOf(file: string): Import[] {
	const text = readFileSync(file, "utf8").replace(/\/\*[\s\S]*?\*\//g, "");
	const room = relative(source, file).split("/")[0] ?? "";
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
	return relative(source, resolve(source, dirname(entry.file), entry.specifier)).split("/")[0] ?? "";
}

describe("import rules of the rooms", () => {
	it("finds the source", () => expect(files.length).toBeGreaterThan(20));

	it("lets formats import the code of the shared rooms only", () => {
		const wrong = imports
			.filter((entry) => formats.includes(entry.room) && entry.specifier.startsWith(".") && !entry.typeOnly)
			.filter((entry) => ![entry.room, ...shared].includes(targetRoom(entry)));
		expect(wrong).toEqual([]);
	});

	it("keeps the other rooms to the flow", () => {
		const wrong = imports
			.filter((entry) => !formats.includes(entry.room) && entry.specifier.startsWith(".") && !entry.typeOnly)
			.filter((entry) => ![entry.room, ...shared, ...(mayImport[entry.room] ?? [])].includes(targetRoom(entry)));
		expect(wrong).toEqual([]);
	});

	it("keeps files, processes and the network at the rim", () => {
		const wrong = imports.filter((entry) => ioModules.test(entry.specifier) && !roomsWithNodeIo.includes(entry.room));
		expect(wrong).toEqual([]);
		const globals = files.filter(
			(file) =>
				formats.includes(relative(source, file).split("/")[0] ?? "") && /\bprocess\./.test(readFileSync(file, "utf8")),
		);
		expect(globals).toEqual([]);
	});

	it("uses the node: protocol and known packages only", () => {
		const packages = new Set(imports.map((entry) => entry.specifier).filter((name) => !/^(\.|node:)/.test(name)));
		const known = ["commander", "zod", "js-yaml", "fflate", "fzstd", "@napi-rs/lzma", "undici", "smol-toml"];
		expect([...packages].filter((name) => !known.includes(name))).toEqual([]);
	});
});
