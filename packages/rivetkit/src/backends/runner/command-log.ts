import type { Clock, Timer } from "@rivetkit/protocol";
import type { ActorCheckpoint, RunnerToServer } from "@rivetkit/protocol/runner";

/** An engine hears of what was handled within this time (Q3). */
const ACK_DELAY_MS = 500;
/** Actors of which it is known what was handled, alive or not; the longest unused are forgotten. */
export const COMMANDS_KNOWN_MAX = 65_536;

/** Which commands were handled: one that comes again is dropped, and the engine is told of each. */
export class CommandLog {
	readonly #clock: Clock;
	readonly #send: (message: RunnerToServer) => boolean;
	/** The last command by actor; a newer generation begins again at 0. */
	readonly #handled = new Map<string, ActorCheckpoint>();
	readonly #unacknowledged = new Map<string, ActorCheckpoint>();
	#timer: Timer | null = null;

	constructor(clock: Clock, send: (message: RunnerToServer) => boolean) {
		this.#clock = clock;
		this.#send = send;
	}

	/** Whether the command is new; then it counts as handled. One that is not is acknowledged again. */
	take(checkpoint: ActorCheckpoint): boolean {
		const { actorId, generation, index } = checkpoint;
		const last = this.#handled.get(actorId);
		const isNew =
			last === undefined ||
			generation > last.generation ||
			(generation === last.generation && index > last.index);
		const newest = isNew ? checkpoint : last;
		this.#handled.delete(actorId);
		this.#handled.set(actorId, newest);
		if (this.#handled.size > COMMANDS_KNOWN_MAX) {
			this.#handled.delete(this.#handled.keys().next().value!);
		}
		this.#unacknowledged.set(`${generation}:${actorId}`, isNew ? checkpoint : { ...checkpoint });
		this.#timer ??= this.#clock.after(ACK_DELAY_MS, () => this.acknowledge());
		return isNew;
	}

	/** Tells now what is not told yet; without a socket, later. */
	acknowledge(): void {
		this.#timer?.stop();
		this.#timer = null;
		if (this.#unacknowledged.size === 0) return;
		const lastCommandCheckpoints = [...this.#unacknowledged.values()];
		if (this.#send({ tag: "ToServerAckCommands", val: { lastCommandCheckpoints } })) {
			this.#unacknowledged.clear();
		}
	}

	/** Of another runner id: what that one is told begins anew. */
	clear(): void {
		this.#handled.clear();
		this.#unacknowledged.clear();
		this.#timer?.stop();
		this.#timer = null;
	}
}
