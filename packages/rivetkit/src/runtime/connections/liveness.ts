import type { ActorSocket } from "@rivetkit/protocol";
import type { ActorInstance } from "../instance/instance.ts";
import type { WheelTimer } from "../timers/timer-wheel.ts";

const MISSES_MAX = 2;

/**
 * Pings a peer every `connectionLivenessInterval` and declares it dead when it has not answered within
 * `connectionLivenessTimeout` twice in a row (contract: lifecycle W-CONN-2).
 */
export class Liveness {
	readonly #instance: ActorInstance;
	readonly #socket: ActorSocket;
	readonly #onDead: () => void;
	#timer: WheelTimer | null = null;
	#answered = true;
	#misses = 0;
	/** Frames the client was sent before the last ping: when that is answered, it has them. */
	sentAtPing = 0;

	constructor(instance: ActorInstance, socket: ActorSocket, onDead: () => void) {
		this.#instance = instance;
		this.#socket = socket;
		this.#onDead = onDead;
	}

	start(): void {
		const { connectionLivenessInterval } = this.#instance.options;
		this.#timer = this.#instance.services.timers.schedule(connectionLivenessInterval, this.#ping);
	}

	pong(): void {
		this.#answered = true;
	}

	stop(): void {
		this.#timer?.cancel();
		this.#timer = null;
	}

	#ping = (): void => {
		this.#answered = false;
		this.sentAtPing = this.#socket.sentCount;
		this.#socket.ping();
		const { connectionLivenessTimeout } = this.#instance.options;
		this.#timer = this.#instance.services.timers.schedule(connectionLivenessTimeout, this.#judge);
	};

	#judge = (): void => {
		this.#misses = this.#answered ? 0 : this.#misses + 1;
		if (this.#misses >= MISSES_MAX) {
			this.#onDead();
			return;
		}
		const { connectionLivenessInterval, connectionLivenessTimeout } = this.#instance.options;
		const rest = Math.max(0, connectionLivenessInterval - connectionLivenessTimeout);
		this.#timer = this.#instance.services.timers.schedule(rest, this.#ping);
	};
}
