import type { ByteString } from "../binary/byte-string.ts";

export interface LiveArguments {
	/** Labels that the arguments name, with `\xNN` decoded as udev encodes them. */
	readonly labels: readonly ByteString[];
	/** Where dracut's live module looks on that medium, without leading slash; undefined where no live root is asked for. */
	readonly squashfsPath: ByteString | undefined;
}

/** What the kernel arguments say about the medium (dracut.cmdline(7), "Booting live images"; Anaconda's boot options). */
export function readLiveArguments(words: readonly ByteString[]): LiveArguments {
	const labels: ByteString[] = [];
	let isLive = false;
	let directory = "LiveOS";
	let image = "squashfs.img";
	for (const word of words) {
		const label = /(?:^|[=:])(?:CD)?LABEL=([^,:]*)/.exec(word)?.[1];
		if (label !== undefined)
			labels.push(
				label.replace(/\\x([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
			);
		if (word.startsWith("root=live:") && label !== undefined) isLive = true;
		if (word.startsWith("rd.live.dir=")) directory = word.slice("rd.live.dir=".length);
		if (word.startsWith("rd.live.squashimg=")) image = word.slice("rd.live.squashimg=".length);
	}
	const path = `${directory}/${image}`.split("/").filter((part) => part !== "");
	return { labels, squashfsPath: isLive ? path.join("/") : undefined };
}
