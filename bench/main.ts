import { mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { debianFixture } from "../test/support/fixture.ts";
import { againstMarkdown } from "./against/markdown.ts";
import { type Arguments, parseArguments, USAGE } from "./arguments.ts";
import { cacheMarkdown } from "./cache/markdown.ts";
import { describeMachine } from "./machine.ts";
import { toMarkdown } from "./markdown.ts";
import { memoryMarkdown } from "./memory/markdown.ts";
import { payloadMarkdown } from "./payload/markdown.ts";
import { presetsMarkdown } from "./presets/markdown.ts";
import { rewriteReadme } from "./readme.ts";
import { Run } from "./run.ts";
import { sharedMarkdown } from "./shared/markdown.ts";

const BUILD = join(import.meta.dirname, "..", "build", "bench");

try {
	await main(process.argv.slice(2));
} catch (error) {
	process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`);
	process.exitCode = 1;
}

async function main(args: readonly string[]): Promise<void> {
	const given = parseArguments(args);
	const out = resolve(given.out ?? BUILD);
	if (given.help) {
		process.stdout.write(`${USAGE}\n`);
		return;
	}
	if (given.readme) {
		process.stderr.write(`bench: replaced ${rewriteReadme(out).join(", ")}\n`);
		return;
	}
	const machine = describeMachine();
	const skipped: string[] = [];
	const warn = (line: string): void => {
		if (skipped.includes(line)) return;
		skipped.push(line);
		process.stderr.write(`${line}\n`);
	};
	const run = new Run(given, resolve(given.work ?? join(BUILD, "work")), machine.processors, warn);
	for (const { name, reference, isFixture } of await imagesFor(given)) await run.measure(name, reference, isFixture);

	const command = ["npm run bench", ...(args.length > 0 ? ["--", ...args] : [])].join(" ");
	if (run.images.length > 0) {
		const results = { command, machine, trials: given.trials, images: run.images, micro: run.micro, skipped };
		write("results", toMarkdown(results), results, out);
	}
	if (run.cached.length > 0) {
		const results = { command, machine, images: run.cached, skipped };
		write("cache", run.cached.map(cacheMarkdown).join("\n"), results, out);
	}
	if (run.shared.length > 0) {
		const results = { command, machine, images: run.shared, skipped };
		write("shared", run.shared.map(sharedMarkdown).join("\n"), results, out);
	}
	if (run.against.length > 0) {
		const results = { command, machine, images: run.against, skipped };
		write("against", run.against.map(againstMarkdown).join("\n"), results, out);
	}
	if (run.memory.length > 0) {
		const results = { command, machine, images: run.memory, skipped };
		write("memory", run.memory.map(memoryMarkdown).join("\n"), results, out);
	}
	if (run.payload.length > 0) {
		const results = { command, machine, images: run.payload, skipped };
		write("payload", run.payload.map(payloadMarkdown).join("\n"), results, out);
	}
	if (run.weighed.length > 0) {
		const results = { command, machine, images: run.weighed, skipped };
		write("presets", presetsMarkdown(results), results, out);
	}
}

async function imagesFor({ image, large }: Arguments) {
	if (image !== undefined) return [{ name: image, reference: image, isFixture: false }];
	const profiles = ["debian", ...(large ? ["large"] : [])];
	const images = [];
	for (const profile of profiles) {
		const layout = await debianFixture(profile);
		images.push({ name: `fixture ${profile}`, reference: `oci:${layout}:latest`, isFixture: true });
	}
	return images;
}

function write(name: string, markdown: string, results: object, out: string): void {
	mkdirSync(out, { recursive: true });
	writeFileSync(join(out, `${name}.md`), markdown);
	writeFileSync(join(out, `${name}.json`), `${JSON.stringify(results, undefined, "\t")}\n`);
	process.stdout.write(markdown);
	process.stderr.write(`bench: ${join(out, name)}.md and .json\n`);
}
