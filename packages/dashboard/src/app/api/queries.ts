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
import { fetchActors, fetchServer, fetchTypes } from "./management.ts";

/** How often what is seen is asked for again; nothing is while the page is hidden. */
export const POLL_MS = 1_500;
const LIST_POLL_MS = 5_000;
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

export function actorKey(actorId: string): QueryKey {
	return ["actor", actorId];
}

/**
 * One of an actor's inspector routes, asked for again while it is seen.
 *
 * @param key - names the route and what it was asked
 */
export function useInspected<T>(
	actorId: string,
	key: readonly unknown[],
	read: (inspector: Inspector, signal: AbortSignal) => Promise<T>,
	{ pollMs = POLL_MS as number | false, enabled = true } = {},
): UseQueryResult<T> {
	const { session } = useSession();
	const inspector = useInspector(actorId);
	return useQuery<T>({
		queryKey: [...actorKey(actorId), session, ...key],
		queryFn: ({ signal }) => read(inspector, signal),
		refetchInterval: pollMs === false ? false : pollUnlessRefused(pollMs),
		placeholderData: keepPreviousData,
		enabled,
	});
}

export function useRefreshActor(actorId: string): () => void {
	const client: QueryClient = useQueryClient();
	return () => void client.invalidateQueries({ queryKey: actorKey(actorId) });
}
