/** A report of such a name is a page for a browser, any other is JSON. */
export function isPage(path: string): boolean {
	return /\.html?$/i.test(path);
}
