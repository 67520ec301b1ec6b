import { type ActorHost, type Clock, catalogueError } from "@rivetkit/protocol";
import { Deferred } from "./deferred.ts";

export interface AttachedHost {
	readonly host: ActorHost;
	readonly hosts: (actorName: string) => boolean;
	readonly wakesMoved?: boolean;
}

/** The place of the one host: who has it, and who waits for the next when it was lost (P4). */
export class HostSlot {
	readonly #clock: Clock;
	#attached: AttachedHost | undefined;
	/** Settles when a host takes the place of the one that was lost. */
	#replaced: Deferred<void> | undefined;
	/** Settles when actors may be started. */
	#held: Deferred<void> | undefined;

	constructor(clock: Clock) {
		this.#clock = clock;
	}

	get attached(): AttachedHost | undefined {
		return this.#attached;
	}

	/** Whether one was lost and the next is to come, or nothing may be started yet. */
	get isAwaited(): boolean {
		return (this.#replaced ?? this.#held) !== undefined;
	}

	/** Returns the host before. */
	attach(attached: AttachedHost): AttachedHost | undefined {
		const previous = this.#attached;
		this.#attached = attached;
		this.close();
		return previous;
	}

	/** Does nothing when another one has its place. */
	lost(host: ActorHost, isReplaced: boolean): void {
		if (this.#attached?.host === host) {
			this.#attached = undefined;
			if (isReplaced) {
				this.#replaced = new Deferred<void>();
			}
		}
	}

	/** Nothing is to be started on the one that is, or will be, attached before {@link release}. */
	hold(): void {
		this.#held ??= new Deferred<void>();
	}

	release(): void {
		this.#held?.resolve();
		this.#held = undefined;
	}

	/** Resolves when there is one on which actors may be started. Rejects with `guard.service_unavailable`. */
	async next(waitMs: number): Promise<void> {
		await (this.#replaced ?? this.#held)?.within(this.#clock, waitMs, () =>
			catalogueError("guard.service_unavailable"),
		);
	}

	/** Nobody waits any more. */
	close(): void {
		this.#replaced?.resolve();
		this.#replaced = undefined;
	}
}
