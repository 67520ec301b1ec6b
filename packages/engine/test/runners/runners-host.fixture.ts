import { newActorId, systemRandom } from "@rivetkit/protocol";
import type { RunnerToClient, RunnerToServer } from "@rivetkit/protocol/runner";
import { RUNNER_LIMITS, type RunnerLimits } from "../../src/runners/runner-limits.ts";
import type { RunnerRecord, RunnerSocket } from "../../src/runners/runner-record.ts";
import { RunnersHost } from "../../src/runners/runners-host.ts";
import { createMemoryStore } from "../../src/store/memory/memory-store.ts";
import type { Store } from "../../src/store/store.ts";
import { TestClock } from "../helpers/test-clock.ts";

type Event = Extract<RunnerToServer, { tag: "ToServerEvents" }>["val"][number]["inner"];

/** A runner without a network. */
export interface RunnerAtHand {
	readonly record: RunnerRecord;
	readonly sent: RunnerToClient[];
	/** Tags of the commands it got, by actor. */
	commandsFor(actorId: string): string[];
	says(message: RunnerToServer): void;
	tells(actorId: string, generation: number, index: number, event: Event): void;
	disconnects(): void;
	/** So much of what it was sent waits in its socket from now on. */
	buffers(bytes: number): void;
}

export const RUNS: Event = {
	tag: "EventActorStateUpdate",
	val: { state: { tag: "ActorStateRunning", val: undefined } },
};

/** A store that does some things in another way. */
export function replacing(store: Store, others: Partial<Store>): Store {
	return new Proxy(store, {
		get: (target, name) => {
			const value: unknown = others[name as keyof Store] ?? target[name as keyof Store];
			return typeof value === "function" ? value.bind(target) : value;
		},
	});
}

/** The host of runners by itself, on a memory store and a clock that stands still. */
export function runnersHost(
	limits: Partial<RunnerLimits> = {},
	wrap: (store: Store) => Store = (store) => store,
) {
	const clock = new TestClock();
	const stored = createMemoryStore();
	const store = wrap(stored);
	const woken: string[] = [];
	const ended: string[] = [];
	/** Actors whose start had to wait. */
	const waiting: string[] = [];
	const alarms: (number | null)[] = [];
	const logged: string[] = [];
	const fields: object[] = [];
	const log = (given: object, message: string) => {
		logged.push(message);
		fields.push(given);
	};
	const host = new RunnersHost({
		store,
		ledger: undefined,
		clock,
		random: systemRandom(),
		newId: () => newActorId(systemRandom()),
		logger: { debug() {}, info() {}, warn: log, error: log },
		limits: { ...RUNNER_LIMITS, ...limits },
		version: "test",
		webSocketOpenTimeoutMs: 15_000,
		alarmCommitted: (_actorId, alarmTs) => void alarms.push(alarmTs),
		wake: async (actorId) => {
			woken.push(actorId);
			return false;
		},
		isAwaited: () => false,
		paused: () => {},
		poolsChanged: () => {},
		roomChanged: () => {},
		elsewhere: undefined,
		came: () => {},
		announced: () => {},
		poolConfig: () => undefined,
		poolAppeared: () => {},
	});
	host.attach({
		stopping: () => {},
		stopped: (actorId) => void ended.push(actorId),
		waits: (actorId) => void waiting.push(actorId),
		lost: () => {},
	});
	return {
		host,
		store: stored,
		clock,
		woken,
		ended,
		waiting,
		alarms,
		logged,
		/** Of what is logged. */
		fields,
		connect(
			key = "key",
			totalSlots = 10,
			takes: (message: RunnerToClient) => void = () => {},
		): RunnerAtHand {
			const sent: RunnerToClient[] = [];
			let bufferedBytes = 0;
			const socket: RunnerSocket = {
				version: 7,
				get bufferedBytes() {
					return bufferedBytes;
				},
				send: (message) => {
					takes(message);
					sent.push(message);
					return true;
				},
				close: () => {},
			};
			const record = host.connected(
				{ namespace: "default", key, processId: null },
				{
					name: "default",
					version: 1,
					totalSlots,
					prepopulateActorNames: undefined,
					metadata: undefined,
				},
				socket,
			);
			return {
				record,
				sent,
				commandsFor: (actorId) =>
					sent.flatMap((message) =>
						message.tag === "ToClientCommands"
							? message.val
									.filter(({ checkpoint }) => checkpoint.actorId === actorId)
									.map(({ inner }) => inner.tag)
							: [],
					),
				says: (message) => host.received(record, socket, message),
				tells: (actorId, generation, index, inner) =>
					host.received(record, socket, {
						tag: "ToServerEvents",
						val: [{ checkpoint: { actorId, generation, index }, inner }],
					}),
				disconnects: () => host.disconnected(record, socket),
				buffers: (bytes) => {
					bufferedBytes = bytes;
				},
			};
		},
		/** A stored actor, acquired for a start. */
		async actor(actorId: string, crashPolicy = "sleep") {
			await stored.insertActor({
				actorId,
				namespace: "default",
				name: "any",
				key: actorId,
				runnerNameSelector: "default",
				crashPolicy,
				datacenter: "default",
				input: null,
				createTs: 0,
			});
			return { ...(await this.acquired(actorId)), crashPolicy };
		},
		/** What the next incarnation of an actor is told. */
		async acquired(actorId: string) {
			const { generation } = await stored.acquire(actorId);
			return {
				actorId,
				generation,
				name: "any",
				key: [actorId],
				namespace: "default",
				region: "default",
				input: null,
				createTs: 0,
				alarmTs: null,
				initialised: true,
				pool: "default",
			};
		},
	};
}
