import {
	type ActorAssignment,
	type ActorSocket,
	catalogueError,
	isActorError,
	isLogged,
	noteLogged,
	parseKey,
	RivetError,
} from "@rivetkit/protocol";
import type { EngineLogger } from "../common/logger.ts";
import { isKeyless } from "../directory/keyless.ts";
import { type ActorRecord, StaleGenerationError, type Store } from "../store/store.ts";
import { type Elsewhere, StartsElsewhere } from "./elsewhere.ts";
import type { AttachedHost } from "./host-slot.ts";
import { newPlaced, type Placed } from "./incarnation.ts";
import type { Incarnations } from "./incarnations.ts";
import type { StartBackoff } from "./start-backoff.ts";
import { StartRefused } from "./start-refused.ts";
import { TurnQuota } from "./turn-quota.ts";

/** Starts in one turn of the event loop; with what users' hooks do, some ten milliseconds. */
const STARTS_PER_TURN_MAX = 64;

export interface StartsOptions {
	readonly store: Store;
	readonly logger: EngineLogger;
	readonly region: string;
	readonly incarnations: Incarnations;
	readonly backoff: StartBackoff;
	/** The client sockets that the actor's next incarnation goes on with; asked for once per start. */
	readonly socketsOf?: (actorId: string) => readonly ActorSocket[];
	readonly elsewhere?: Elsewhere;
	/** Another node is to start the actor, and nobody waits who would see to that. */
	readonly sendAway: (actorId: string, isPatient: boolean) => void;
}

/** How a start waits for room if it has to; see `ActorAssignment`. */
export interface StartWait {
	/** It was sent to other nodes, and has come back. */
	readonly staysHere: boolean;
	readonly isPatient: boolean;
}

/** How an incarnation begins: acquired, given its sockets, started on the host; and what a failure means. */
export class Starts {
	readonly #options: StartsOptions;
	/** What there may be in one turn (P5). */
	readonly quota = new TurnQuota(STARTS_PER_TURN_MAX);

	constructor(options: StartsOptions) {
		this.#options = options;
	}

	/**
	 * Returns the incarnation, which may be live already. Throws what the last start failed with, while its pause lasts.
	 *
	 * @param acquired - the record of an actor that the caller has just acquired
	 */
	begin(
		actorId: string,
		attached: AttachedHost,
		acquired: ActorRecord | undefined,
		wait: StartWait,
	): Placed {
		const { backoff, incarnations } = this.#options;
		const blocked = backoff.blocked(actorId);
		if (blocked !== undefined) {
			throw blocked.error;
		}
		const placed = newPlaced(actorId, attached.host, { phase: "starting", intent: undefined });
		incarnations.add(placed);
		this.quota.use();
		void this.#run(placed, attached, acquired, wait);
		return placed;
	}

	/** What an incarnation of this actor is told. */
	assignmentOf(record: ActorRecord): ActorAssignment {
		return {
			actorId: record.actorId,
			generation: record.generation,
			name: record.name,
			key: isKeyless(record.key) ? [] : parseKey(record.key),
			keyText: isKeyless(record.key) ? null : record.key,
			namespace: record.namespace,
			region: this.#options.region,
			input: record.input,
			createTs: record.createTs,
			alarmTs: record.alarmTs,
			initialised: record.initialised,
			pool: record.runnerNameSelector,
			crashPolicy: record.crashPolicy,
		};
	}

	/** Does not wait where store and host need not: then the incarnation is live when this returns. */
	async #run(
		placed: Placed,
		attached: AttachedHost,
		created: ActorRecord | undefined,
		wait: StartWait,
	): Promise<void> {
		const { incarnations, backoff, elsewhere } = this.#options;
		const { actorId } = placed;
		let record = created;
		try {
			if (record === undefined) {
				const acquired = this.#acquire(actorId);
				record = acquired instanceof Promise ? await acquired : acquired;
			}
			if (!attached.hosts(record.name)) {
				throw catalogueError("request.invalid", {
					detail: `actor '${record.name}' is not registered on this server`,
				});
			}
			placed.generation = record.generation;
			placed.crashPolicy = record.crashPolicy;
			placed.pool = { namespace: record.namespace, pool: record.runnerNameSelector };
			const gathered =
				elsewhere !== undefined && record.connected ? await elsewhere.gather(record) : [];
			if (placed.phase === "gone") {
				return;
			}
			const starting = attached.host.start({ ...this.assignmentOf(record), ...wait }, [
				...(this.#options.socketsOf?.(actorId) ?? []),
				...gathered,
			]);
			if (starting !== undefined) {
				await starting;
			}
		} catch (error) {
			if (placed.phase === "gone") {
				// The host was lost meanwhile, and those who waited know.
				return;
			}
			// Whatever goes wrong on the way, those who wait are told, and the actor can be started again.
			const reason = await this.#failed(actorId, record, error).catch((obstacle) => obstacle);
			placed.intent = undefined;
			const isUnwatched = placed.waiterCount === 0;
			incarnations.tell(placed, "startFailed", reason);
			if (isUnwatched && reason instanceof StartsElsewhere) {
				this.#options.sendAway(actorId, wait.isPatient);
			}
			return;
		}
		backoff.clear(actorId);
		incarnations.started(placed, record);
	}

	#acquire(actorId: string): ActorRecord | Promise<ActorRecord> {
		const acquired = this.#options.store.acquire(actorId);
		return acquired instanceof Promise
			? acquired.catch((error: unknown) => {
					throw error instanceof StaleGenerationError
						? catalogueError("actor.not_found", { identifier: actorId })
						: error;
				})
			: acquired;
	}

	/** What the callers of a failed start get, and whether the actor has to wait before the next one. */
	async #failed(
		actorId: string,
		record: ActorRecord | undefined,
		error: unknown,
	): Promise<unknown> {
		if (error instanceof StartRefused) {
			return error.reason;
		}
		if (record === undefined || isOfHosts(error) || error instanceof StartsElsewhere) {
			return error;
		}
		const { logger, backoff } = this.#options;
		// A host that runs actors says more of what went wrong in one.
		if (!isLogged(error)) {
			logger.error(
				{ actorId, name: record.name, key: record.key, generation: record.generation, err: error },
				"actor failed to start",
			);
			noteLogged(error);
		}
		if (!(await this.#remains(record))) {
			backoff.clear(actorId);
			return error;
		}
		// A public error reaches callers only from a creation (lifecycle W-START-2).
		const masked = record.initialised && error instanceof RivetError && error.public;
		const reason = masked ? new Error(error.message, { cause: error }) : error;
		noteLogged(reason);
		backoff.failed(actorId, reason);
		return reason;
	}

	/** Whether the actor exists after a failed start; one that cannot be looked up is taken to. */
	async #remains({ actorId, name, key }: ActorRecord): Promise<boolean> {
		try {
			const record = await this.#options.store.actorById(actorId);
			return record !== undefined && record.destroyTs === null;
		} catch (error) {
			this.#options.logger.error(
				{ actorId, name, key, err: error },
				"an actor that failed to start could not be looked up",
			);
			return true;
		}
	}
}

/** No host had room, or none works: the actor has no part in it. */
function isOfHosts(error: unknown): boolean {
	return isActorError(error) && error.group === "guard";
}
