import { expect, test } from "vitest";
import { deriveIdentifiers } from "../../../../src/exporters/iso/identifiers.ts";

test("identifiers depend on the ingredients alone, differ from each other, and are version 8 GUIDs", () => {
	const { guids, fatVolumeId } = deriveIdentifiers({ digest: "x" });
	expect({ guids, fatVolumeId }).toEqual(deriveIdentifiers({ digest: "x" }));
	const other = deriveIdentifiers({ digest: "y" });
	const all = [...Object.values(guids), ...Object.values(other.guids)];
	expect(new Set(all).size).toBe(8);
	expect(fatVolumeId).not.toBe(other.fatVolumeId);
	for (const guid of all) expect(guid).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
});
