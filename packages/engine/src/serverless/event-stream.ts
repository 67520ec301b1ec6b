/** Characters of one event that has not ended. */
const EVENT_CHARS_MAX = 64 * 1024;

export interface StreamEvent {
	/** `message` where the stream says nothing else. */
	readonly event: string;
	readonly data: string;
}

/** A stream of events that is none. */
export class EventStreamError extends Error {
	override readonly name = "EventStreamError";
}

/** The events of a body of `text/event-stream`, as far as hosts use the format: event and data lines. */
export async function* readEvents(body: ReadableStream<Uint8Array>): AsyncGenerator<StreamEvent> {
	const decoder = new TextDecoder();
	let rest = "";
	let event = "";
	let data: string[] = [];
	for await (const chunk of body) {
		rest += decoder.decode(chunk, { stream: true });
		for (;;) {
			const end = /\r\n|\n|\r(?!$)/.exec(rest);
			if (end === null) break;
			const line = rest.slice(0, end.index);
			rest = rest.slice(end.index + end[0].length);
			if (line !== "") {
				const [, name, value] = /^([^:]*):? ?(.*)$/s.exec(line)!;
				if (name === "event") event = value!;
				if (name === "data") data.push(value!);
			} else {
				if (event !== "" || data.length > 0) {
					yield { event: event === "" ? "message" : event, data: data.join("\n") };
				}
				event = "";
				data = [];
			}
		}
		const size = rest.length + data.reduce((sum, { length }) => sum + length, 0);
		if (size > EVENT_CHARS_MAX) {
			throw new EventStreamError(`an event has more than ${EVENT_CHARS_MAX} characters`);
		}
	}
}
