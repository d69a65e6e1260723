import { debianFixture, FIXTURE_NEEDS, newestProfile } from "./fixture.ts";
import { requires } from "./requires.ts";

// Makes the real images before tests ask for them: what cannot be made here, they say.
if (requires(...FIXTURE_NEEDS) === undefined) {
	await debianFixture().catch(() => undefined);
	await newestProfile()
		.then(debianFixture)
		.catch(() => undefined);
}
