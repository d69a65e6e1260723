export { Oci2isoError } from "./errors.ts";
