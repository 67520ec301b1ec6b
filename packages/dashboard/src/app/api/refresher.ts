import type { Query, QueryClient, QueryFilters, QueryState } from "@tanstack/react-query";
import { actorKey } from "./keys.ts";

/** Between two reads of the same (ms); of what is large, longer. */
export const REFRESH_EVERY_MS = 100;
const REFRESH_LARGE_EVERY_MS = 1_000;
const LARGE: ReadonlySet<string> = new Set(["traces"]);

/** Reads one part of an actor again, one read after the other however often it is asked to. */
export class Refresher {
	readonly #client: QueryClient;
	readonly #actorId: string;
	readonly #head: string;
	#isBusy = false;
	#isWanted = false;

	/** @param head - the first part of the queries' keys behind the actor's key and the session */
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
			const seen = this.#seen(() => true);
			// A first read that is on its way is not made again, and what it answers may be older than what is told.
			this.#isWanted = seen.some(isFirstRead);
			for (const list of seen.filter(isGettingSecondPage)) this.#readWhenFailed(list);
			await this.#client.refetchQueries(this.#filters((query) => !isLongList(query.state)));
			const pauseMs = LARGE.has(this.#head) ? REFRESH_LARGE_EVERY_MS : REFRESH_EVERY_MS;
			await new Promise((resolve) => setTimeout(resolve, pauseMs));
		}
		this.#isBusy = false;
	}

	/** Without its second page it is no long list, which is read again by hand: what was told meanwhile has to be read. */
	#readWhenFailed({ promise }: Query): void {
		promise?.catch(() => this.request());
	}

	#seen(isMeant: (query: Query) => boolean): Query[] {
		return this.#client.getQueryCache().findAll(this.#filters(isMeant));
	}

	#filters(isMeant: (query: Query) => boolean): QueryFilters {
		return {
			queryKey: actorKey(this.#actorId),
			type: "active",
			predicate: (query) => query.queryKey[HEAD_AT] === this.#head && isMeant(query),
		};
	}
}

/** Behind the actor's key and the session. */
const HEAD_AT = actorKey("").length + 1;

/** A list of several pages is read again by hand: somebody is in the middle of it. So it is while it gets its second one. */
function isLongList(state: QueryState): boolean {
	return pagesIn(state) > 1 || (pagesIn(state) === 1 && isGrowing(state));
}

function isGettingSecondPage({ state }: Query): boolean {
	return pagesIn(state) === 1 && isGrowing(state);
}

function isGrowing({ fetchStatus, fetchMeta }: QueryState): boolean {
	return fetchStatus !== "idle" && fetchMeta?.fetchMore !== undefined;
}

/** None in what is no list of pages, or has none yet. */
function pagesIn({ data }: QueryState): number {
	return ((data ?? {}) as { pages?: readonly unknown[] }).pages?.length ?? 0;
}

function isFirstRead({ state }: Query): boolean {
	return state.data === undefined && state.fetchStatus === "fetching";
}
