import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { beforeAll, describe, expect, it } from "vitest";
import { buildPage } from "../../src/page/build-page.ts";
import { inspectionPage } from "../../src/page/inspection-page.ts";
import { type OpenPage, openInBrowser } from "../support/browser.ts";
import { oci2iso } from "../support/cli.ts";
import { FIXTURE_NEEDS } from "../support/fixture.ts";
import { DETAILS, HOSTILE_TEXT, INSPECTION, REPORT, withTexts } from "../support/page-parts.ts";
import { requires } from "../support/requires.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";
import { thinImage } from "../support/thin-image.ts";

const noImage = requires(...FIXTURE_NEEDS);
const noBrowser = requires("chromium");
const work = temporaryDirectory("report-page");

async function inBrowser<Result>(path: string, look: (page: OpenPage) => Promise<Result>): Promise<Result> {
	const page = await openInBrowser(pathToFileURL(path).href);
	try {
		return await look(page);
	} finally {
		await page.close();
	}
}

/** Boxes of the picture and how many of them and of its texts can be seen, and what runs off the window. */
const LOOK = `(() => {
	const boxes = [...document.querySelectorAll("svg.treemap rect, svg.treemap text")].map((each) => each.getBBox());
	const picture = document.querySelector("svg.treemap")?.getBoundingClientRect();
	return {
		boxes: boxes.length,
		visible: boxes.filter(({ width, height }) => width > 0 && height > 0).length,
		area: picture === undefined ? 0 : picture.width * picture.height,
		steps: [...document.querySelectorAll(".step")].filter((step) => step.getBoundingClientRect().height > 20).length,
		overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
		background: getComputedStyle(document.body).backgroundColor,
		pwned: String(window.pwned),
		active: document.querySelectorAll("script, iframe, img, link, base, object, embed, a, foreignObject").length,
	};
})()`;

interface Look {
	readonly boxes: number;
	readonly visible: number;
	readonly area: number;
	readonly steps: number;
	readonly overflow: number;
	readonly background: string;
	readonly pwned: string;
	readonly active: number;
}

describe.skipIf(noImage !== undefined)("the page of a real build", () => {
	const iso = join(work, "live.iso");
	const path = join(work, "live.html");
	let layout = "";

	beforeAll(async () => {
		layout = await thinImage();
		const options = ["--platform", "linux/amd64", "--preset", "fast", "--report", path, "-o", iso];
		expect(await oci2iso(["build", `oci:${layout}:latest`, ...options])).toMatchObject({ status: 0 });
	});

	it("names its layers, and its rows come to the ISO's size", () => {
		const page = readFileSync(path, "utf8");
		expect(page.length).toBeLessThan(200_000);
		const blob = (digest: string) => readFileSync(join(layout, "blobs", ...digest.split(":")), "utf8");
		const index = JSON.parse(readFileSync(join(layout, "index.json"), "utf8"));
		const { layers } = JSON.parse(blob(index.manifests[0].digest)) as { layers: { digest: string }[] };
		for (const { digest } of layers) expect(page).toContain(`(${digest.slice(7, 19)})`);
		const [medium = ""] = page.split("</table>");
		const rows = [...medium.matchAll(/<td class="text">([^<]+)<\/td><td class="n">(\d+)<\/td>/g)];
		const sum = (isWanted: (name: string) => boolean) =>
			rows.filter(([, name = ""]) => isWanted(name)).reduce((total, [, , bytes]) => total + Number(bytes), 0);
		const { size } = statSync(iso);
		expect(sum((name) => name === "all")).toBe(size);
		expect(sum((name) => name !== "all" && !name.startsWith("—"))).toBe(size);
		const squashfs = sum((name) => name === "squashfs");
		expect(squashfs).toBeGreaterThan(size / 4);
		expect(sum((name) => /^— (layer|its tables)/.test(name))).toBe(squashfs);
	});

	it("is written by inspect too, beside JSON and the exit status", async () => {
		const report = join(work, "inspection.html");
		const image = `oci:${layout}:latest`;
		const args = ["inspect", image, "--platform", "linux/amd64", "--label", "OTHER", "--report"];
		const { status, stdout } = await oci2iso([...args, report, "--json"]);
		expect(status).toBe(3);
		expect(JSON.parse(stdout.toString())).toMatchObject({ isBootable: false });
		expect(readFileSync(report, "utf8")).toContain("✕ does not build or boot");
		expect(await oci2iso([...args, report])).toMatchObject({ status: 6 });
		expect(await oci2iso([...args, join(layout, "index.json"), "--overwrite"])).toMatchObject({ status: 2 });
		const json = await oci2iso([...args, "-"]);
		expect(JSON.parse(json.stdout.toString())).toMatchObject({ isBootable: false });
	});

	it.skipIf(noBrowser !== undefined)("shows every box in a browser, light, dark, narrow and printed", async () => {
		await inBrowser(path, async (page) => {
			const light = await page.evaluate<Look>(LOOK);
			expect(light.boxes).toBeGreaterThan(100);
			expect(light).toMatchObject({ visible: light.boxes, steps: 25, overflow: 0, active: 0 });
			expect(light.area).toBeGreaterThan(100_000);
			const features = [{ name: "prefers-color-scheme", value: "dark" }];
			await page.send("Emulation.setEmulatedMedia", { features });
			const size = { width: 400, height: 800, deviceScaleFactor: 1, mobile: true };
			await page.send("Emulation.setDeviceMetricsOverride", size);
			const narrow = await page.evaluate<Look>(LOOK);
			expect(narrow).toMatchObject({ visible: narrow.boxes, overflow: 0 });
			expect(narrow.background).not.toBe(light.background);
			const { data } = await page.send("Page.printToPDF");
			expect(
				Buffer.from(data as string, "base64")
					.subarray(0, 5)
					.toString(),
			).toBe("%PDF-");
			expect(page.events).toEqual([]);
		});
	});
});

describe.skipIf(noBrowser !== undefined)("a page of hostile texts", () => {
	it("runs and loads nothing in a browser", async () => {
		const change = (text: string) => text + HOSTILE_TEXT;
		const { usage, ...details } = withTexts(DETAILS, change);
		const build = await buildPage(withTexts(REPORT, change), { ...details, diskUsage: () => Promise.resolve(usage) });
		for (const [name, text] of Object.entries({ build, inspection: inspectionPage(withTexts(INSPECTION, change)) })) {
			const path = join(work, `${name}.html`);
			writeFileSync(path, text);
			await inBrowser(path, async (page) => {
				// moved over everything that could listen
				await page.evaluate(
					`for (const each of document.querySelectorAll("*")) each.dispatchEvent(new Event("mouseover"))`,
				);
				const look = await page.evaluate<Look>(LOOK);
				expect(look).toMatchObject({ pwned: "undefined", active: 0, overflow: 0, visible: look.boxes, steps: 25 });
				expect(page.events).toEqual([]);
			});
		}
	});

	it("would be stopped by its policy where a text came through", async () => {
		const page = inspectionPage(INSPECTION);
		const path = join(work, "broken.html");
		writeFileSync(path, page.replace("</header>", `<script>window.pwned=1</script><img src="http://127.0.0.1:9/x">`));
		await inBrowser(path, async (open) => {
			expect(await open.evaluate("String(window.pwned)")).toBe("undefined");
			expect(open.events.filter((event) => event.includes("Content Security Policy")).length).toBeGreaterThanOrEqual(2);
		});
	});
});
