import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type PlanOptions, resolveOptions, resolvePlanOptions } from "../../../src/build/options.ts";
import {
	type BuildPlan,
	checkPlan,
	epochSeconds,
	MAX_PLAN_BYTES,
	makePlan,
	parsePlan,
	requireEncoder,
} from "../../../src/build/plan.ts";
import { Oci2isoError } from "../../../src/errors.ts";
import type { OciImage } from "../../../src/oci/open-image.ts";

const DIGEST = `sha256:${"a".repeat(64)}`;
const OTHER = `sha256:${"b".repeat(64)}` as const;
const image = {
	reference: "oci:x",
	manifestDigest: DIGEST,
	platform: { os: "linux", architecture: "amd64" },
	config: { createdSeconds: 7 },
} as unknown as OciImage;
const base = { image: "oci:x", sourceDateEpoch: 5 };

const planOf = (options: Partial<PlanOptions>): Promise<BuildPlan> => {
	const buildroot =
		options.buildroot === undefined ? undefined : { reference: options.buildroot, manifestDigest: OTHER };
	const payload = (options.payload ?? []).map((reference) => ({ reference, manifestDigest: OTHER }));
	const also = (options.also ?? []).map(({ name, image: reference }) => ({
		name,
		image: { reference, manifestDigest: OTHER },
	}));
	return makePlan(image, resolvePlanOptions({ ...base, ...options }), buildroot, payload, also);
};
const bytesOf = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
const plan = await planOf({});

function refusal(attempt: () => unknown): Oci2isoError {
	try {
		attempt();
	} catch (error) {
		if (error instanceof Oci2isoError) return error;
		throw error;
	}
	throw new Error("it was accepted");
}

