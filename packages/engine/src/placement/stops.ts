import type { ActorHost, StopIntent } from "@rivetkit/protocol";
import type { EngineLogger } from "../common/logger.ts";
import type { Placed } from "./incarnation.ts";
import type { Incarnations } from "./incarnations.ts";

/** How incarnations end: asked to, told of by their host, or lost with it. */
export class Stops {
	readonly #incarnations: Incarnations;
	readonly #logger: EngineLogger;
	readonly #hasOtherNodes: boolean;

	constructor(incarnations: Incarnations, logger: EngineLogger, hasOtherNodes: boolean) {
		this.#incarnations = incarnations;
		this.#logger = logger;
		this.#hasOtherNodes = hasOtherNodes;
	}

	/** Whether one that is stopped, and did not want that, is to run again wherever there is room (contract: engine 6.5). */
	#goesOn({ crashPolicy, intent }: Placed): boolean {
		return this.#hasOtherNodes && crashPolicy === "restart" && intent === undefined;
	}

	/**
	 * Stops the live incarnation and resolves when it is gone, with whether the actor is to run again. Does nothing when there
	 * is none.
	 */
	async stop(actorId: string, intent: StopIntent): Promise<boolean> {
		const placed = this.#incarnations.get(actorId);
		if (placed === undefined) {
			return false;
		}
		if (placed.phase === "starting") {
			await this.#incarnations.startEnded(placed);
			return this.stop(actorId, intent);
		}
		const goesOn = intent === "sleep" && this.#goesOn(placed);
		this.stopping(actorId, placed.generation, intent);
		await placed.host.stop(actorId, intent, goesOn);
		this.stopped(actorId, placed.generation, intent);
		return goesOn;
	}

	/** Stops all there are, until there is none. Rejects when some could not be stopped cleanly. */
	async stopAll(): Promise<void> {
		const failures: unknown[] = [];
		while (this.#incarnations.size > 0) {
			const before = this.#incarnations.all().map(({ actorId }) => actorId);
			const outcomes = await Promise.allSettled(before.map((id) => this.stop(id, "sleep")));
			for (const [index, outcome] of outcomes.entries()) {
				if (outcome.status === "rejected") {
					const placed = this.#incarnations.get(before[index]!);
					if (placed !== undefined) {
						this.#incarnations.tell(placed, "stopped");
					}
					failures.push(outcome.reason);
				}
			}
		}
		if (failures.length > 0) {
			throw new AggregateError(failures, `${failures.length} actors could not be stopped cleanly`);
		}
	}

	/** Its host tells that it stops; what comes of an older generation changes nothing. */
	stopping(actorId: string, generation: number, intent: StopIntent): void {
		const placed = this.#of(actorId, generation);
		if (placed === undefined) {
			return;
		}
		this.#incarnations.tell(placed, "stopping");
		if (placed.intent !== "destroy") {
			placed.intent = intent;
		}
	}

	/** Its host tells that it is gone; what comes of an older generation changes nothing. */
	stopped(actorId: string, generation: number, intent: StopIntent): void {
		const placed = this.#of(actorId, generation);
		if (placed === undefined) {
			return;
		}
		placed.intent = intent;
		this.#incarnations.tell(placed, "stopped");
	}

	/** Every incarnation of this host has crashed. */
	lostWith(host: ActorHost): void {
		const lost = this.#incarnations.all().filter((placed) => placed.host === host);
		this.#lose(lost, "an actor was lost with its host");
	}

	/** All there are end with the lease of their node. */
	abandonAll(): void {
		this.#lose(this.#incarnations.all(), "an actor ended with the lease of its node");
	}

	#lose(all: readonly Placed[], message: string): void {
		for (const placed of all) {
			const { actorId, generation } = placed;
			this.#logger.warn({ actorId, generation }, message);
			this.#incarnations.tell(placed, "lost");
		}
	}

	#of(actorId: string, generation: number): Placed | undefined {
		const placed = this.#incarnations.get(actorId);
		return placed?.generation === generation ? placed : undefined;
	}
}
