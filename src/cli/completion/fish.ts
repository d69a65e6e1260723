import {
	type CompletedCommand,
	type CompletedOption,
	DIRECTORY_TRANSPORTS,
	FILE_TRANSPORTS,
	TRANSPORTS,
	type Values,
} from "./model.ts";

/** A file for `~/.config/fish/completions`, by the name of `oci2iso.fish`; it can be sourced too. */
export function fishCompletion(commands: readonly CompletedCommand[]): string {
	const paths = commands.map(({ path }) => path).filter((path) => path !== "");
	return `# fish completion for oci2iso: oci2iso completion fish >~/.config/fish/completions/oci2iso.fish
complete -c oci2iso -f

# whether the words so far name this command
function __oci2iso_at
    set -l path
    for word in (commandline -opc)[2..-1]
        contains -- (string join ' ' $path $word) ${paths.map(quoted).join(" ")}
        and set -a path $word
    end
    test (string join ' ' '' $path) = (string join ' ' '' $argv)
end

function __oci2iso_images
    set -l parts (string match -r '^([a-z-]+:)(.*)$' -- (commandline -ct | string replace -r '^--[a-z-]+=' ''))
    switch "$parts[2]"
        case ${FILE_TRANSPORTS.join(" ")}
            for path in $parts[3]*
                test -d $path && set path $path/
                echo $parts[2]$path
            end
        case ${DIRECTORY_TRANSPORTS.join(" ")}
            for path in $parts[3]*/
                echo $parts[2]$path
            end
        case '*'
            printf '%s\\n' ${TRANSPORTS.join(" ")}
    end
end

${commands.map(linesOf).join("\n")}`;
}

function linesOf({ path, options, commands, arguments: values }: CompletedCommand): string {
	const at = `complete -c oci2iso -n ${quoted(`__oci2iso_at ${path}`.trim())}`;
	const inner = commands.map(({ name, description }) => `${at} -a ${name} -d ${quoted(description)}`);
	const own = options.map(
		(option) => `${at} ${flagsOf(option)} -d ${quoted(option.description)}${completingValue(option)}`,
	);
	const places = commands.length > 0 ? [] : values.map((each) => `${at}${completing(each)}`);
	return `${[...inner, ...places, ...own].join("\n")}\n`;
}

function flagsOf({ names }: CompletedOption): string {
	return names.map((name) => (name.startsWith("--") ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`)).join(" ");
}

function completingValue({ values, isOptional }: CompletedOption): string {
	if (values === undefined) return "";
	const isFile = values === "file";
	return `${isOptional ? "" : isFile ? " -r" : " -x"}${completing(values)}`;
}

function completing(values: Values): string {
	if (typeof values !== "string") return ` -a ${quoted(values.join(" "))}`;
	return {
		nothing: "",
		file: " -F",
		directory: ' -a \'(__fish_complete_directories (commandline -ct | string replace -r "^--[a-z-]+=" ""))\'',
		image: " -a '(__oci2iso_images)'",
		command: "",
	}[values];
}

function quoted(text: string): string {
	return `'${text.replace(/[\\']/g, "\\$&")}'`;
}
