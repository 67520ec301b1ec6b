import type { DeclarationsAnswer, LifecycleReport } from "@rivetkit/protocol/inspector/answers";
import {
	keepPreviousData,
	type QueryClient,
	type QueryKey,
	type UseQueryResult,
	useInfiniteQuery,
	useQuery,
	useQueryClient,
} from "@tanstack/react-query";
import { useInspector, useSession } from "./context.tsx";
import { needsToken } from "./errors.ts";
import type { Inspector } from "./inspector.ts";
import { actorKey } from "./keys.ts";
import { useIsFollowed } from "./live.tsx";
import { fetchActors, fetchServer, fetchTypes } from "./management.ts";
import { fetchMetrics, type Sample } from "./metrics.ts";

/** How often what is seen is asked for again; nothing is while the page is hidden. */
export const POLL_MS = 1_500;
const LIST_POLL_MS = 5_000;
const DECLARATIONS_POLL_MS = 10_000;
/** Why an actor is awake changes without anybody telling. */
const LIFE_POLL_MS = 5_000;
/** Beyond, a list is only loaded again by hand: a poll would carry megabytes. */
export const POLLED_ACTORS_MAX = 1_000;
/** A list goes on by itself up to here. */
export const LISTED_ACTORS_MAX = 20_000;

/** A refused request is not made again until something changes. */
function pollUnlessRefused(pollMs: number) {
	return ({ state }: { state: { error: unknown } }): number | false =>
		needsToken(state.error) ? false : pollMs;
}

export function useServer() {
	const { session } = useSession();
	return useQuery({
		queryKey: [session, "server"],
		queryFn: ({ signal }) => fetchServer(session, signal),
		refetchInterval: pollUnlessRefused(LIST_POLL_MS),
	});
}

export function useTypes() {
	const { session } = useSession();
	return useQuery({
		queryKey: [session, "types"],
		queryFn: ({ signal }) => fetchTypes(session, signal),
		refetchInterval: pollUnlessRefused(LIST_POLL_MS),
	});
}

interface ActorCount {
	readonly awake: number;
	readonly sleeping: number;
}

/** How many actors there are, by type. Fails where nothing is measured. */
export function useActorCounts() {
	const { session } = useSession();
	return useQuery<ReadonlyMap<string, ActorCount>>({
		queryKey: [session, "counts"],
		queryFn: async ({ signal }) => countsIn(await fetchMetrics(session, signal)),
		refetchInterval: ({ state }) => (state.error === null ? LIST_POLL_MS : false),
	});
}

function countsIn(samples: readonly Sample[]): Map<string, ActorCount> {
	const counts = new Map<string, ActorCount>();
	for (const { name, labels, value } of samples) {
		const { actor, status } = labels;
		if (name !== "rivetkit_actors" || actor === undefined) continue;
		const count = counts.get(actor) ?? { awake: 0, sleeping: 0 };
		counts.set(actor, { ...count, [status === "live" ? "awake" : "sleeping"]: value });
	}
	return counts;
}

/** All actors of a name, page by page, newest first. */
export function useActors(name: string) {
	const { session } = useSession();
	return useInfiniteQuery({
		queryKey: [session, "actors", name],
		queryFn: ({ pageParam, signal }) => fetchActors(session, name, pageParam, signal),
		initialPageParam: null as string | null,
		getNextPageParam: ({ next }) => next,
		refetchInterval: ({ state }) => {
			const count = state.data?.pages.reduce((sum, { actors }) => sum + actors.length, 0) ?? 0;
			return count > POLLED_ACTORS_MAX || needsToken(state.error) ? false : LIST_POLL_MS;
		},
	});
}

/**
 * One of an actor's inspector routes, read again when something is new. Where the server does not tell that,
 * it is asked again and again while it is seen.
 *
 * @param key - names the route and what it was asked
 * @param options - `againOnReturn`: whether it is also read again when somebody comes back to the page, or the network does
 */
export function useInspected<T>(
	actorId: string,
	key: readonly unknown[],
	read: (inspector: Inspector, signal: AbortSignal) => Promise<T>,
	{
		pollMs = POLL_MS as number | false,
		followedPollMs = false as number | false,
		againOnReturn = true,
		enabled = true,
	} = {},
): UseQueryResult<T> {
	const inspector = useInspector(actorId);
	const isFollowed = useIsFollowed(key[0]);
	return useQuery<T>({
		queryKey: useInspectedKey(actorId, key),
		queryFn: ({ signal }) => read(inspector, signal),
		refetchInterval: isFollowed
			? followedPollMs
			: pollMs === false
				? false
				: pollUnlessRefused(pollMs),
		refetchOnWindowFocus: againOnReturn,
		refetchOnReconnect: againOnReturn,
		placeholderData: keepPreviousData,
		enabled,
	});
}

/** Under which {@link useInspected} keeps what it has read. */
export function useInspectedKey(actorId: string, key: readonly unknown[]): QueryKey {
	const { session } = useSession();
	return [...actorKey(actorId), session, ...key];
}

/** Who an actor is, and how it is: what every page about it begins with. */
export function useLife(actorId: string): UseQueryResult<LifecycleReport> {
	return useInspected(actorId, ["lifecycle"], readLife, { followedPollMs: LIFE_POLL_MS });
}

/** The same beside a page about the actor, which asks for it; an empty id for none. */
export function useLifeBeside(actorId: string): UseQueryResult<LifecycleReport> {
	return useInspected(actorId, ["lifecycle"], readLife, {
		pollMs: false,
		enabled: actorId !== "",
	});
}

function readLife(inspector: Inspector, signal: AbortSignal): Promise<LifecycleReport> {
	return inspector.lifecycle(signal);
}

/** What an actor is declared to take: it changes with a deploy only. */
export function useDeclarations(actorId: string): UseQueryResult<DeclarationsAnswer> {
	const read = (inspector: Inspector, signal: AbortSignal) => inspector.declarations(signal);
	return useInspected(actorId, ["declarations"], read, { pollMs: DECLARATIONS_POLL_MS });
}

export function useRefreshActor(actorId: string): () => void {
	const client: QueryClient = useQueryClient();
	return () => void client.invalidateQueries({ queryKey: actorKey(actorId) });
}
