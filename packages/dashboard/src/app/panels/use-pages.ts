import { hashKey, type UseInfiniteQueryResult, useInfiniteQuery } from "@tanstack/react-query";
import { useState } from "react";
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
 * @returns the list, and how it is gone on with
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
	const list = useInfiniteQuery({
		queryKey: [...actorKey(actorId), session, ...key],
		queryFn: ({ pageParam, signal }) => read(inspector, pageParam as Cursor, signal),
		initialPageParam: first as unknown,
		getNextPageParam: ({ next }) => next,
		refetchInterval: ({ state }) => {
			const pages = state.data?.pages.length ?? 0;
			return isFollowed || pages > 1 || state.error !== null ? false : POLL_MS;
		},
	});
	return { list, goOn: useGoOn(list, hashKey(key)) };
}

/** How a long list is gone on with. */
interface GoOn {
	/** Asks for the next page; undefined where there is none, while something is on its way, and after a failure. */
	readonly next: (() => void) | undefined;
	/** Why the list, or its next page, is not there; null when nothing is wrong. */
	readonly error: unknown;
	/** By hand: from the beginning. */
	readonly again: () => void;
}

/**
 * A next page that failed is asked for again by hand: the query forgets that it did as soon as the first page is read again,
 * and on a busy actor both would be asked for without end.
 *
 * @param of - which list: a component may show one after the other
 */
function useGoOn(
	list: UseInfiniteQueryResult<{ readonly pages: readonly unknown[] }, unknown>,
	of: string,
): GoOn {
	const { data, error, hasNextPage, isFetching, isFetchNextPageError } = list;
	const [last, setLast] = useState<{ of: string; pages: number; error: unknown } | null>(null);
	const pages = data?.pages.length ?? 0;
	if (isFetchNextPageError && last?.error !== error) setLast({ of, pages, error });
	const stands = last !== null && last.of === of && last.pages === pages;
	return {
		next: hasNextPage && !isFetching && !stands ? () => void list.fetchNextPage() : undefined,
		error: error ?? (stands ? last.error : null),
		again() {
			setLast(null);
			void list.refetch();
		},
	};
}
