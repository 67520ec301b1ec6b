import { type Clock, delayUntil, type Timer } from "@rivetkit/protocol";
import { isActorNotFound } from "../common/errors.ts";
import type { EngineLimits } from "../common/limits.ts";
import type { EngineLogger } from "../common/logger.ts";
import { BackgroundWakes, CROWDED_RETRY_MS } from "../placement/background-wakes.ts";
import type { Placement } from "../placement/placement.ts";
import type { NodeRows } from "../store/postgres/node-rows.ts";

/** Rows that one statement reads: a table of millions is read in many short ones. */
const ROWS_PER_LOOK = 10_000;
/** Pause before it is looked again after something went wrong (ms). */
const RETRY_MS = 1_000;

export interface LeftRunningOptions {
	readonly rows: Pick<NodeRows, "leftRunning">;
	readonly placement: Pick<Placement, "wake" | "waiting">;
	readonly clock: Clock;
	readonly limits: EngineLimits;
	readonly logger: EngineLogger;
	/** What runs here: names of actors, and tags of pools. */
	readonly names: () => readonly string[];
}

/**
 * Actors that are to run and that nobody runs: those with crash policy `restart` which a node had that is gone, whether it
 * died or left (contract: engine 6.5). Each node starts those that it can host, when it hears that another is gone, or that a
 * lease of its own is that it had lost, and when it can host others than before. Two that start the same one are settled by its row.
 *
 * All actors are read for it, as there is no index that would pay: it would be written whenever an actor wakes or sleeps, and nodes
 * go seldom.
 */
export class LeftRunning {
	readonly #options: LeftRunningOptions;
	readonly #wakes: BackgroundWakes;
	#isLooking = false;
	#lookAgain = false;
	/** When it is to be looked again without being told; for what went wrong, and for pauses. */
	#againTs = Number.POSITIVE_INFINITY;
	#retry: Timer | undefined;
	#isClosed = false;

	constructor(options: LeftRunningOptions) {
		this.#options = options;
		this.#wakes = new BackgroundWakes({
			...options,
			failed: (actorId, error) => {
				if (isActorNotFound(error) || this.#isClosed) {
					return;
				}
				this.#againBy(RETRY_MS);
				options.logger.warn(
					{ actorId, err: error },
					"an actor that another node had could not be started; it is tried again",
				);
			},
		});
	}

	/** Looks for them, now or when the look that is under way is done. Never rejects. */
	look(): void {
		if (this.#isClosed) {
			return;
		}
		if (this.#isLooking) {
			this.#lookAgain = true;
			return;
		}
		this.#retry?.stop();
		this.#isLooking = true;
		this.#againTs = Number.POSITIVE_INFINITY;
		this.#lookOnce()
			.catch((error: unknown) => {
				this.#againBy(RETRY_MS);
				this.#options.logger.error(
					{ err: error },
					"actors that other nodes have left could not be looked for; it is tried again",
				);
			})
			.then(() => {
				this.#isLooking = false;
				if (this.#isClosed) {
					return;
				}
				if (this.#lookAgain) {
					this.#lookAgain = false;
					this.look();
				} else if (Number.isFinite(this.#againTs)) {
					const { clock } = this.#options;
					this.#retry = clock.after(delayUntil(clock, this.#againTs), () => this.look());
				}
			});
	}

	#againBy(inMs: number): void {
		this.#againTs = Math.min(this.#againTs, this.#options.clock.now() + inMs);
	}

	/** Starts nothing any more. */
	close(): void {
		this.#isClosed = true;
		this.#retry?.stop();
		this.#wakes.close();
	}

	async #lookOnce(): Promise<void> {
		const { rows, names } = this.#options;
		if (names().length === 0) {
			// What can be hosted later is looked for then.
			return;
		}
		let isCrowded = false;
		for (let after: number | null = 0; after !== null && !this.#isClosed; ) {
			const page: Awaited<ReturnType<NodeRows["leftRunning"]>> = await rows.leftRunning(
				names(),
				ROWS_PER_LOOK,
				after,
			);
			for (const { actorId, ...pool } of page.actors) {
				const begun = await this.#wakes.begin(actorId, pool);
				if (begun === "closed") {
					return;
				}
				isCrowded ||= begun === "crowded";
			}
			this.#againTs = Math.min(this.#againTs, page.pausedUntilTs ?? this.#againTs);
			after = page.next;
		}
		await this.#wakes.settled();
		if (isCrowded) {
			// From the end on: a look may take longer than the pause.
			this.#againBy(CROWDED_RETRY_MS);
		}
	}
}
