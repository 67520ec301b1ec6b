import { type UseInfiniteQueryResult, useInfiniteQuery } from "@tanstack/react-query";
import { useInspector, useSession } from "../api/context.tsx";
import type { Inspector } from "../api/inspector.ts";
import { actorKey } from "../api/keys.ts";
import { useIsFollowed } from "../api/live.tsx";
import { POLL_MS } from "../api/queries.ts";

/**
 * A long list of an actor, page by page as it is scrolled. It is kept up to date while one page is all there is
 * to see; a longer one is loaded again by hand.
 *
 * @param first - the cursor of the first page
 */
export function usePages<Page extends { readonly next: Cursor | null }, Cursor>(
	actorId: string,
	key: readonly unknown[],
	first: Cursor,
	read: (inspector: Inspector, cursor: Cursor, signal: AbortSignal) => Promise<Page>,
) {
	const { session } = useSession();
	const inspector = useInspector(actorId);
	const isFollowed = useIsFollowed(key[0]);
	return useInfiniteQuery({
		queryKey: [...actorKey(actorId), session, ...key],
		queryFn: ({ pageParam, signal }) => read(inspector, pageParam as Cursor, signal),
		initialPageParam: first as unknown,
		getNextPageParam: ({ next }) => next,
		refetchInterval: ({ state }) => {
			const pages = state.data?.pages.length ?? 0;
			return isFollowed || pages > 1 || state.error !== null ? false : POLL_MS;
		},
	});
}

/** What asks for a list's next page; undefined where there is none, while something is on its way, and after a failure. */
export function goOnWith(list: UseInfiniteQueryResult): (() => void) | undefined {
	const { hasNextPage, isFetching, isFetchNextPageError, fetchNextPage } = list;
	return hasNextPage && !isFetching && !isFetchNextPageError
		? () => void fetchNextPage()
		: undefined;
}
