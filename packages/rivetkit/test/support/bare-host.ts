import { createMemoryStore, type Store } from "@rivetkit/engine";
import {
	type ActorSocket,
	buildSubprotocols,
	type Clock,
	systemClock,
	systemRandom,
} from "@rivetkit/protocol";
import { erasedConfig } from "../../src/actor/erased.ts";
import { EmbeddedBackend } from "../../src/backends/embedded/embedded-backend.ts";
import { TurnScheduler } from "../../src/runtime/commit/turn-scheduler.ts";
import { DatabasePool } from "../../src/runtime/database/database-pool.ts";
import { RuntimeHost } from "../../src/runtime/host/runtime-host.ts";
import { TimerWheel } from "../../src/runtime/timers/timer-wheel.ts";
import { type LogLine, recordingLogger } from "./test-runtime.ts";

const ACTOR_ID = "actor";

/** One actor of a host without an engine: a test says itself when incarnations begin and crash. */
export class BareHost {
	readonly log: LogLine[] = [];
	readonly store: Store;
	readonly #definition: { readonly config: object };
	readonly #clock: Clock;
	#host: RuntimeHost | null = null;

	constructor(
		definition: { readonly config: object },
		store: Store = createMemoryStore(),
		clock: Clock = systemClock(),
	) {
		this.#definition = definition;
		this.store = store;
		this.#clock = clock;
	}

	/** A new incarnation, in a new host. The one before it is left alone: its commits are refused. */
	async start(sockets: readonly ActorSocket[] = []): Promise<void> {
		await this.store.insertActor({
			actorId: ACTOR_ID,
			namespace: "default",
			name: "subject",
			key: "",
			runnerNameSelector: "default",
			crashPolicy: "sleep",
			datacenter: "default",
			input: null,
			createTs: 0,
		});
		const clock = this.#clock;
		this.#host = new RuntimeHost(
			{
				backend: new EmbeddedBackend(this.store, () => {}),
				databases: new DatabasePool({
					dataDirectory: null,
					openMax: 8,
					log: recordingLogger(this.log),
				}),
				clock,
				random: systemRandom(),
				timers: new TimerWheel(clock, { resolutionMs: 10 }),
				alarms: new TimerWheel(clock, { resolutionMs: 1 }),
				turns: new TurnScheduler(),
				log: recordingLogger(this.log),
				limits: { maxIncomingMessageSize: 65_536, maxOutgoingMessageSize: 1_048_576 },
				exposeErrors: () => true,
				createClient: () => {
					throw new Error("a bare host has no client");
				},
			},
			new Map([["subject", erasedConfig(this.#definition)]]),
		);
		const { generation, initialised } = await this.store.acquire(ACTOR_ID);
		const assignment = {
			actorId: ACTOR_ID,
			generation,
			name: "subject",
			key: [],
			namespace: "default",
			region: "default",
			input: null,
			createTs: 0,
			alarmTs: null,
			initialised,
		};
		await this.#host.start(assignment, sockets);
	}

	async open(
		socket: ActorSocket,
		path = "/connect",
		session?: string,
		resume?: string,
	): Promise<void> {
		const protocols = buildSubprotocols({
			encoding: "json",
			...(session === undefined ? {} : { session }),
			...(resume === undefined ? {} : { resume }),
		});
		const headers = { get: () => null, entries: () => [] };
		await this.#host!.openSocket(ACTOR_ID, { path, headers, protocols }, socket);
	}

	stop(): Promise<void> {
		return this.#host!.stop(ACTOR_ID, "sleep");
	}
}
