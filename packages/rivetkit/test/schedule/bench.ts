import type { Store } from "@rivetkit/engine";
import { decodeCbor } from "@rivetkit/protocol";
import { FakeClock } from "../support/fake-clock.ts";
import { TestRuntime, type TestRuntimeOptions } from "../support/test-runtime.ts";
import { wireAction } from "../support/wire-http.ts";

/** 1 June 2025, noon, UTC. */
export const NOON = Date.UTC(2025, 5, 1, 12);
export const SECOND = 1_000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

/** Turns of the event loop without a commit after which nothing more is expected to happen by itself. */
const QUIET_TURNS = 6;

/** Actors on a clock that only the test moves; moving it waits for everything that falls due on the way. */
export class Bench implements AsyncDisposable {
	readonly runtime: TestRuntime;
	readonly clock: FakeClock;

	private constructor(runtime: TestRuntime, clock: FakeClock) {
		this.runtime = runtime;
		this.clock = clock;
	}

	static async start(
		use: Readonly<Record<string, { readonly config: object }>>,
		options: TestRuntimeOptions & { clock?: FakeClock } = {},
	): Promise<Bench> {
		const clock = options.clock ?? new FakeClock(NOON);
		return new Bench(await TestRuntime.start(use, { ...options, clock }), clock);
	}

	get store(): Store {
		return this.runtime.store;
	}

	/** Time since the start of the bench. */
	get elapsed(): number {
		return this.clock.now() - NOON;
	}

	/** Calls an action; throws what it answers with. */
	async call<T = unknown>(id: string, name: string, ...args: unknown[]): Promise<T> {
		const { output, error } = await wireAction(this.runtime, id, name, args, { encoding: "cbor" });
		if (error) throw error;
		await this.settle();
		return output as T;
	}

	async advance(ms: number): Promise<void> {
		await this.clock.advance(ms, () => this.settle());
	}

	/** Waits until nothing happens any more without time passing. */
	readonly settle = async (): Promise<void> => {
		for (let quiet = 0; quiet < QUIET_TURNS; quiet++) {
			await new Promise((resolve) => setImmediate(resolve));
			if (this.runtime.embedded.host.activity === "committing") quiet = 0;
		}
	};

	/** Puts the actor to sleep. */
	async sleep(id: string): Promise<void> {
		await this.runtime.embedded.host.stop(id, "sleep");
		await this.settle();
	}

	isLive(id: string): boolean {
		return this.runtime.embedded.host.liveActorIds.includes(id);
	}

	async alarmOf(id: string): Promise<number | null> {
		return (await this.store.actorById(id))!.alarmTs;
	}

	logged(message: RegExp): readonly Record<string, unknown>[] {
		return this.runtime.log
			.filter((line) => message.test(line.message))
			.map(({ fields }) => fields);
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await this.runtime[Symbol.asyncDispose]();
	}
}

/** The rows of one subspace of an actor, decoded. */
export async function rowsOf(store: Store, id: string, subspace: number): Promise<unknown[]> {
	const range = { start: Uint8Array.of(subspace), end: Uint8Array.of(subspace + 1) };
	return (await store.scan(id, range)).map(([, value]) => decodeCbor(value));
}
