import type { Clock } from "@rivetkit/protocol";
import { later } from "../common/later.ts";
import type { EngineLogger } from "../common/logger.ts";
import type { PoolName } from "../common/pool-state.ts";
import type { Begun } from "../placement/background-wakes.ts";
import { type ActorRecord, StaleGenerationError, type Store } from "../store/store.ts";

/** Actors, or names of them, that are read at once. */
const PAGE = 500;

export interface LeftActorsOptions {
	readonly store: Store;
	readonly clock: Clock;
	readonly logger: EngineLogger;
	/** Whether an incarnation of the actor begins already, or is there. */
	readonly isPlaced: (actorId: string) => boolean;
	/** Has an actor of a pool start as soon as there is room for it. Resolves when the next one may be begun. */
	readonly place: (actorId: string, pool: PoolName) => Promise<Begun>;
	readonly isClosing: () => boolean;
}

/**
 * Looks after what an engine that was killed has left in its store: actors that ran then run nowhere now, because their
 * runners stop everything when they meet the next engine. Those with crash policy `restart` start again, as do those
 * that waited for their first start (contract: engine 6.5). Resolves with whether too many of some pool wait for room for
 * others of it to be started, which are to be looked after again. Rejects when the store cannot be read.
 *
 * Reads the actors name by name, which costs as much as there are: the pages of a whole namespace are sorted, each of them.
 */
export async function resumeLeftActors(
	namespace: string,
	options: LeftActorsOptions,
): Promise<boolean> {
	let isCrowded = false;
	for await (const page of pagesOf(namespace, options.store)) {
		for (const record of page) {
			if (options.isClosing()) return false;
			if ((await resume(record, options)) === "crowded") isCrowded = true;
		}
	}
	return isCrowded;
}

/** All live actors, each page in a turn of the event loop of its own: a store may answer within the turn. */
async function* pagesOf(namespace: string, store: Store): AsyncGenerator<readonly ActorRecord[]> {
	for await (const name of namesOf(namespace, store)) {
		let before: { readonly createTs: number; readonly actorId: string } | undefined;
		for (;;) {
			const page = await store.listActors({
				namespace,
				name,
				limit: PAGE,
				...(before && { before }),
			});
			yield page;
			await new Promise<void>((resolve) => later(resolve));
			const last = page.at(-1);
			if (last === undefined || page.length < PAGE) break;
			before = { createTs: last.createTs, actorId: last.actorId };
		}
	}
}

async function* namesOf(namespace: string, store: Store): AsyncGenerator<string> {
	let after: string | undefined;
	for (;;) {
		const names = await store.listNames(namespace, PAGE, after);
		yield* names;
		after = names.at(-1);
		if (after === undefined || names.length < PAGE) return;
	}
}

async function resume(listed: ActorRecord, options: LeftActorsOptions): Promise<Begun | undefined> {
	const { store, clock, logger, isPlaced, place } = options;
	const { actorId } = listed;
	if (!isLeft(listed) || isPlaced(actorId)) return undefined;
	// Those before it in the page may have taken long: somebody may have called it meanwhile, and it sleeps again.
	const record = await store.actorById(actorId);
	if (record === undefined || !isLeft(record)) return undefined;
	const startsAgain = isToRun(record);
	if (record.connectableTs !== null && !isPlaced(actorId)) {
		try {
			// What was written for the incarnation that is over is refused from here on.
			const { generation } = await store.acquire(actorId);
			const rests = startsAgain ? {} : { sleepTs: clock.now() };
			await store.commit({
				actorId,
				generation,
				ops: [],
				record: { ...rests, connectableTs: null },
			});
		} catch (error) {
			// Somebody has started or deleted it meanwhile.
			if (error instanceof StaleGenerationError) return undefined;
			logger.error(
				{ actorId, err: error },
				"an actor that an engine has left could not be put to rest",
			);
		}
	}
	if (!startsAgain || isPlaced(actorId)) return undefined;
	return place(actorId, { namespace: record.namespace, pool: record.runnerNameSelector });
}

function isLeft(record: ActorRecord): boolean {
	return record.destroyTs === null && (record.connectableTs !== null || isToRun(record));
}

function isToRun({ crashPolicy, sleepTs }: ActorRecord): boolean {
	return crashPolicy === "restart" && sleepTs === null;
}
