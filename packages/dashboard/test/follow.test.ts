// Streams of the server that end, and which of them are opened again.
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { follow } from "../src/app/api/follow.ts";

const stops: (() => void)[] = [];

beforeEach(() => {
	vi.useFakeTimers();
	vi.stubGlobal("document", Object.assign(new EventTarget(), { hidden: false }));
});

afterEach(() => {
	for (const stop of stops.splice(0)) stop();
	vi.unstubAllGlobals();
	vi.useRealTimers();
});

const OPEN = "event: open\ndata: {}\n\n";
const end = (group: string, code: string) =>
	`event: end\ndata: ${JSON.stringify({ group, code, message: "It is over" })}\n\n`;

/** Follows a server that answers with one stream after the other; the last of them goes on. */
function followed(streams: readonly string[]) {
	const heard: string[] = [];
	let opened = 0;
	const open = async () => {
		const text = streams[opened++]!;
		return new ReadableStream<Uint8Array>({
			start(controller) {
				controller.enqueue(new TextEncoder().encode(text));
				if (opened < streams.length) controller.close();
			},
		});
	};
	const stop = follow(open, {
		onOpen: () => heard.push("open"),
		onLost: () => heard.push("lost"),
		onTopic: (topic) => heard.push(topic),
	});
	stops.push(stop);
	return heard;
}

it("one that ends because its actor cannot be looked at for a moment is opened again", async () => {
	const heard = followed([
		OPEN + end("core", "internal_error"),
		`${OPEN}event: state\ndata: {}\n\n`,
	]);
	await vi.waitFor(() => expect(heard).toEqual(["open", "lost", "open", "state"]));
});

it("one that ends because its actor is destroyed is not", async () => {
	const heard = followed([OPEN + end("actor", "not_found"), OPEN]);
	await vi.waitFor(() => expect(heard).toEqual(["open", "lost"]));
	expect(vi.getTimerCount()).toBe(0);
	await vi.runAllTimersAsync();
	expect(heard).toEqual(["open", "lost"]);
});
