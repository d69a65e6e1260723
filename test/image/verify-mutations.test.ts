import { beforeAll, describe, expect, it } from "vitest";
import { memorySource, region } from "../../src/binary/byte-source.ts";
import { Findings } from "../../src/findings/findings.ts";
import { APPLICATION_USE_OFFSET } from "../../src/formats/isomd5/media-checksum.ts";
import { checkMediaChecksum } from "../../src/verify/media-checksum-check.ts";
import { verifyIso } from "../../src/verify/verify-iso.ts";
import { roundsOf } from "../support/slow.ts";
import { JUSTIFIED_MISSES, mutationCampaign, unjustified } from "../support/verify-campaign.ts";
import { type SmallIso, smallIso } from "../support/verify-iso-fixture.ts";
import { mutateBytes, randomNumbers } from "../support/verify-mutations.ts";

const MUTATIONS = roundsOf(1500);
const SLOWEST_MILLISECONDS = 20_000;

describe("single changes to a good ISO", () => {
	let iso: SmallIso;
	beforeAll(async () => {
		iso = await smallIso({ stored: true });
	});

	it(`are reported: ${MUTATIONS} of fields and bytes in everything that is checked, none crashes or hangs`, async () => {
		const { mutations, counts, missed, slowestMilliseconds } = await mutationCampaign(iso, 1, MUTATIONS);
		const known = missed.length - unjustified(missed).length;
		process.stdout.write(
			`mutations: ${mutations} in ${counts.size} areas, ${mutations - missed.length} reported, ${missed.length} missed ` +
				`(${known} known), slowest ${Math.round(slowestMilliseconds)} ms\n`,
		);
		for (const miss of missed) {
			const why = JUSTIFIED_MISSES.find(({ pattern }) => pattern.test(miss))?.why ?? "UNEXPECTED";
			process.stdout.write(`  missed: ${miss} (${why})\n`);
		}
		expect(mutations).toBeGreaterThanOrEqual(MUTATIONS * 0.8);
		expect([...counts.values()].every((count) => count >= MUTATIONS / 240)).toBe(true);
		expect(unjustified(missed)).toEqual([]);
		expect(slowestMilliseconds).toBeLessThan(SLOWEST_MILLISECONDS);
	});

	it("are reported wherever the image is cut", async () => {
		const random = randomNumbers(2);
		const lengths = [0, 1, 511, 512, 32_768, 34_816, iso.bytes.byteLength - 1, iso.bytes.byteLength - 512];
		for (let i = 0; i < 60; i++) lengths.push(random(iso.bytes.byteLength));
		for (const length of lengths) {
			const source = region(memorySource(iso.bytes), 0, length);
			const { verdict } = await verifyIso(source, { ...iso, mediaChecksum: false });
			expect([length, verdict]).toEqual([length, "fail"]);
		}
	});

	it("are reported by the media checksum, in what it covers and in itself", async () => {
		const random = randomNumbers(3);
		const covered = { name: "hashed", start: 0, byteLength: iso.bytes.byteLength - 15 * 2048 };
		const area = { name: "application use", start: APPLICATION_USE_OFFSET, byteLength: 512 };
		for (let i = 0; i < 60; i++) {
			const mutation = mutateBytes(iso.bytes, i % 2 === 0 ? covered : area, random);
			// Only the mark of a supported medium may be 0 or 1.
			const findings = new Findings();
			try {
				await checkMediaChecksum(memorySource(iso.bytes), findings);
			} catch (error) {
				findings.caught(error);
			}
			mutation.undo();
			expect([mutation.what, findings.faults > 0]).toEqual([mutation.what, true]);
		}
	});
});
