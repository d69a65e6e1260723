import { debianFixture, FIXTURE_NEEDS } from "./fixture.ts";
import { requires } from "./requires.ts";

// Makes the real images before tests ask for them: what cannot be made here, they say.
if (requires(...FIXTURE_NEEDS) === undefined)
	for (const profile of ["debian", "trixie", "sid"]) await debianFixture(profile).catch(() => undefined);
