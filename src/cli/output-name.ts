/** Where the ISO goes when `-o` is not given: `oci:/srv/images/bazzite:43` becomes `bazzite-43.iso` in the working directory. */
export function outputNameFor(image: string): string {
	const reference = image.replace(/^[a-z-]+:(\/\/|\[[^\]]*\])?/, "").replace(/@[a-z0-9]+:[0-9a-f]+$/, "");
	const last = reference.split("/").findLast((part) => part !== "" && part !== "." && part !== "..") ?? "";
	const name = last
		.replace(/\.(tar|tgz|oci|ociarchive)(\.(gz|zst))?(?=:|$)/, "")
		.replace(/[^A-Za-z0-9._-]+/g, "-")
		.replace(/^[-.]+|-+$/g, "");
	return `${name === "" ? "image" : name}.iso`;
}
