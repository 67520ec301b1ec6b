import { useQueryClient } from "@tanstack/react-query";
import { createContext, type ReactNode, useContext, useEffect, useState } from "react";
import type { Tab } from "../router/route.ts";
import { useInspector } from "./context.tsx";
import { follow } from "./follow.ts";
import { Refresher } from "./refresher.ts";

/** What of an actor is read again when the stream tells of this topic: the first parts of queries' keys. */
const READ_AGAIN: Readonly<Record<string, readonly string[]>> = {
	state: ["state"],
	connections: ["connections"],
	lifecycle: ["lifecycle"],
	events: ["events"],
	logs: ["logs"],
	traces: ["traces"],
	"workflow-history": ["workflow"],
	// What no topic is about.
	changed: ["queue", "schedules", "kv"],
};

/** What tells of what a tab shows, besides the actor's life, which is above all of them. */
const TOPICS: Readonly<Record<Tab, readonly string[]>> = {
	state: ["state"],
	actions: [],
	connections: ["connections"],
	events: ["events"],
	queue: ["changed"],
	schedules: ["changed"],
	database: [],
	kv: ["changed"],
	workflow: ["workflow-history"],
	traces: ["traces"],
	metrics: [],
	logs: ["logs"],
	lifecycle: [],
};

const Followed = createContext<ReadonlySet<string>>(new Set());

/** Follows an actor while a tab of it is seen: what is inside need not ask whether there is something new. */
export function Live({
	actorId,
	tab,
	children,
}: {
	actorId: string;
	tab: Tab;
	children: ReactNode;
}) {
	const client = useQueryClient();
	const inspector = useInspector(actorId);
	const [followed, setFollowed] = useState<ReadonlySet<string>>(new Set());
	useEffect(() => {
		const topics = ["lifecycle", ...TOPICS[tab]];
		const heads = new Set(topics.flatMap((topic) => READ_AGAIN[topic] ?? []));
		const refreshers = new Map(
			[...heads].map((head) => [head, new Refresher(client, actorId, head)] as const),
		);
		const stop = follow((signal) => inspector.changes(topics, signal), {
			onOpen: () => {
				setFollowed(heads);
				// What was new while nobody told.
				for (const refresher of refreshers.values()) refresher.request();
			},
			onLost: () => setFollowed(new Set()),
			onTopic: (topic) => {
				for (const head of READ_AGAIN[topic] ?? []) refreshers.get(head)?.request();
			},
		});
		return () => {
			stop();
			setFollowed(new Set());
		};
	}, [client, inspector, actorId, tab]);
	return <Followed value={followed}>{children}</Followed>;
}

/** Whether the server tells when what this query shows has changed, so that it need not be asked. */
export function useIsFollowed(head: unknown): boolean {
	return useContext(Followed).has(head as string);
}
