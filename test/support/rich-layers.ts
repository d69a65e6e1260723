import fc from "fast-check";
import type { Layers } from "../unit/tree/layers.ts";
import type { TarMember } from "./tar-fixtures.ts";

/** Random layers with what real images hold: contents of several blocks, sparse files, odd names, ids, times and attributes of every kind. */

const LONG = "l".repeat(255);
const name = fc.oneof(
	{ weight: 12, arbitrary: fc.constantFrom("a", "b", "c", "d") },
	{ weight: 1, arbitrary: fc.constantFrom(LONG, "\xff\xfe", "caf\xc3\xa9", " ", "-x", "a.b", "\n", "\\", "wh.a") },
);
const directoryPath = fc.array(name, { maxLength: 3 }).map((parts) => parts.join("/"));
const plainPath = fc.tuple(directoryPath, name).map(([parent, last]) => (parent === "" ? last : `${parent}/${last}`));
const path = fc
	.tuple(
		plainPath,
		fc.constantFrom(
			(text: string) => text,
			(text: string) => text,
			(text: string) => `./${text}`,
			(text: string) => `/${text}`,
			(text: string) => `../${text}`,
			(text: string) => text.replace("/", "//./"),
			(text: string) => `c/../${text}`,
		),
	)
	.map(([text, change]) => change(text));
const linkText = fc.oneof(
	{ weight: 4, arbitrary: plainPath },
	{ weight: 2, arbitrary: plainPath.map((text) => `/${text}`) },
	{ weight: 2, arbitrary: plainPath.map((text) => `../${text}`) },
	{
		weight: 1,
		arbitrary: fc.constantFrom(".", "..", "/", "missing", "missing/../a", "../../../b", `${"./".repeat(1900)}b`),
	},
);
const attributes = fc.record({
	mode: fc.oneof(fc.constantFrom(0o644, 0o755, 0o4755, 0o2755, 0o1777, 0, 0o7777), fc.integer({ min: 0, max: 0o7777 })),
	uid: fc.oneof(fc.constantFrom(0, 1000), fc.integer({ min: 0, max: 2 ** 32 - 2 })),
	gid: fc.oneof(fc.constantFrom(0, 65_534), fc.integer({ min: 0, max: 2 ** 32 - 2 })),
	mtime: fc.record({
		seconds: fc.oneof(
			fc.constantFrom(0, -1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 33, 1 - 2 ** 31),
			fc.integer({ min: 1_000_000_000, max: 1_700_000_000 }),
		),
		nanoseconds: fc.constantFrom(0, 0, 1, 500_000_000, 999_999_999),
	}),
});

type Xattrs = ReadonlyMap<string, Uint8Array>;
const value = fc.oneof(
	// Empty ones are lost on Go's tar, and so on umoci.
	fc.uint8Array({ minLength: 1, maxLength: 20 }),
	// Long enough to be stored once and referred to.
	fc.integer({ min: 0, max: 2 }).map((byte) => Buffer.alloc(200, byte)),
);
const xattrsOf = (...keys: string[]): fc.Arbitrary<Xattrs> =>
	fc.oneof(
		{ weight: 3, arbitrary: fc.constant<Xattrs>(new Map()) },
		{
			weight: 2,
			arbitrary: fc
				.uniqueArray(fc.constantFrom(...keys), { minLength: 1, maxLength: 3 })
				.chain((names) => fc.tuple(...names.map((key) => value.map((bytes) => [key, bytes] as const))))
				.map((pairs) => new Map(pairs)),
		},
	);
const CAPABILITY = Buffer.from("0100000200040000000000000000000000000000", "hex");
const fileXattrs = fc
	.tuple(xattrsOf("user.a", "user.b c", "trusted.one", "security.other", "trusted.caf\xe9"), fc.boolean())
	.map(([xattrs, capable]) => (capable ? new Map([...xattrs, ["security.capability", CAPABILITY]]) : xattrs));
/** The kernel lets nobody set `user.*` on anything but files and directories. umoci drops `security.selinux`. */
const nodeXattrs = xattrsOf("trusted.one", "trusted.two", "security.other");

