/** What help and manual pages say of a command beside its options. */
export interface CommandNotes {
	/** A command line, and what it does. */
	readonly examples: readonly (readonly [line: string, what: string])[];
	readonly statuses: readonly number[];
}

/** What each exit status means (errors.ts). */
export const EXIT_STATUSES: ReadonlyMap<number, string> = new Map([
	[0, "done"],
	[1, "a bug of oci2iso"],
	[2, "usage"],
	[3, "the image does not meet the contract, or would not boot"],
	[4, "registry, network or authentication"],
	[5, "corrupt or hostile input"],
	[6, "the output could not be written, or this machine's limits do not allow the work"],
	[7, "a tool of the image failed"],
	[8, "verification found differences"],
	[130, "interrupted, by SIGINT; 129 by SIGHUP, 143 by SIGTERM"],
]);

/** Variables, and what they say. */
export const ENVIRONMENT: readonly (readonly [name: string, what: string])[] = [
	["TMPDIR", "directory for an ISO on its way to standard output, and for the image's tools"],
	["XDG_CACHE_HOME, HOME", "where the cache is: oci2iso in the one, .cache/oci2iso in the other"],
	["SOURCE_DATE_EPOCH", "--source-date-epoch where that is not given"],
	["REGISTRY_AUTH_FILE, DOCKER_CONFIG", "where credentials of registries are"],
	["CONTAINERS_REGISTRIES_CONF, CONTAINERS_STORAGE_CONF", "other places of registries.conf and storage.conf"],
	["HTTPS_PROXY, HTTP_PROXY, NO_PROXY", "proxies for registries, in lower case too"],
	["COLUMNS, TERM, CI", "how wide help is, and whether progress is drawn"],
];

const IMAGE_STATUSES = [0, 1, 2, 3, 4, 5, 6, 130];
const CACHE = { examples: [], statuses: [0, 1, 2, 6, 130] };

/** By the words of the command. */
export const NOTES: Readonly<Record<string, CommandNotes>> = {
	oci2iso: {
		examples: [
			["oci2iso inspect quay.io/org/live:1", "would it boot, and what is missing"],
			["oci2iso build quay.io/org/live:1 -o live.iso", "the ISO"],
			["oci2iso verify live.iso --image quay.io/org/live:1", "is every byte of it what the image says"],
		],
		statuses: [...EXIT_STATUSES.keys()],
	},
	"oci2iso build": {
		examples: [
			["oci2iso build quay.io/org/live:1 -o live.iso", "straight from a registry"],
			["oci2iso build localhost/live:1 -o live.iso", "an image that podman built"],
			["oci2iso build oci:live:1 --preset small --report live.json -o - | ssh host 'cat > live.iso'", "no file here"],
		],
		statuses: [0, 1, 2, 3, 4, 5, 6, 7, 130],
	},
	"oci2iso inspect": {
		examples: [
			["oci2iso inspect quay.io/org/live:1", "findings, with the lines that the Containerfile lacks"],
			["oci2iso inspect oci:live:1 --require-secure-boot --quiet && echo boots", "in a script"],
			["oci2iso inspect oci-archive:live.tar --json | jq .bootPaths", "for programs"],
		],
		statuses: IMAGE_STATUSES,
	},
	"oci2iso verify": {
		examples: [
			["oci2iso verify live.iso", "structures, boot paths, signatures, media checksum"],
			["oci2iso verify live.iso --image oci:live:1", "and every byte against the image"],
			["oci2iso verify live.iso --no-secure-boot --json", "one that is not signed, for programs"],
		],
		statuses: [0, 1, 2, 4, 5, 6, 8, 130],
	},
	"oci2iso doctor": {
		examples: [
			["oci2iso doctor", "what this machine can do"],
			["oci2iso doctor --quiet || exit", "in a script"],
			["oci2iso doctor --json | jq '.findings[] | select(.severity != \"ok\")'", "for programs"],
		],
		statuses: [0, 1, 2, 6, 130],
	},
	"oci2iso completion": {
		examples: [
			["source <(oci2iso completion bash)", "bash, in ~/.bashrc"],
			[`oci2iso completion zsh > "\${fpath[1]}/_oci2iso"`, "zsh, once"],
			["oci2iso completion fish > ~/.config/fish/completions/oci2iso.fish", "fish, once"],
		],
		statuses: [0, 1, 2, 6],
	},
	"oci2iso cache": {
		examples: [
			["oci2iso cache ls", "what is kept"],
			["oci2iso cache prune --cache-size 2G", "make room"],
			["oci2iso cache verify", "check every checksum"],
		],
		statuses: [0, 1, 2, 6, 8, 130],
	},
	"oci2iso cache ls": CACHE,
	"oci2iso cache prune": CACHE,
	"oci2iso cache verify": { ...CACHE, statuses: [...CACHE.statuses.slice(0, -1), 8, 130] },
};
