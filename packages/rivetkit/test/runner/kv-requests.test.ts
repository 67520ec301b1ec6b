import type { KvRequestData, RunnerToServer } from "@rivetkit/protocol/runner";
import { beforeEach, expect, it } from "vitest";
import {
	KV_ANSWER_TIMEOUT_MS,
	KvRequests,
	KvUnanswered,
} from "../../src/backends/runner/kv-requests.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { type LogLine, recordingLogger } from "../support/test-runtime.ts";

const GET: KvRequestData = { tag: "KvGetRequest", val: { keys: [] } };

let clock: FakeClock;
let sent: RunnerToServer[];
let isConnected: boolean;
let log: LogLine[];
let requests: KvRequests;

beforeEach(() => {
	clock = new FakeClock();
	sent = [];
	log = [];
	isConnected = true;
	requests = new KvRequests(clock, recordingLogger(log), (message) => {
		if (isConnected) sent.push(message);
		return isConnected;
	});
});

/** How it ends: `null` while it has not. */
function outcomeOf(request: Promise<unknown>): { now: unknown } {
	const outcome: { now: unknown } = { now: null };
	request.then(
		(answer) => {
			outcome.now = answer;
		},
		(error: unknown) => {
			outcome.now = error;
		},
	);
	return outcome;
}

it("a request that an engine does not answer is one of which nobody knows what became", async () => {
	const outcome = outcomeOf(requests.request("a", GET));
	await clock.advance(KV_ANSWER_TIMEOUT_MS - 1);
	expect(outcome.now).toBeNull();
	await clock.advance(5_001);
	expect(outcome.now).toBeInstanceOf(KvUnanswered);
	expect(log).toMatchObject([{ level: "error", fields: { count: 1 } }]);
});

it("the time counts from when it was sent last", async () => {
	const outcome = outcomeOf(requests.request("a", GET));
	await clock.advance(20_000);
	requests.disconnected();
	await clock.advance(100_000);
	requests.resend();
	await clock.advance(20_000);
	expect(outcome.now).toBeNull();
	expect(sent).toHaveLength(2);
	await clock.advance(20_000);
	expect(outcome.now).toBeInstanceOf(KvUnanswered);
	expect(log).toHaveLength(1);
});
