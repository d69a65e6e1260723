import { type CompletedCommand, DIRECTORY_TRANSPORTS, FILE_TRANSPORTS, TRANSPORTS, type Values } from "./model.ts";

/** A script that `source` makes completions of; it needs bash 4, and takes words as bash-completion splits them where that is there. */
export function bashCompletion(commands: readonly CompletedCommand[]): string {
	return `# bash completion for oci2iso: source <(oci2iso completion bash)
_oci2iso() {
	local cur words cword
	if declare -F _get_comp_words_by_ref >/dev/null; then
		_get_comp_words_by_ref -n := cur words cword
	else
		read -r -a words <<<"\${COMP_LINE:0:COMP_POINT}"
		[[ \${COMP_LINE:0:COMP_POINT} == *[[:space:]] ]] && words+=("")
		cword=$((\${#words[@]} - 1))
		cur=\${words[cword]}
	fi

	# the command, the options of it that take a value in the next word, and how many words are neither
	local path="" at places=0 skipped=0 taken=""
	for ((at = 1; at < cword; at++)); do
		((skipped)) && { skipped=0; continue; }
		case "$path/\${words[at]}" in
${cases(commands.flatMap(wordRows))}
${cases(commands.map(takingRow))}
		*/-*) ;;
		*) ((places++)) ;;
		esac
	done

	local option="" value=$cur
	if ((skipped)); then
		option=\${words[cword - 1]}
	elif [[ $cur == -*=* ]]; then
		option=\${cur%%=*} value=\${cur#*=}
	elif [[ $cur == -* ]]; then
		case "$path" in
${cases(commands.map(({ path, options }) => [quoted(path), `taken="${options.flatMap(({ names }) => names).join(" ")}"`]))}
		esac
		mapfile -t COMPREPLY < <(compgen -W "$taken" -- "$cur")
		return
	fi

	local kind=""
	case "$path/\${option:-$places}" in
${cases(commands.flatMap(optionRows))}
${cases(commands.flatMap(placeRows))}
	esac

	local prefix=""
	case "$kind" in
	words) mapfile -t COMPREPLY < <(compgen -W "$taken" -- "$value") ;;
	file) _oci2iso_paths -f "$value" ;;
	directory) _oci2iso_paths -d "$value" ;;
	image)
		case "$value" in
		${FILE_TRANSPORTS.map((each) => `${each}*`).join("|")}) prefix=\${value%%:*}: && _oci2iso_paths -f "\${value#*:}" ;;
		${DIRECTORY_TRANSPORTS.map((each) => `${each}*`).join("|")}) prefix=\${value%%:*}: && _oci2iso_paths -d "\${value#*:}" ;;
		*)
			compopt -o nospace
			mapfile -t COMPREPLY < <(compgen -W "${TRANSPORTS.join(" ")}" -- "$value")
			;;
		esac
		;;
	esac

	# bash replaces what is behind the last of its word breaks
	[[ $cur == -*=* ]] && prefix="\${cur%%=*}=$prefix"
	local breaks=\${COMP_WORDBREAKS//[^:=]/} broken=""
	[[ -n $breaks ]] && broken=\${cur%"\${cur##*[$breaks]}"}
	for at in "\${!COMPREPLY[@]}"; do
		COMPREPLY[at]=$prefix\${COMPREPLY[at]}
		COMPREPLY[at]=\${COMPREPLY[at]#"$broken"}
	done
}

# files or directories (compgen's option) whose names begin so
_oci2iso_paths() {
	compopt -o filenames
	mapfile -t COMPREPLY < <(compgen "$1" -- "\${2/#\\~\\//$HOME/}")
}

complete -F _oci2iso oci2iso
`;
}

type Row = readonly [pattern: string, action: string];

function wordRows({ path, commands }: CompletedCommand): readonly Row[] {
	const rows = commands.map(({ name }): Row => [quoted(`${path}/${name}`), `path=${quoted(`${path} ${name}`.trim())}`]);
	return rows.filter(([pattern]) => !pattern.endsWith('/help"'));
}

function takingRow({ path, options }: CompletedCommand): Row {
	const taking = options.filter(({ values, isOptional }) => values !== undefined && !isOptional);
	return [patternOf(path, ...taking.flatMap(({ names }) => names)), "skipped=1"];
}

function optionRows({ path, options }: CompletedCommand): readonly Row[] {
	return options.flatMap(({ names, values }) =>
		values === undefined || values === "nothing" ? [] : [[patternOf(path, ...names), kindOf(values)] as const],
	);
}

/** What is neither option nor value, from 0. A command that has commands has `help` with one of them too. */
function placeRows({ path, commands, arguments: values }: CompletedCommand): readonly Row[] {
	if (commands.length > 0) return [[patternOf(path, "0", "1"), wordsKind(commands.map(({ name }) => name))]];
	return values.map((each, index) => [patternOf(path, `${index}`), kindOf(each)]);
}

function patternOf(path: string, ...names: readonly string[]): string {
	return names.map((name) => quoted(`${path}/${name}`)).join("|");
}

function cases(rows: readonly Row[]): string {
	return rows
		.filter(([pattern]) => pattern !== "")
		.map(([pattern, action]) => `\t\t${pattern}) ${action} ;;`)
		.join("\n");
}

function kindOf(values: Values): string {
	return typeof values === "string" ? `kind=${values}` : wordsKind(values);
}

function wordsKind(words: readonly string[]): string {
	return `kind=words taken=${quoted(words.join(" "))}`;
}

function quoted(text: string): string {
	return `"${text}"`;
}
