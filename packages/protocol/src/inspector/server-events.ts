/** One server-sent event. */
export interface ServerEvent {
	readonly event: string;
	readonly data: string;
	/** Of the last event that had one; null before. */
	readonly lastId: string | null;
}

/** Characters that one event may have: a state of `options.maxStateSize` at its default, as JSON, and room. */
const EVENT_CHARS_MAX = 256 * 1024 * 1024;

/** Reads the events of a stream, as the HTML standard has them. Ends when the stream does. */
export async function* serverEvents(
	stream: ReadableStream<Uint8Array>,
): AsyncGenerator<ServerEvent, void> {
	const decoder = new TextDecoder();
	let rest = "";
	let event = "";
	let data: string[] = [];
	let lastId: string | null = null;
	const reader = stream.getReader();
	try {
		for (;;) {
			const { done, value } = await reader.read();
			if (done) return;
			rest += decoder.decode(value, { stream: true });
			if (rest.length > EVENT_CHARS_MAX) throw new Error("an event is too long");
			// A carriage return at the end may be half of a line's end.
			const lines = rest.split(/\r\n|\n|\r(?!$)/);
			rest = lines.pop()!;
			for (const line of lines) {
				if (line === "") {
					if (data.length > 0) yield { event: event || "message", data: data.join("\n"), lastId };
					event = "";
					data = [];
					continue;
				}
				const [, name, value = ""] = /^([^:]*)(?:: ?(.*))?$/s.exec(line)!;
				if (name === "event") event = value;
				else if (name === "data") data.push(value);
				else if (name === "id") lastId = value;
			}
		}
	} finally {
		// Of who stops reading before the end.
		await reader.cancel().catch(() => {});
	}
}