/** Around the block sizes of the images (4096), with runs of zeros; few enough that some are equal. */
const content = fc
	.array(
		fc.record({
			length: fc.constantFrom(0, 1, 100, 511, 512, 513, 4095, 4096, 4097, 8192, 12_000),
			byte: fc.constantFrom(0, 0, 1, 0x61),
			isNoise: fc.boolean(),
		}),
		{ maxLength: 4 },
	)
	.map((parts) =>
		Buffer.concat(
			parts.map(({ length, byte, isNoise }) => {
				const bytes = Buffer.alloc(length, byte);
				if (isNoise && byte !== 0) for (let i = 0; i < length; i++) bytes[i] = Math.imul(i + byte, 0x9e37_79b1) >>> 24;
				return bytes;
			}),
		),
	);
/** Stands for the path of a member before, see `withTargets`. */
const earlier = fc.nat(1000).map((number) => `\0${number}`);
const sparse = fc.constantFrom(undefined, undefined, "gnu", "pax-0.0", "pax-0.1", "pax-1.0");

const member: fc.Arbitrary<TarMember> = fc.oneof(
	{
		weight: 8,
		arbitrary: fc
			.tuple(path, attributes, fileXattrs, content, sparse)
			.map(([path, attributes, xattrs, content, sparse]) => ({
				...{ path, ...attributes, xattrs, content },
				...(sparse === undefined ? {} : { sparse }),
			})),
	},
	{
		weight: 6,
		arbitrary: fc
			.tuple(path, attributes, fileXattrs)
			.map(([path, attributes, xattrs]) => ({ path: `${path}/`, type: "directory" as const, ...attributes, xattrs })),
	},
	{
		weight: 4,
		arbitrary: fc.tuple(path, attributes, linkText, nodeXattrs).map(([path, attributes, linkTarget, xattrs]) => ({
			path,
			type: "symlink" as const,
			...attributes,
			linkTarget,
			xattrs,
		})),
	},
	{
		weight: 4,
		arbitrary: fc
			.tuple(path, fc.oneof({ weight: 1, arbitrary: plainPath }, { weight: 4, arbitrary: earlier }))
			.map(([path, linkTarget]) => ({ path, type: "hard-link" as const, linkTarget })),
	},
	{
		weight: 2,
		arbitrary: fc
			.tuple(
				path,
				attributes,
				nodeXattrs,
				fc.constantFrom("character-device" as const, "block-device" as const),
				fc.constantFrom([0, 1], [1, 3], [8, 300], [4095, 2 ** 20 - 1], [259, 65_536]),
			)
			.map(([path, attributes, xattrs, type, [major = 0, minor = 0]]) => ({
				...{ path, type, major, minor, ...attributes, xattrs },
			})),
	},
	{
		weight: 1,
		arbitrary: fc
			.tuple(path, attributes, nodeXattrs)
			.map(([path, attributes, xattrs]) => ({ path, type: "fifo" as const, ...attributes, xattrs })),
	},
	{
		weight: 4,
		arbitrary: fc
			.tuple(directoryPath, name)
			.map(([parent, name]) => ({ path: `${parent === "" ? "" : `${parent}/`}.wh.${name.slice(0, 251)}` })),
	},
	{
		weight: 2,
		arbitrary: directoryPath.map((parent) => ({ path: `${parent === "" ? "" : `${parent}/`}.wh..wh..opq` })),
	},
	{ weight: 1, arbitrary: attributes.map((attributes) => ({ path: "./", type: "directory" as const, ...attributes })) },
);

/** Most hard links lead to something that an entry before, in this layer or below, has put there. */
function withTargets(layers: Layers): Layers {
	const paths: string[] = [];
	return layers.map((members) =>
		members.map((member) => {
			const { type = "file", path, linkTarget = "" } = member;
			if (type === "hard-link" && linkTarget.startsWith("\0"))
				return { ...member, linkTarget: paths[Number(linkTarget.slice(1)) % paths.length] ?? "a" };
			if (type !== "directory" && type !== "hard-link" && !path.includes(".wh.")) paths.push(path);
			return member;
		}),
	);
}

export const richLayers: fc.Arbitrary<Layers> = fc
	.array(fc.array(member, { minLength: 2, maxLength: 20, size: "max" }), { minLength: 1, maxLength: 4, size: "max" })
	.map(withTargets);
