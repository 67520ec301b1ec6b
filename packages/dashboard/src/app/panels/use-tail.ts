import { type UseQueryResult, useQuery, useQueryClient } from "@tanstack/react-query";
import { useInspector, useSession } from "../api/context.tsx";
import type { Inspector } from "../api/inspector.ts";
import { actorKey } from "../api/keys.ts";
import { useIsFollowed } from "../api/live.tsx";

const TAIL_POLL_MS = 1_000;
/** Entries that the page keeps, more than the server does. */
const ENTRIES_MAX = 2_000;

/** What was read of it anew. */
export interface TailPart<T> {
	readonly entries: readonly T[];
	readonly isRecording: boolean;
	/** More has happened since the last read than the server keeps. */
	readonly isGap: boolean;
}

const NO_GAPS: ReadonlySet<number> = new Set();

export interface Tail<T> {
	readonly entries: readonly T[];
	readonly isRecording: boolean;
	/** Ids of entries behind which some are missing. */
	readonly gaps: ReadonlySet<number>;
}

/** What an actor did lately and goes on doing: only what is new is asked for. */
export function useTail<T extends { readonly id: number }>(
	actorId: string,
	key: readonly unknown[],
	read: (inspector: Inspector, after: number, signal: AbortSignal) => Promise<TailPart<T>>,
): UseQueryResult<Tail<T>> {
	const client = useQueryClient();
	const { session } = useSession();
	const inspector = useInspector(actorId);
	const isFollowed = useIsFollowed(key[0]);
	const queryKey = [...actorKey(actorId), session, ...key];
	return useQuery<Tail<T>>({
		queryKey,
		queryFn: async ({ signal }) => {
			const known = client.getQueryData<Tail<T>>(queryKey);
			const last = known?.entries.at(-1)?.id ?? 0;
			const { isGap, ...part } = await read(inspector, last, signal);
			const entries = [...(known?.entries ?? []), ...part.entries].slice(-ENTRIES_MAX);
			const gaps = isGap ? new Set(known?.gaps).add(last) : (known?.gaps ?? NO_GAPS);
			return { entries, isRecording: part.isRecording, gaps };
		},
		refetchInterval: ({ state }) => (state.error === null && !isFollowed ? TAIL_POLL_MS : false),
		structuralSharing: false,
	});
}

/** A line of a list: an entry, or a place where some are missing. */
export type TailLine<T> = { readonly entry: T } | { readonly gapAfter: number };

/** Newest first. @param isWanted - which entries are shown; gaps always are */
export function linesOf<T extends { readonly id: number }>(
	{ entries, gaps }: Tail<T>,
	isWanted: (entry: T) => boolean,
): TailLine<T>[] {
	const lines: TailLine<T>[] = [];
	for (const entry of entries) {
		if (isWanted(entry)) lines.push({ entry });
		if (gaps.has(entry.id)) lines.push({ gapAfter: entry.id });
	}
	return lines.reverse();
}
