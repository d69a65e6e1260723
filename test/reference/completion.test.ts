import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { TRANSPORTS } from "../../src/cli/completion/model.ts";
import { parseReference } from "../../src/oci/reference.ts";
import { oci2iso } from "../support/cli.ts";
import { requires } from "../support/requires.ts";
import { run } from "../support/run.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

/** What is typed up to the cursor, and what is offered; `...`: among others. */
const ROWS: readonly (readonly [line: string, offered: readonly string[]])[] = [
	["oci2iso ver", ["verify"]],
	["oci2iso cache ", ["ls", "prune", "verify", "help"]],
	["oci2iso completion ", ["bash", "fish", "zsh"]],
	["oci2iso build --comp ", ["gzip", "lz4", "none", "xz", "zstd"]],
	["oci2iso build --quiet --pre", ["--preset"]],
	["oci2iso build -o x --preset s", ["small"]],
	["oci2iso --pre", ["--preset"]],
	["oci2iso --comp ", ["gzip", "lz4", "none", "xz", "zstd"]],
	["oci2iso --quiet --preset small --comp xz ver", ["verify"]],
	["oci2iso --quiet --preset small build --comp x", ["xz"]],
	["oci2iso --cache-size 4G cache pr", ["prune"]],
	["oci2iso build --bootloader s", ["systemd-boot"]],
	["oci2iso verify x.iso --ima", ["--image"]],
	["oci2iso cache verify --qu", ["--quiet"]],
	["oci2iso cache prune --cache ", ["layout/", "other dir/"]],
	["oci2iso inspect oci", ["oci-archive:", "oci:"]],
	["oci2iso inspect oci:la", ["oci:layout/"]],
	["oci2iso inspect --platform linux/arm64 oci-archive:live.t", ["oci-archive:live.tar"]],
	["oci2iso verify liv", ["live.iso", "live.tar"]],
	["oci2iso build --label oci:x dir:l", ["dir:layout/"]],
];

const directory = temporaryDirectory("completion");
/** Of the output that has the lines after `== LINE`: what is offered for each. */
function offeredIn(output: string): Readonly<Record<string, readonly string[]>> {
	const sections = output.split(/^== /m).slice(1);
	return Object.fromEntries(
		sections.map((section) => {
			const [line = "", ...names] = section.split("\n");
			return [line, inOrder(names.filter((name) => name !== ""))];
		}),
	);
}

const EXPECTED = Object.fromEntries(ROWS.map(([line, offered]) => [line, inOrder(offered)]));
const LINES = ROWS.map(([line]) => line);

function inOrder(names: readonly string[]): readonly string[] {
	return [...new Set(names)].sort((a, b) => (a < b ? -1 : 1));
}

describe("completion", () => {
	beforeAll(async () => {
		for (const name of ["layout", "other dir"]) mkdirSync(join(directory, name));
		for (const name of ["live.iso", "live.tar"]) writeFileSync(join(directory, name), "");
		for (const shell of ["bash", "zsh", "fish"]) {
			const { stdout, status } = await oci2iso(["completion", shell]);
			expect(status).toBe(0);
			writeFileSync(join(directory, `.${shell}`), stdout);
		}
	});

	it("offers the transports that references have", () => {
		for (const transport of TRANSPORTS) expect(() => parseReference(`${transport}x`)).not.toThrow();
	});

	it.each([
		["with bash-completion", "/usr/share/bash-completion/bash_completion"],
		["without it", "/dev/null"],
	])("in bash, %s", async (_, library) => {
		if (requires("bash", library) !== undefined) return;
		// as readline calls it: words end at the breaks, and what is offered replaces what is behind the last of them
		const script = `
			source ${library}; source .bash
			compopt() { [[ $2 == filenames ]] && names=1; true; }
			for line; do
				printf '== %s\\n' "$line"
				spaced=\${line//:/ : } spaced=\${spaced//=/ = } names= COMPREPLY=()
				read -r -a COMP_WORDS <<<"$spaced"; [[ $line == *[\\ :=] ]] && COMP_WORDS+=("")
				COMP_LINE=$line COMP_POINT=\${#line} COMP_CWORD=$((\${#COMP_WORDS[@]} - 1))
				last=\${line##* } typed=\${last%"\${last##*[:=]}"}
				_oci2iso
				for reply in "\${COMPREPLY[@]}"; do [[ $names && -d $reply ]] && reply+=/; printf '%s\\n' "$typed$reply"; done
			done`;
		const output = await run("bash", ["--norc", "-c", script, "bash", ...LINES], { cwd: directory });
		expect(offeredIn(output)).toEqual(EXPECTED);
	});

	it.skipIf(requires("fish"))("in fish", async () => {
		const script = `source .fish
			for line in $argv; printf '== %s\\n' $line; complete -C $line | string replace -r '\\t.*' ''; end; true`;
		const output = await run("fish", ["--no-config", "-c", script, ...LINES], { cwd: directory });
		expect(offeredIn(output)).toEqual(EXPECTED);
	});

	it.skipIf(requires("zsh"))("in zsh", async () => {
		// what completion gives to compadd goes to a file; what it asks compadd to look up for itself does not
		const inner = `
			autoload -Uz compinit; compinit -u -D; source .zsh; PS1=; zmodload zsh/zutil
			compadd() {
				if [[ " \${(j: :)@[1,(i)(-|--)]} " == *" -"(O|A|D)" "* ]]; then builtin compadd "$@"; return; fi
				local -a found; local -A given; zparseopts -E -A given P: p: S: f / W:
				builtin compadd -O found "$@"
				for name in $found; do print -r -- "$IPREFIX$given[-p]$name" >>offered; done
				builtin compadd "$@"
			}
			offer() { _main_complete; compstate[insert]= compstate[list]=; }
			zle -C offer complete-word offer
			offer-all() { print -r -- "== $BUFFER" >>offered; zle offer; BUFFER=; print -n END''OF; }
			zle -N offer-all; bindkey "^X" offer-all`;
		writeFileSync(join(directory, "inner.zsh"), inner);
		const outer = `
			zmodload zsh/zpty; zpty z zsh -f -i
			zpty -w z 'source inner.zsh; print READY''TOO'; zpty -r z seen '*READYTOO*'
			for line; do zpty -w -n z $line$'\\x18'; zpty -r z seen '*ENDOF*'; done; cat offered`;
		const output = await run("zsh", ["-f", "-c", outer, "zsh", ...LINES], { cwd: directory });
		// zle adds the slash of a directory, and takes away the quoting
		const bare = (text: string): string => text.replace(/\/$/gm, "");
		const wanted = ROWS.map(([line, offered]) => `== ${line}\n${offered.join("\n")}`).join("\n");
		expect(offeredIn(output.replaceAll("\\ ", " "))).toEqual(offeredIn(bare(wanted)));
	});
});
