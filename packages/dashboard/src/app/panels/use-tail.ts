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
	/** Up to which entry, shown or not, it was read. */
	readonly lastId: number;
}

export interface Tail<T> {
	readonly entries: readonly T[];
	readonly isRecording: boolean;
	/** Ids behind which some are missing, in order; between two of them there is an entry. */
	readonly gaps: readonly number[];
	/** What is read next is behind it. */
	readonly lastId: number;
}

/** With what was read after it. */
export function withPart<T extends { readonly id: number }>(
	known: Tail<T> | undefined,
	{ entries: added, isRecording, isGap, lastId }: TailPart<T>,
): Tail<T> {
	const { entries: before, gaps: old, lastId: after } = known ?? NOTHING;
	const isSaid = old.length > 0 && old.at(-1)! >= (before.at(-1)?.id ?? 0);
	const gaps = isGap && !isSaid ? [...old, after] : old;
	const entries = [...before, ...added].slice(-ENTRIES_MAX);
	const firstId = entries[0]?.id ?? 0;
	// Those whose entries were let go of are one now.
	const gone = gaps.findLastIndex((id) => id < firstId);
	return { entries, isRecording, gaps: gone > 0 ? gaps.slice(gone) : gaps, lastId };
}

const NOTHING = { entries: [], gaps: [], lastId: 0 } as const;

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
			return withPart(known, await read(inspector, known?.lastId ?? 0, signal));
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
	let nextGap = 0;
	const addGaps = (beforeId: number) => {
		while (nextGap < gaps.length && gaps[nextGap]! < beforeId) {
			const gapAfter = gaps[nextGap++]!;
			// Where nothing between two of them is shown, one says it.
			if (!("gapAfter" in (lines.at(-1) ?? {}))) lines.push({ gapAfter });
		}
	};
	for (const entry of entries) {
		addGaps(entry.id);
		if (isWanted(entry)) lines.push({ entry });
	}
	addGaps(Number.POSITIVE_INFINITY);
	return lines.reverse();
}
