import type { RunnerToServer } from "@rivetkit/protocol/runner";
import { beforeEach, expect, it } from "vitest";
import { ActorCloses, CLOSES_KEPT_MAX } from "../../src/backends/runner/actor-closes.ts";
import { FakeClock } from "../support/fake-clock.ts";

let clock: FakeClock;
let closes: ActorCloses;
let told: string[];
let isConnected: boolean;

const close = (reason: string): RunnerToServer => ({
	tag: "ToServerTunnelMessage",
	val: {
		messageId: { gatewayId: new Uint8Array(4), requestId: new Uint8Array(4), messageIndex: 0 },
		messageKind: { tag: "ToServerWebSocketClose", val: { code: 1000, reason, hibernate: false } },
	},
});

beforeEach(() => {
	clock = new FakeClock();
	told = [];
	isConnected = true;
	closes = new ActorCloses(clock, (message) => {
		if (!isConnected || message.tag !== "ToServerTunnelMessage") return false;
		const { messageKind } = message.val;
		if (messageKind.tag === "ToServerWebSocketClose") told.push(messageKind.val.reason ?? "");
		return true;
	});
});

it("what was sent on a socket that lived for long enough has arrived", () => {
	closes.sent("a", close("a"));
	clock.advanceSync(29_999);
	closes.sent("b", close("b"));
	clock.advanceSync(1);
	closes.disconnected();
	closes.tellAgain();
	expect(told).toEqual(["b"]);
	// On one that has just come nothing has.
	clock.advanceSync(29_999);
	closes.disconnected();
	closes.tellAgain();
	expect(told).toEqual(["b", "b"]);
	clock.advanceSync(30_000);
	closes.disconnected();
	closes.tellAgain();
	expect(told).toHaveLength(2);
});

it("is told once on a socket, and what a socket does not take any more on the next one", () => {
	closes.sent("a", close("a"));
	closes.tellAgain();
	expect(told).toEqual([]);
	closes.disconnected();
	isConnected = false;
	closes.tellAgain();
	isConnected = true;
	closes.tellAgain();
	closes.tellAgain();
	expect(told).toEqual(["a"]);
});

it("forgets those that are settled, all of another engine, and the oldest beyond the limit", () => {
	for (let index = 0; index <= CLOSES_KEPT_MAX; index++) closes.sent(`${index}`, close(`${index}`));
	closes.settled("2");
	closes.disconnected();
	closes.tellAgain();
	expect(told.slice(0, 2)).toEqual(["1", "3"]);
	expect(told).toHaveLength(CLOSES_KEPT_MAX - 1);
	closes.disconnected();
	closes.clear();
	closes.tellAgain();
	expect(told).toHaveLength(CLOSES_KEPT_MAX - 1);
});
