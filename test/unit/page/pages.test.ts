import { describe, expect, it } from "vitest";
import { buildPage } from "../../../src/page/build-page.ts";
import { inspectionPage } from "../../../src/page/inspection-page.ts";
import { DETAILS, HOSTILE_TEXT, INSPECTION, REPORT, usageOf, withTexts } from "../../support/page-parts.ts";

const build = (report: typeof REPORT, { usage, ...details }: typeof DETAILS): Promise<string> =>
	buildPage(report, { ...details, diskUsage: () => Promise.resolve(usage) });
const both = async (change: (text: string) => string): Promise<string[]> => [
	await build(withTexts(REPORT, change), withTexts(DETAILS, change)),
	inspectionPage(withTexts(INSPECTION, change)),
];
/** Elements and attributes, without what is in them. */
const skeletonOf = (page: string): string[] =>
	(page.match(/<[^>]*>/g) ?? []).map((tag) => tag.replace(/"[^"]*"/g, '""'));

describe("a page", () => {
	it("has the same elements and attributes whatever an image's texts are", async () => {
		const hostile = await both((text) => text + HOSTILE_TEXT);
		const plain = await both((text) => text + HOSTILE_TEXT.replace(/[^/]/g, "x"));
		expect(hostile.map(skeletonOf)).toEqual(plain.map(skeletonOf));
		for (const page of hostile) {
			expect(page).not.toMatch(/<(script|img|iframe|link|base|foreignObject)\b/i);
			expect(page).toMatch(/content="default-src &#39;none&#39;; style-src &#39;sha256-[^ ]+&#39;; base-uri/);
			expect(page.replace(/\n/g, "")).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
		}
	});

	it("shows what is wrong where it goes wrong, and what to do", async () => {
		for (const page of await both((text) => text)) {
			expect(page).toMatch(/<li class="step blocker"><b>Menu<\/b>/);
			expect(page).toMatch(/<li class="step ok"><b>Kernel<\/b>/);
			expect(page).toContain("<pre><code>RUN apt-get\n</code></pre>");
			// what Secure Boot alone refuses is in its picture alone
			expect(page.match(/<li class="step blocker"><b>Boot loader<\/b>/g)).toHaveLength(1);
		}
	});

	it("has rows that come to the ISO's size", async () => {
		const page = await build(REPORT, DETAILS);
		const [medium = ""] = page.split("</table>");
		const rows = [...medium.matchAll(/<td class="text">([^<]+)<\/td><td class="n">(\d+)<\/td>/g)];
		const top = rows.filter(([, name = ""]) => !name.startsWith("—") && name !== "all");
		expect(top.reduce((sum, [, , bytes]) => sum + Number(bytes), 0)).toBe(REPORT.iso?.byteLength);
	});

	it("is bounded, however much there is", async () => {
		const times = <Item>(count: number, item: Item): Item[] => Array.from({ length: count }, () => item);
		const findings = times(20_000, INSPECTION.findings[0] as (typeof INSPECTION.findings)[0]);
		const files = Array.from({ length: 60 }, (_, index) => usageOf(`file ${index}`, 1000));
		const usage = Array.from({ length: 100 }, (_, layer) => ({
			layer,
			...usageOf("/", 9e6, [usageOf("d", 9e6, files)]),
		}));
		const [layer, region] = [
			REPORT.layers[0] as (typeof REPORT.layers)[0],
			DETAILS.regions[3] as (typeof DETAILS.regions)[0],
		];
		const report = {
			...REPORT,
			plan: { ...REPORT.plan, exclude: times(50_000, "x") },
			layers: times(100, layer),
			checks: { ...REPORT.checks, findings },
			choices: findings,
			losses: times(20_000, "a loss"),
			notices: times(20_000, "a notice"),
		};
		const page = await build(report, { ...DETAILS, usage, regions: times(20_000, region), passed: findings });
		expect(page.length).toBeLessThan(400_000);
		const long = await both((text) => text + "\u202e".repeat(100_000));
		for (const each of long) expect(each.length).toBeLessThan(400_000);
	});
});
