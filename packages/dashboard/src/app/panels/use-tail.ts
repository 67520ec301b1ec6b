import { type UseQueryResult, useQuery, useQueryClient } from "@tanstack/react-query";
import { useInspector, useSession } from "../api/context.tsx";
import type { Inspector } from "../api/inspector.ts";
import { actorKey } from "../api/keys.ts";
import { useIsFollowed } from "../api/live.tsx";

const TAIL_POLL_MS = 1_000;
/** Entries that the page keeps, more than the server does. */
const ENTRIES_MAX = 2_000;

export interface Tail<T> {
	readonly entries: readonly T[];
	readonly isRecording: boolean;
}

/** What an actor did lately and goes on doing: only what is new is asked for. */
export function useTail<T extends { readonly id: number }>(
	actorId: string,
	key: readonly unknown[],
	read: (inspector: Inspector, after: number, signal: AbortSignal) => Promise<Tail<T>>,
): UseQueryResult<Tail<T>> {
	const client = useQueryClient();
	const { session } = useSession();
	const inspector = useInspector(actorId);
	const isFollowed = useIsFollowed(key[0]);
	const queryKey = [...actorKey(actorId), session, ...key];
	return useQuery<Tail<T>>({
		queryKey,
		queryFn: async ({ signal }) => {
			const before = client.getQueryData<Tail<T>>(queryKey)?.entries ?? [];
			const { entries, isRecording } = await read(inspector, before.at(-1)?.id ?? 0, signal);
			return { entries: [...before, ...entries].slice(-ENTRIES_MAX), isRecording };
		},
		refetchInterval: ({ state }) => (state.error === null && !isFollowed ? TAIL_POLL_MS : false),
		structuralSharing: false,
	});
}
