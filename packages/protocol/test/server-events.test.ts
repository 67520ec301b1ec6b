import fc from "fast-check";
import { expect, it } from "vitest";
import { type ServerEvent, serverEvents } from "../src/inspector/server-events.ts";

async function read(text: string, cuts: readonly number[] = []): Promise<ServerEvent[]> {
	const bytes = new TextEncoder().encode(text);
	const places = [0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length];
	places.sort((a, b) => a - b);
	const stream = new ReadableStream<Uint8Array>({
		start(controller) {
			for (const [index, place] of places.slice(1).entries()) {
				if (place > places[index]!) controller.enqueue(bytes.subarray(places[index], place));
			}
			controller.close();
		},
	});
	const events: ServerEvent[] = [];
	for await (const event of serverEvents(stream)) events.push(event);
	return events;
}

const STREAM =
	': hello\n\nevent: state\ndata: {"é":1}\n\nid: 7\nevent:logs\r\ndata:a\r\ndata: b\r\n\r\ndata: x\r\rid\ndata\n\nevent: lost\ndata: half';

it("events are read as the standard has them, wherever the bytes are cut", async () => {
	const expected = [
		{ event: "state", data: '{"é":1}', lastId: null },
		{ event: "logs", data: "a\nb", lastId: "7" },
		{ event: "message", data: "x", lastId: "7" },
		{ event: "message", data: "", lastId: "" },
	];
	expect(await read(STREAM)).toEqual(expected);
	await fc.assert(
		fc.asyncProperty(fc.array(fc.nat(), { maxLength: 40 }), async (cuts) => {
			expect(await read(STREAM, cuts)).toEqual(expected);
		}),
	);
});
