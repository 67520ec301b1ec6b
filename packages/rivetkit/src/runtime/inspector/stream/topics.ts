import type { InspectorToClient } from "@rivetkit/protocol/inspector";
import type { ValueForm } from "../../durable/durable-view.ts";
import { canAnswer } from "../http/answers.ts";
import { invalid } from "../invalid.ts";
import type { ActorView } from "../view/actor-view.ts";
import { connectionsOf } from "../view/connection-details.ts";
import { queueStatus } from "../view/queue-listing.ts";
import { schedulesOf } from "../view/schedule-listing.ts";
import { workflowOf } from "../view/workflow.ts";

/** What of an actor as it is: sent at first, and again when it has changed. */
export interface StateTopic {
	/** What tells a watch of a change; null for what {@link read} has to be compared for. */
	readonly tag: InspectorToClient["tag"] | null;
	read(view: ActorView, form: ValueForm): object | Promise<object>;
}

export const STATE_TOPICS = {
	state: {
		tag: "StateUpdated",
		read: ({ state, config }) => ({
			...(state && { state: state.value }),
			isStateEnabled: config.hasState,
		}),
	},
	connections: {
		tag: "ConnectionsUpdated",
		read: (view) => ({ connections: connectionsOf(view) }),
	},
	queue: {
		tag: "QueueUpdated",
		read: (view) => {
			const { size, maxSize } = queueStatus(view, 0);
			return { size, maxSize };
		},
	},
	schedules: {
		tag: "SchedulesUpdated",
		read: ({ schedules }, form) => ({
			schedules: schedulesOf(schedules, (args) =>
				canAnswer({ schedules: [{ args }] }, form === "exact"),
			),
		}),
	},
	lifecycle: { tag: null, read: ({ lifecycle }) => lifecycle },
	"workflow-history": { tag: "WorkflowHistoryUpdated", read: workflowOf },
} as const satisfies Record<string, StateTopic>;

export type StateTopicName = keyof typeof STATE_TOPICS;

/** What happens to an actor: one entry at a time. */
export const ENTRY_TOPICS = ["events", "logs", "traces"] as const;
export type EntryTopicName = (typeof ENTRY_TOPICS)[number];

/** Only that something of the actor may be different: for who reads parts that no topic has. */
export const CHANGED_TOPIC = "changed";

export type TopicName = StateTopicName | EntryTopicName | typeof CHANGED_TOPIC;
/** What comes unless somebody says what he wants. */
const DEFAULT_TOPICS: readonly string[] = [...Object.keys(STATE_TOPICS), ...ENTRY_TOPICS];
const TOPICS: readonly string[] = [...DEFAULT_TOPICS, CHANGED_TOPIC];

/** Throws `request.invalid` for a topic that there is not. */
export function topicsIn(query: URLSearchParams): ReadonlySet<TopicName> {
	const text = query.get("topics");
	const named = text === null ? DEFAULT_TOPICS : text.split(",").filter((name) => name !== "");
	const unknown = named.find((name) => !TOPICS.includes(name));
	if (unknown !== undefined) {
		throw invalid(`there is no topic '${unknown}'; there are: ${TOPICS.join(", ")}`);
	}
	if (named.length === 0) throw invalid("topics names no topic");
	return new Set(named as TopicName[]);
}
