/** For people: `1.5 MiB`. */
export function formatSize(bytes: number): string {
	const units = ["B", "KiB", "MiB", "GiB", "TiB"];
	const power = bytes < 1024 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10));
	return `${(bytes / 1024 ** power).toFixed(power === 0 ? 0 : 1)} ${units[power]}`;
}
