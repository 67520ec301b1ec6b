import { describe, expect, test } from "vitest";
import {
	type ActorConnStatus,
	nextStatus,
	type StatusEvent,
} from "../../src/client/connection/status.ts";

const EVENTS: StatusEvent[] = ["start", "opened", "failed", "lost", "retry", "disposed"];

describe("connection status", () => {
	test.each<[ActorConnStatus, (ActorConnStatus | null)[]]>([
		["idle", ["connecting", null, "disconnected", null, null, "idle"]],
		["connecting", [null, "connected", "disconnected", null, null, "idle"]],
		["connected", [null, null, null, "disconnected", null, "idle"]],
		["disconnected", [null, null, "disconnected", null, "connecting", "idle"]],
	])("from %s every event leads where the table says, or is refused", (status, expected) => {
		expect(EVENTS.map((event) => nextStatus(status, event))).toEqual(expected);
	});
});
