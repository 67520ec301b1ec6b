import type {
	ActorCondition,
	AskOthers,
	RunnerAnswers,
	RunnerQuestion,
	RunnersQuery,
	RunnerView,
} from "../common/runner-questions.ts";
import type { ActorRecord } from "../store/store.ts";
import type { RunnerRecord } from "./runner-record.ts";
import type { RunnersHost } from "./runners-host.ts";

export interface AllRunnersOptions {
	readonly host: RunnersHost;
	/** Of this node's serverless pools that fail. */
	readonly poolErrors: (namespace: string) => (readonly [pool: string, error: unknown])[];
	/** Undefined where there are no other nodes. */
	readonly askOthers: AskOthers | undefined;
}

/** What is known of the runners of this node and of all others, as the management API shows it. */
export class AllRunners {
	readonly #options: AllRunnersOptions;

	constructor(options: AllRunnersOptions) {
		this.#options = options;
	}

	/** For other nodes. */
	answer(question: RunnerQuestion): RunnerAnswers[keyof RunnerAnswers][] {
		const { host, poolErrors } = this.#options;
		switch (question.about) {
			case "runners":
				return this.#runnersHere(question.query);
			case "pools":
				return this.#poolsHere(question.namespace);
			case "conditions":
				return question.actorIds.flatMap((actorId) => {
					const condition = host.conditionOf(actorId);
					return isTelling(condition) ? [[actorId, condition] as const] : [];
				});
			case "poolErrors":
				return poolErrors(question.namespace);
		}
	}

	async runners(query: RunnersQuery): Promise<RunnerView[]> {
		const others = await this.#ask({ about: "runners", query });
		return selectRunners([...this.#runnersHere(query), ...others], query);
	}

	/** Names of pools that have runners, in no order. */
	async pools(namespace: string): Promise<string[]> {
		const others = await this.#ask({ about: "pools", namespace });
		return [...new Set([...this.#poolsHere(namespace), ...others])];
	}

	/** Of those of the actors of which there is something to tell. */
	async conditionsOf(actors: readonly ActorRecord[]): Promise<ReadonlyMap<string, ActorCondition>> {
		const conditions = new Map<string, ActorCondition>();
		const unknown = new Map<string, ActorRecord>();
		for (const actor of actors) {
			const condition = this.conditionHere(actor);
			if (isTelling(condition)) conditions.set(actor.actorId, condition);
			else unknown.set(actor.actorId, actor);
		}
		const actorIds = [...unknown.keys()];
		const others = actorIds.length === 0 ? [] : await this.#ask({ about: "conditions", actorIds });
		for (const [actorId, told] of others) {
			const actor = unknown.get(actorId);
			const condition = actor && currentOf(actor, told);
			if (condition && isTelling(condition)) conditions.set(actorId, condition);
		}
		return conditions;
	}

	conditionHere(actor: ActorRecord): ActorCondition {
		return currentOf(actor, this.#options.host.conditionOf(actor.actorId));
	}

	async poolErrors(namespace: string): Promise<ReadonlyMap<string, unknown>> {
		const others = await this.#ask({ about: "poolErrors", namespace });
		return new Map([...others, ...this.#options.poolErrors(namespace)]);
	}

	async #ask<About extends keyof RunnerAnswers>(
		question: RunnerQuestion<About>,
	): Promise<RunnerAnswers[About][]> {
		return (await this.#options.askOthers?.(question)) ?? [];
	}

	#runnersHere(query: RunnersQuery): RunnerView[] {
		return selectRunners(this.#options.host.list(query.namespace).map(viewOf), query);
	}

	#poolsHere(namespace: string): string[] {
		const live = this.#options.host.list(namespace).filter(({ stopTs }) => stopTs === null);
		return [...new Set(live.map(({ pool }) => pool))];
	}
}

/** Without the error of an actor that has run since, on whatever node. */
function currentOf(actor: ActorRecord, condition: ActorCondition): ActorCondition {
	const { errorTs } = condition;
	const { connectableTs, sleepTs } = actor;
	const hasRun = errorTs !== undefined && Math.max(connectableTs ?? 0, sleepTs ?? 0) > errorTs;
	return hasRun ? { ...condition, error: null } : condition;
}

function isTelling(condition: ActorCondition): boolean {
	const { pendingAllocationTs, rescheduleTs, error, isStopping, sleepTs } = condition;
	return (
		pendingAllocationTs !== null ||
		rescheduleTs !== null ||
		error !== null ||
		isStopping === true ||
		sleepTs !== undefined
	);
}

/** Newest first; ties by id, highest first, so that pages neither lose nor repeat a runner. */
function selectRunners(
	runners: readonly RunnerView[],
	{ pool, runnerIds, includesStopped, before, limit }: RunnersQuery,
): RunnerView[] {
	const isAfter = ({ createTs, runnerId }: RunnerView) =>
		before === undefined ||
		createTs < before.createTs ||
		(createTs === before.createTs && before.id !== undefined && runnerId < before.id);
	return runners
		.filter(
			(runner) =>
				(pool === undefined || runner.pool === pool) &&
				(runnerIds === undefined || runnerIds.includes(runner.runnerId)) &&
				(runner.stopTs === null || includesStopped) &&
				isAfter(runner),
		)
		.sort((a, b) => b.createTs - a.createTs || (a.runnerId < b.runnerId ? 1 : -1))
		.slice(0, limit);
}

function viewOf(runner: RunnerRecord): RunnerView {
	return {
		runnerId: runner.runnerId,
		namespace: runner.namespace,
		pool: runner.pool,
		key: runner.key,
		version: runner.version,
		totalSlots: runner.totalSlots,
		remainingSlots: runner.freeSlots,
		createTs: runner.createTs,
		drainTs: runner.drainTs,
		stopTs: runner.stopTs,
		lastPingTs: runner.lastPongTs,
		lastConnectedTs: runner.lastConnectedTs,
		lastRttMs: runner.lastRttMs,
		metadata: metadataOf(runner.metadata),
	};
}

/** The object that a runner sends as text. */
function metadataOf(given: unknown): unknown {
	if (typeof given !== "string") return null;
	try {
		return JSON.parse(given);
	} catch {
		return null;
	}
}
