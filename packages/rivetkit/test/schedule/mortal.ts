import type { CommitBatch, Store } from "@rivetkit/engine";
import { type Clock, systemRandom, type Timer } from "@rivetkit/protocol";
import { erasedConfig } from "../../src/actor/erased.ts";
import {
	type Embedded,
	inProcessClient,
	startEmbedded,
} from "../../src/backends/embedded/embedded.ts";
import type { FakeClock } from "../support/fake-clock.ts";
import { type LogLine, recordingLogger } from "../support/test-runtime.ts";

/** When a server dies by itself: at one of its commits, which was written or was not. */
export interface Death {
	readonly afterCommits: number;
	readonly isWritten: boolean;
}

/**
 * A server that can die like a process does: its timers never fire again, what it asked of the store is
 * never answered, and nobody is told. The store and the time are the test's and outlive it.
 */
export class MortalServer implements Clock {
	readonly #clock: FakeClock;
	readonly #store: Store;
	readonly embedded: Embedded;
	readonly log: LogLine[] = [];
	readonly died: Promise<"died">;
	#tellDeath!: () => void;
	#isAlive = true;
	#death: { commitsLeft: number; readonly isWritten: boolean } | null = null;

	constructor(
		clock: FakeClock,
		store: Store,
		use: Readonly<Record<string, { readonly config: object }>>,
	) {
		this.#clock = clock;
		this.#store = store;
		this.died = new Promise((resolve) => {
			this.#tellDeath = () => resolve("died");
		});
		this.embedded = startEmbedded({
			store: this.#mortalStore(),
			definitions: new Map(
				Object.entries(use).map(([name, definition]) => [name, erasedConfig(definition)]),
			),
			clock: this,
			random: systemRandom(),
			log: recordingLogger(this.log),
			messageLimits: { maxIncomingMessageSize: 65_536, maxOutgoingMessageSize: 1_048_576 },
			version: "0.0.0-test",
			namespace: "default",
			exposeErrors: () => true,
			publicUrl: () => "",
		});
	}

	get isAlive(): boolean {
		return this.#isAlive;
	}

	now(): number {
		return this.#clock.now();
	}

	after(delayMs: number, fn: () => void): Timer {
		return this.#clock.after(delayMs, () => {
			if (this.#isAlive) fn();
		});
	}

	client() {
		const log = recordingLogger([]);
		return inProcessClient(this.embedded.engine, null, {
			clock: this,
			random: systemRandom(),
			log,
			publicUrl: () => "",
			exposeErrors: () => true,
		});
	}

	kill(): void {
		this.#isAlive = false;
		this.#tellDeath();
	}

	dieAt({ afterCommits, isWritten }: Death): void {
		this.#death = { commitsLeft: afterCommits, isWritten };
	}

	/** Stops like a process that was asked to. */
	async close(): Promise<void> {
		await this.embedded.close();
		this.#isAlive = false;
	}

	#mortalStore(): Store {
		return new Proxy(this.#store, {
			get: (target, property) => {
				if (property === "close") return async () => {};
				if (property === "commit") return (batch: CommitBatch) => this.#commit(batch);
				const member: unknown = Reflect.get(target, property);
				if (typeof member !== "function") return member;
				return (...args: unknown[]) => {
					if (!this.#isAlive) return NEVER;
					const answer: unknown = member.apply(target, args);
					return answer instanceof Promise ? this.#answer(answer) : answer;
				};
			},
		});
	}

	#commit(batch: CommitBatch): Promise<unknown> {
		if (!this.#isAlive) return NEVER;
		if (this.#death && this.#death.commitsLeft-- === 0) {
			const written = this.#death.isWritten ? this.#store.commit(batch) : Promise.resolve();
			written.catch(() => {});
			this.kill();
			return NEVER;
		}
		return this.#answer(this.#store.commit(batch));
	}

	/** What comes back after the death is heard by nobody. */
	#answer<T>(answer: Promise<T>): Promise<T> {
		return new Promise((resolve, reject) => {
			answer.then(
				(value) => this.#isAlive && resolve(value),
				(error) => this.#isAlive && reject(error),
			);
		});
	}
}

const NEVER = new Promise<never>(() => {});
