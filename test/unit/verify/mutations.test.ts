import { expect, it } from "vitest";
import { mutationCampaign, unjustified } from "../../support/verify-campaign.ts";
import { smallIso } from "../../support/verify-iso-fixture.ts";

// The whole campaign is in test/image: this is the part that the inner loop has time for.
it("reports mutations of what it checks", async () => {
	const iso = await smallIso({ stored: true });
	const before = Buffer.from(iso.bytes);
	const { missed } = await mutationCampaign(iso, 20, 100);
	expect(unjustified(missed)).toEqual([]);
	expect(iso.bytes.equals(before)).toBe(true);
});
