import type { Query, QueryClient, QueryFilters, QueryState } from "@tanstack/react-query";
import { useQueryClient } from "@tanstack/react-query";
import { createContext, type ReactNode, useContext, useEffect, useState } from "react";
import type { Tab } from "../router/route.ts";
import { useInspector } from "./context.tsx";
import { follow } from "./follow.ts";
import { actorKey } from "./keys.ts";

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

/** Between two reads of the same (ms); of what is large, longer. */
const REFRESH_EVERY_MS = 100;
const REFRESH_LARGE_EVERY_MS = 1_000;
const LARGE: ReadonlySet<string> = new Set(["traces"]);

/** Reads one part of an actor again, one read after the other however often it is asked to. */
class Refresher {
	readonly #client: QueryClient;
	readonly #actorId: string;
	readonly #head: string;
	#isBusy = false;
	#isWanted = false;

	constructor(client: QueryClient, actorId: string, head: string) {
		this.#client = client;
		this.#actorId = actorId;
		this.#head = head;
	}

	request(): void {
		this.#isWanted = true;
		if (!this.#isBusy) void this.#work();
	}

	async #work(): Promise<void> {
		this.#isBusy = true;
		while (this.#isWanted) {
			const filters: QueryFilters = {
				queryKey: actorKey(this.#actorId),
				type: "active",
				predicate: ({ queryKey, state }) => queryKey[HEAD_AT] === this.#head && !isLongList(state),
			};
			// A first read that is on its way is not made again, and what it answers may be older than what is told.
			this.#isWanted = this.#client.getQueryCache().findAll(filters).some(isFirstRead);
			await this.#client.refetchQueries(filters);
			const pauseMs = LARGE.has(this.#head) ? REFRESH_LARGE_EVERY_MS : REFRESH_EVERY_MS;
			await new Promise((resolve) => setTimeout(resolve, pauseMs));
		}
		this.#isBusy = false;
	}
}

/** Behind the actor's key and the session. */
const HEAD_AT = actorKey("").length + 1;

/** A list of several pages is read again by hand: somebody is in the middle of it. So it is while it gets its second one. */
function isLongList({ data, fetchStatus, fetchMeta }: QueryState): boolean {
	const { pages } = (data ?? {}) as { pages?: readonly unknown[] };
	const isGrowing = fetchStatus === "fetching" && fetchMeta?.fetchMore !== undefined;
	return pages !== undefined && (pages.length > 1 || isGrowing);
}

function isFirstRead({ state }: Query): boolean {
	return state.data === undefined && state.fetchStatus === "fetching";
}
