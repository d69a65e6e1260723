import { Oci2isoError } from "../../src/errors.ts";

/** `KIND CODE` of the `Oci2isoError` that the action throws; "no error" when it throws none. Anything else is thrown on. */
export function codeOf(action: () => unknown): string {
	try {
		action();
	} catch (error) {
		if (error instanceof Oci2isoError) return `${error.kind} ${error.code}`;
		throw error;
	}
	return "no error";
}
