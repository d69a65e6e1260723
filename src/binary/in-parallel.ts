/** Does `work` for every item, `atATime` of them at once. After a failure no other is begun; rejects with the first once those that were begun have ended. */
export async function inParallel<Item>(
	items: Iterable<Item>,
	atATime: number,
	work: (item: Item) => Promise<void>,
): Promise<void> {
	const queue = items[Symbol.iterator]();
	const failures: unknown[] = [];
	const worker = async (): Promise<void> => {
		for (let next = queue.next(); next.done !== true && failures.length === 0; next = queue.next())
			await work(next.value).catch((error: unknown) => void failures.push(error));
	};
	await Promise.all(Array.from({ length: atATime }, worker));
	if (failures.length > 0) throw failures[0];
}