describe("a plan", () => {
	const shaping: Required<
		Omit<PlanOptions, keyof typeof working | "image" | "preset" | "platform" | "payloadFormat" | "payloadPlace">
	> = {
		label: "L",
		kernel: "1.0",
		devicetree: ["a/b.dtb"],
		vendor: "test",
		buildroot: "oci:y",
		payload: ["oci:z"],
		also: [{ name: "a", image: "oci:a" }],
		bootloader: "grub2",
		exclude: ["x"],
		defaultExcludes: false,
		dropXattr: ["user.*"],
		selinux: "policy",
		allRoot: true,
		rootfs: "erofs",
		bcj: "x86",
		fragments: false,
		alwaysUseFragments: true,
		exports: false,
		comp: "gzip",
		level: 9,
		blockSize: 4096,
		tools: "buildroot",
		sourceDateEpoch: 6,
	};
	const working = {
		output: "-",
		overwrite: true,
		checksum: ["sha256"],
		sbom: ["spdx"],
		pxeBaseUrl: "http://h.example/x",
		force: true,
		requireSecureBoot: true,
		allowUnconfinedTools: true,
		jobs: 3,
		cache: "c",
		cacheSize: 1,
		cacheFrom: ["r.example/x"],
		cacheTo: "r.example/x",
		cacheKeyFile: "k",
		authFile: "a",
		creds: "u:p",
		tlsVerify: false,
		certDir: "d",
		transferPolicy: {},
		maxLayerBytes: 1,
		maxInodes: 1,
		signal: new AbortController().signal,
		onEvent: () => {},
		onLayout: () => {},
		onReport: () => Promise.resolve(),
	} as const;

	it("is another one for every option that shapes bytes", async () => {
		const texts = new Set([JSON.stringify(plan)]);
		const besides: Record<string, Partial<PlanOptions>> = { bcj: { comp: "xz" }, payload: { payloadFormat: "oci" } };
		for (const [name, value] of Object.entries(shaping))
			texts.add(JSON.stringify(await planOf({ [name]: value, ...besides[name] })));
		expect(texts.size).toBe(Object.keys(shaping).length + 1);
	});

	it("has the filter of xz that kernels for arm64 have, unless another is asked for", async () => {
		const arm64 = { ...image, platform: { os: "linux", architecture: "arm64" } };
		const filterOf = async (options: Partial<PlanOptions>) =>
			(await makePlan(arm64, resolvePlanOptions({ ...base, ...options }))).rootfs.bcj;
		expect(await filterOf({ comp: "xz" })).toBe("arm64");
		expect(await filterOf({ comp: "xz", bcj: "none" })).toBe("none");
		expect(await filterOf({})).toBeUndefined();
	});

	it("is the same for every option that shapes none", async () => expect(await planOf(working)).toEqual(plan));

	it("says the time, the level and the default list, whatever is left out", async () => {
		expect(plan).toMatchObject({ version: 1, sourceDateEpoch: 5, image: { manifestDigest: DIGEST } });
		expect(plan.defaultExcludes).toContain("var/lib/rpm/.*");
		expect(plan.rootfs).toMatchObject({ format: "squashfs", comp: "zstd", level: 6, blockSize: 1048576 });
		expect((await planOf({ comp: "none" })).rootfs).toMatchObject({ level: 0, encoder: "none" });
		expect((await planOf({ tools: "auto" })).tools).toBe("builtin");
		expect((await planOf({ defaultExcludes: false })).defaultExcludes).toEqual([]);
	});

	it("is what comes out of its text", () => {
		const text = fc.string({ unit: "binary", minLength: 1 });
		const plans = fc.record(
			{
				...Object.fromEntries(Object.entries(plan).map(([name, value]) => [name, fc.constant(value)])),
				exclude: fc.array(text),
				dropXattr: fc.array(text),
				defaultExcludes: fc.constantFrom([], plan.defaultExcludes),
				label: fc.constantFrom("L", "ä b.c"),
				kernel: fc.constantFrom("1.0", "6.1-x"),
				sourceDateEpoch: fc.nat(),
				image: fc.record({
					reference: text,
					manifestDigest: fc.constant(DIGEST),
					platform: fc.constantFrom("linux/amd64", "linux/arm64/v8"),
				}),
				rootfs: fc.record({
					format: fc.constant("squashfs"),
					comp: fc.constantFrom("zstd", "none"),
					level: fc.integer(),
					blockSize: fc.nat(8).map((power) => 4096 * 2 ** power),
					encoder: text,
				}),
			},
			{ requiredKeys: Object.keys(plan) as never },
		);
		fc.assert(fc.property(plans, (made) => void expect(parsePlan(bytesOf(made))).toEqual(made)));
	});

	it("is one, or there is an error that says what is wrong, whatever the text and the value", () => {
		const attempt = (read: () => unknown): void => {
			try {
				read();
			} catch (error) {
				expect(error).toMatchObject({ exitStatus: 2, code: expect.stringMatching(/^PLAN_|^INVALID_OPTION$/) });
			}
		};
		const broken = fc
			.tuple(fc.constantFrom(...Object.keys(plan), "rootfs.level", "image.platform"), fc.jsonValue())
			.map(([path, value]) => {
				const [name = "", inner] = path.split(".");
				const old = plan[name as keyof BuildPlan] as object;
				return { ...plan, [name]: inner === undefined ? value : { ...old, [inner]: value } };
			});
		fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => attempt(() => parsePlan(bytes))));
		fc.assert(fc.property(fc.anything(), (value) => attempt(() => checkPlan(value))));
		fc.assert(fc.property(broken, (value) => attempt(() => parsePlan(bytesOf(value)))));
	});

	it.each([
		["no JSON", "{", "PLAN_INVALID", "plan"],
		["no UTF-8", Buffer.from([0x22, 0xff, 0x22]), "PLAN_INVALID", "plan"],
		["a text", '"plan"', "PLAN_INVALID", "plan"],
		["no field", "{}", "PLAN_INVALID", "version"],
		["too long", Buffer.alloc(MAX_PLAN_BYTES + 1, " "), "PLAN_INVALID", "plan"],
		["deep", `${"[".repeat(400_000)}${"]".repeat(400_000)}`, "PLAN_INVALID", "plan"],
		["another version", { version: 2 }, "PLAN_UNSUPPORTED", "version"],
		["of another oci2iso", { oci2iso: "99.0.0" }, "PLAN_UNSUPPORTED", "oci2iso"],
		["an unknown field", { jobs: 4 }, "PLAN_INVALID", "jobs"],
		["an unknown field within", { rootfs: { ...plan.rootfs, threads: 4 } }, "PLAN_INVALID", "rootfs.threads"],
		["a field of the prototype", '{"__proto__": {}}', "PLAN_INVALID", "version"],
		["a wrong type", { sourceDateEpoch: "now" }, "PLAN_INVALID", "sourceDateEpoch"],
		["a time out of range", { sourceDateEpoch: 1e300 }, "PLAN_INVALID", "sourceDateEpoch"],
		[
			"a digest cut short",
			{ image: { ...plan.image, manifestDigest: "sha256:00" } },
			"PLAN_INVALID",
			"image.manifestDigest",
		],
		["another list of defaults", { defaultExcludes: ["var/.*"] }, "PLAN_INVALID", "defaultExcludes"],
		["another exporter", { medium: { ...plan.medium, exporter: "tape" } }, "PLAN_INVALID", "medium.exporter"],
		["a kernel elsewhere", { kernel: "../x" }, "PLAN_INVALID", "kernel"],
		["tools of a host", { tools: "host" }, "INVALID_OPTION", "tools"],
	])("that is %s is refused by its field", (_, given, code, where) => {
		const bytes = typeof given === "string" ? Buffer.from(given) : given;
		const error = refusal(() => parsePlan(bytes instanceof Uint8Array ? bytes : bytesOf({ ...plan, ...bytes })));
		expect(error).toMatchObject({ code, where, exitStatus: 2 });
		expect(error.expected).toBeTruthy();
	});

	it("is refused where its encoder is another one", async () => {
		await requireEncoder(plan);
		await requireEncoder(await planOf({ comp: "none" }));
		const changed = (rootfs: object): Promise<void> =>
			requireEncoder({ ...plan, rootfs: { ...plan.rootfs, ...rootfs } });
		await expect(changed({ encoder: "zstd 0.1 (native addon)" })).rejects.toMatchObject({
			code: "PLAN_UNSUPPORTED",
			where: "rootfs.encoder",
			expected: plan.rootfs.encoder,
			remedy: expect.any(String),
		});
		await expect(changed({ level: 99 })).rejects.toMatchObject({ code: "LEVEL_OUT_OF_RANGE" });
		await expect(changed({ comp: "none", level: 3, encoder: "none" })).rejects.toMatchObject({ exitStatus: 2 });
	});

	it("is made of patterns that can be read", async () => {
		await expect(planOf({ exclude: ["("] })).rejects.toMatchObject({ code: "INVALID_PATTERN" });
	});

	it("takes what shapes nothing beside it, and nothing else", () => {
		expect(resolveOptions({ plan, ...working }).work).toMatchObject({ jobs: 3, outputs: [{ kind: "iso", path: "-" }] });
		const given = { ...shaping, platform: "linux/amd64", preset: "fast", image: "oci:y" };
		const { problems } = refusal(() => resolveOptions({ plan, output: "x.iso", ...given } as never));
		expect(problems.map(({ where }) => where).sort()).toEqual(Object.keys(given).sort());
		expect(refusal(() => resolveOptions({ plan: "p.json", output: "x" } as never)).where).toBe("plan");
		expect(refusal(() => resolveOptions({ plan } as never)).where).toBe("output");
	});
});

describe("the epoch", () => {
	it("comes from the option, the environment, the image, in this order", () => {
		expect(epochSeconds(5, "6", 7)).toBe(5);
		expect(epochSeconds(undefined, "6", 7)).toBe(6);
		expect(epochSeconds(undefined, undefined, 7)).toBe(7);
		expect(epochSeconds(undefined, "", undefined)).toBe(0);
		expect(epochSeconds(undefined, undefined, -99)).toBe(0);
	});

	it("refuses an environment that is no number of seconds", () => {
		for (const text of ["now", "-1", "1e9", "99999999999"])
			expect(() => epochSeconds(undefined, text, undefined)).toThrow("SOURCE_DATE_EPOCH");
	});
});
