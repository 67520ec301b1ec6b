// When the node at the other end of a link is taken for gone.
import { EventEmitter } from "node:events";
import { expect, it, onTestFinished, vi } from "vitest";
import type { WebSocket } from "ws";
import { ClusterCounters } from "../../src/cluster/cluster-counters.ts";
import { encodeMessage } from "../../src/cluster/link-messages.ts";
import { NodeLink } from "../../src/cluster/node-link.ts";
import { TestClock } from "../helpers/test-clock.ts";

const SILENCE_MS = 5_000;
const LOOK_MS = SILENCE_MS / 4;

/** A link over a connection that is what a test says. */
function linked() {
	const clock = new TestClock();
	const time = vi.spyOn(performance, "now").mockImplementation(() => clock.now());
	onTestFinished(() => time.mockRestore());
	const read = { bytes: 0 };
	const sent = { pings: 0 };
	const socket = Object.assign(new EventEmitter(), {
		bufferedAmount: 0,
		ping: () => void sent.pings++,
		send() {},
		terminate() {},
	});
	const noted = () => {};
	const link = new NodeLink({
		socket: socket as unknown as WebSocket,
		bytesRead: () => read.bytes,
		epoch: 1,
		clock,
		counters: new ClusterCounters(),
		silenceMs: SILENCE_MS,
		logger: { debug: noted, info: noted, warn: noted, error: noted },
		handler: {
			called: async () => null,
			news: noted,
			deed: noted,
			ended: noted,
			lost: noted,
		},
	});
	/** Time goes by, and as many bytes come in between two looks. */
	const pass = (looks: number, bytes: number) => {
		for (let look = 0; look < looks; look++) {
			read.bytes += bytes;
			clock.advance(LOOK_MS);
		}
	};
	return { link, socket, sent, pass };
}

it("a message that takes long to come is a sign of life as long as more of it comes", () => {
	const { link, pass } = linked();
	pass(40, 1);
	expect(link.isLost).toBe(false);
	pass(6, 0);
	expect(link.isLost).toBe(true);
});

it.each([
	["message", encodeMessage({ is: "taken", id: 1, bytes: 1 })],
	["ping", undefined],
	["pong", undefined],
])("a %s is one, and silence is none", (event, data) => {
	const { link, socket, sent, pass } = linked();
	for (let round = 0; round < 5; round++) {
		pass(3, 0);
		socket.emit(event, data);
	}
	expect(link.isLost).toBe(false);
	expect(sent.pings).toBe(15);
	pass(6, 0);
	expect(link.isLost).toBe(true);
});
