/** The same bytes at the pace of who reads them; `over` is called when they end, fail or are no longer wanted. */
export function endingWith(
	body: ReadableStream<Uint8Array>,
	over: () => void,
): ReadableStream<Uint8Array> {
	const reader = body.getReader();
	void reader.closed.then(over, over);
	return new ReadableStream<Uint8Array>(
		{
			async pull(controller) {
				const next = await reader.read();
				if (next.done) controller.close();
				else controller.enqueue(next.value);
			},
			cancel: (reason) => reader.cancel(reason),
		},
		{ highWaterMark: 0 },
	);
}
