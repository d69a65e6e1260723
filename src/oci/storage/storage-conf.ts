import { parse, TomlError } from "smol-toml";
import * as z from "zod";
import { unsupported } from "../failures.ts";
import { describeIssue } from "../schema-issue.ts";

/** What containers-storage.conf(5) says of where images are. */
export interface StorageConf {
	readonly driver?: string | undefined;
	readonly graphRoot?: string | undefined;
	/** Where images are, where that is not the graph root. */
	readonly imageStore?: string | undefined;
	readonly rootlessStoragePath?: string | undefined;
	readonly additionalImageStores: readonly string[];
}

const fileSchema = z.object({
	storage: z
		.object({
			driver: z.string().optional(),
			graphroot: z.string().optional(),
			imagestore: z.string().optional(),
			rootless_storage_path: z.string().optional(),
			options: z
				.object({
					// beside paths there may be what says whether they are added to those of other files
					additionalimagestores: z.array(z.union([z.string(), z.object({ append: z.boolean() })])).optional(),
				})
				.default({}),
		})
		.default({ options: {} }),
});

/** Throws `Oci2isoError` STORAGE_CONF_INVALID (exit 2) with file, line and column or field. */
export function parseStorageConf({ path, text }: { readonly path: string; readonly text: string }): StorageConf {
	let document: unknown;
	try {
		document = parse(text);
	} catch (error) {
		throw invalid("is not TOML", error instanceof TomlError ? `${path}:${error.line}:${error.column}` : path);
	}
	const result = fileSchema.safeParse(document);
	if (!result.success) {
		const { field, expected } = describeIssue(result.error);
		throw invalid(`field ${field} is not ${expected}`, path);
	}
	const { driver, graphroot, imagestore, rootless_storage_path, options } = result.data.storage;
	const given = (value: string | undefined): string | undefined => (value === "" ? undefined : value);
	return {
		driver: given(driver),
		graphRoot: given(graphroot),
		imageStore: given(imagestore),
		rootlessStoragePath: given(rootless_storage_path),
		additionalImageStores: (options.additionalimagestores ?? []).filter((each) => typeof each === "string"),
	};
}

function invalid(what: string, where: string) {
	return unsupported("STORAGE_CONF_INVALID", `storage.conf ${what}`, where, "see containers-storage.conf(5)");
}
