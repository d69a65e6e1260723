import {
	type CompletedCommand,
	type CompletedOption,
	DIRECTORY_TRANSPORTS,
	FILE_TRANSPORTS,
	TRANSPORTS,
	type Values,
} from "./model.ts";

/** A file for a directory of `$fpath`, by the name of `_oci2iso`; it can be sourced too, after `compinit`. */
export function zshCompletion(commands: readonly CompletedCommand[]): string {
	return `#compdef oci2iso
# zsh completion for oci2iso: oci2iso completion zsh >"\${fpath[1]}/_oci2iso"

_oci2iso_images() {
	if compset -P '(${FILE_TRANSPORTS.join("|")})'; then
		_files
	elif compset -P '(${DIRECTORY_TRANSPORTS.join("|")})'; then
		_files -/
	else
		compadd -S '' -- ${TRANSPORTS.join(" ")}
	fi
}

${commands.map(functionOf).join("\n")}
if [[ $funcstack[1] == _oci2iso ]]; then
	_oci2iso "$@"
else
	compdef _oci2iso oci2iso
fi
`;
}

function functionOf({ path, options, commands, arguments: values }: CompletedCommand): string {
	const name = nameOf(path);
	const specs = options.flatMap(specsOf);
	if (commands.length === 0)
		return `${name}() {
	_arguments -s -S : \\
${[...specs, ...values.map((each, index) => quoted(`${index + 1}:${index === 0 ? "argument" : "more"}:${actionOf(each)}`))].map((spec) => `\t\t${spec}`).join(" \\\n")}
}
`;
	return `${name}() {
	local curcontext="$curcontext" state line
	_arguments -C -s -S -A '-*' : \\
${specs.map((spec) => `\t\t${spec} \\`).join("\n")}
		'1: :->command' '*:: :->argument'
	case $state in
	command)
		local -a commands=(
${commands.map((each) => `\t\t\t${quoted(`${each.name}:${each.description}`)}`).join("\n")}
		)
		_describe command commands
		;;
	argument)
		case $line[1] in
${commands.map((each) => `\t\t${each.name}) ${each.name === "help" ? `${name}_help` : nameOf(`${path} ${each.name}`.trim())} ;;`).join("\n")}
		esac
		;;
	esac
}

${name}_help() {
	_arguments ${quoted(`1:command:(${commands.map((each) => each.name).join(" ")})`)}
}
`;
}

function nameOf(path: string): string {
	return ["_oci2iso", ...path.split(" ").filter((word) => word !== "")].join("_");
}

/** One for each name, that excludes the others unless the option may be repeated. */
function specsOf({ names, description, values, isOptional, isRepeatable }: CompletedOption): readonly string[] {
	const others = isRepeatable ? "*" : `(${names.join(" ")})`;
	return names.map((name) => {
		const isLong = name.startsWith("--");
		const value = values === undefined ? "" : `${isOptional ? "::" : ":"}value:${actionOf(values)}`;
		const sign = values === undefined ? "" : isOptional ? "=-" : isLong ? "=" : "+";
		return quoted(`${others}${name}${sign}[${description.replace(/[[\]\\]/g, "\\$&")}]${value}`);
	});
}

function actionOf(values: Values): string {
	if (typeof values !== "string") return `(${values.join(" ")})`;
	return { nothing: " ", file: "_files", directory: "_files -/", image: "_oci2iso_images", command: " " }[values];
}

function quoted(text: string): string {
	return `'${text.replaceAll("'", "'\\''")}'`;
}
