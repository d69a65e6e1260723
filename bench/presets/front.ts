/** Something made, at a price. */
export interface Offer {
	readonly bytes: number;
	readonly cpuSeconds: number;
}

/** Those to which no other is preferable in one respect without being worse in the other, the cheapest first. */
export function paretoFront<Kind extends Offer>(offers: readonly Kind[]): Kind[] {
	const front: Kind[] = [];
	for (const offer of [...offers].sort((a, b) => a.cpuSeconds - b.cpuSeconds || a.bytes - b.bytes)) {
		const best = front.at(-1);
		if (best === undefined || offer.bytes < best.bytes) front.push(offer);
	}
	return front;
}
