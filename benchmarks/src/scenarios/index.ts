import { alarms } from "./alarms.ts";
import { broadcast } from "./broadcast.ts";
import { creation } from "./creation.ts";
import { httpActions } from "./http-actions.ts";
import { idleMemory } from "./idle-memory.ts";
import { kvPairs } from "./kv-pairs.ts";
import { queueMessages } from "./queue-messages.ts";
import type { Scenario } from "./scenario.ts";
import { sleepingMemory, sleepingWithAlarms } from "./sleeping-memory.ts";
import { wake } from "./wake.ts";
import { websocketActions } from "./websocket-actions.ts";
import { workflowLoop } from "./workflow-loop.ts";
import { workflowMemory, workflowResident } from "./workflow-parked.ts";
import { workflowSteps } from "./workflow-steps.ts";
import { workflowWake } from "./workflow-wake.ts";

export const scenarios: readonly Scenario[] = [
	httpActions(1),
	httpActions(100),
	queueMessages(1),
	queueMessages(100),
	websocketActions(1, 64),
	websocketActions(64, 1),
	broadcast(200, 1),
	broadcast(1_000, 1),
	broadcast(200, 10),
	broadcast(1_000, 10),
	kvPairs(100),
	kvPairs(1_000),
	kvPairs(100, "memory"),
	kvPairs(1_000, "memory"),
	creation,
	idleMemory,
	wake,
	sleepingMemory,
	alarms,
	sleepingWithAlarms,
	workflowSteps(1, { changesState: false }),
	workflowSteps(100, { changesState: false }),
	workflowSteps(1, { changesState: true }),
	workflowSteps(100, { changesState: true }),
	workflowSteps(1_000, { changesState: true }),
	workflowLoop("durable", 5_000),
	workflowLoop("ephemeral", 100_000),
	workflowLoop("backlog", 5_000),
	workflowResident,
	workflowWake,
	workflowMemory,
];
