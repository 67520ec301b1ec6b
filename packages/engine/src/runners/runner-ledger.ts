import type { ToServerInit } from "@rivetkit/protocol/runner";
import type { EngineLogger } from "../common/logger.ts";
import type { Inventory, InventoryEntry } from "../store/inventory.ts";
import type { ConnectingRunner, RunnerRecord } from "./runner-record.ts";

/** A runner as its record says, with the incarnations that were told to run there. */
export interface KeptRunner {
	readonly who: ConnectingRunner & Pick<RunnerRecord, "runnerId">;
	readonly init: ToServerInit;
	readonly createTs: number;
	readonly actors: readonly KeptActor[];
}

export interface KeptActor {
	readonly actorId: string;
	readonly generation: number;
}

interface RunnerValue {
	readonly key: string;
	readonly processId: string | null;
	readonly pool: string;
	readonly version: number;
	readonly totalSlots: number;
	readonly metadata: unknown;
}

/**
 * What an engine's next process has to know of runners so that they go on with it: who each is, and what it runs
 * (contract: engine 4.4, 7.1). One entry for each runner and for each incarnation that runs. An entry of an incarnation that is over
 * harms nobody: the actor's record says so.
 */
export class RunnerLedger {
	readonly #inventory: Inventory;
	readonly #logger: EngineLogger;

	constructor(inventory: Inventory, logger: EngineLogger) {
		this.#inventory = inventory;
		this.#logger = logger;
	}

	/** All that is kept. */
	async load(): Promise<KeptRunner[]> {
		const runners = await this.#inventory.listKind("runner");
		const actors = new Map(runners.map(({ name }) => [name, [] as KeptActor[]]));
		for (const { scope: runnerId, name, value } of await this.#inventory.listKind("runner_actor")) {
			const kept = actors.get(runnerId);
			if (kept) kept.push(JSON.parse(value) as KeptActor);
			else this.#note(this.#delete("runner_actor", runnerId, name));
		}
		return runners.map(({ scope: namespace, name: runnerId, value, createTs }) => {
			const { key, processId, pool, version, totalSlots, metadata } = JSON.parse(
				value,
			) as RunnerValue;
			return {
				who: { runnerId, namespace, key, processId },
				init: {
					name: pool,
					version,
					totalSlots,
					prepopulateActorNames: undefined,
					metadata: metadata as ToServerInit["metadata"],
				},
				createTs,
				actors: actors.get(runnerId)!,
			};
		});
	}

	/** A runner has come, or says something else of itself. */
	came(runner: RunnerRecord): void {
		const { runnerId, namespace, createTs } = runner;
		const { key, processId, pool, version, totalSlots, metadata } = runner;
		const value: RunnerValue = { key, processId, pool, version, totalSlots, metadata };
		const entry: InventoryEntry = {
			kind: "runner",
			scope: namespace,
			name: runnerId,
			value: JSON.stringify(value),
			createTs,
		};
		this.#note(this.#inventory.put(entry));
	}

	/** It will not come back as the one it was. */
	gone({ runnerId, namespace }: RunnerRecord): void {
		this.#note(this.#delete("runner", namespace, runnerId));
	}

	/** An incarnation runs there. Resolves when that is durable. */
	async runs({ runnerId }: RunnerRecord, { actorId, generation }: KeptActor): Promise<void> {
		const value: KeptActor = { actorId, generation };
		await this.#inventory.put({
			kind: "runner_actor",
			scope: runnerId,
			name: nameOf(value),
			value: JSON.stringify(value),
			createTs: 0,
		});
	}

	/** It does not any more. */
	ended({ runnerId }: RunnerRecord, actor: KeptActor): void {
		this.#note(this.#delete("runner_actor", runnerId, nameOf(actor)));
	}

	async #delete(kind: "runner" | "runner_actor", scope: string, name: string): Promise<void> {
		await this.#inventory.delete(kind, scope, name);
	}

	#note(written: Promise<void>): void {
		written.catch((error: unknown) => {
			this.#logger.warn(
				{ err: error },
				"what this engine knows of its runners could not be stored; after a crash some of their actors may start anew",
			);
		});
	}
}

function nameOf({ actorId, generation }: KeptActor): string {
	return `${actorId}/${generation}`;
}
