import { createMemoryStore, type Store } from "@rivetkit/engine";
import { systemRandom } from "@rivetkit/protocol";
import { actor } from "../../src/actor/definition.ts";
import { erasedConfig } from "../../src/actor/erased.ts";
import {
	type Embedded,
	inProcessClient,
	startEmbedded,
} from "../../src/backends/embedded/embedded.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { type LogLine, recordingLogger } from "../support/test-runtime.ts";
import { CrashableStore } from "./crashable-store.ts";
import { LocalConnection } from "./local-connection.ts";
import { LocalRawSocket } from "./local-raw-socket.ts";

/** What an actor of the world answers. */
export interface Look {
	readonly value: number;
	/** Ids of the open connections and raw WebSockets, sorted. */
	readonly connections: readonly string[];
	/** Tags of the schedules that fired, in order. */
	readonly fired: readonly number[];
	/** Tags of those that wait, those among them that failed and are tried again. */
	readonly waiting: readonly number[];
	readonly retrying: readonly number[];
}

export interface Handle {
	add(): Promise<number>;
	look(): Promise<Look>;
	/** Has `fire(tag)` called later. Odd tags fail at their first attempt, see {@link RETRY_MS}. */
	plan(tag: number, delayMs: number): Promise<void>;
	nap(): Promise<void>;
	end(): Promise<void>;
}

/** When a schedule that failed is tried again. */
export const RETRY_MS = 5_000;

/** Where raw WebSockets stay open while their actor sleeps, and where they keep it awake. */
export const HELD_PATH = "/websocket/held";
export const PLAIN_PATH = "/websocket/plain";

const EVENT = "added";
const SETTLE_TURNS_MAX = 5_000;
/** What a wake with a few commits takes, so that time does not run ahead of it. */
const STEP_TURNS = 20;

const LASTING: ReadonlySet<string> = new Set(["websocket", "raw-websocket"]);

const turn = () => new Promise((resolve) => setImmediate(resolve));

/**
 * The real system: one runtime at a time over a store that outlives it, on a clock that the test moves.
 * Actors are counters that tell their connections of every step.
 */
export class World {
	readonly #disk: Store = createMemoryStore({
		clock: {
			now: () => this.#clock.now(),
			after: (delayMs, fn) => this.#clock.after(delayMs, fn),
		},
	});
	#crashable!: CrashableStore;
	#embedded!: Embedded;
	#clock!: FakeClock;
	/** Which instance of each actor may act now. */
	readonly #instances = new Map<string, object>();
	readonly #disconnects = new Map<string, number>();
	/** Keys of the actors that woke since this process began, in order. */
	readonly wakes: string[] = [];
	/** Odd tags that have failed; not the actor's to remember, as its attempt may be lost in a crash. */
	readonly #failed = new Set<number>();
	readonly #log: LogLine[] = [];
	/** What must never happen, in words. */
	readonly violations: string[] = [];

	constructor() {
		this.#start(1_700_000_000_000);
	}

	handle(key: string): Handle {
		const client = inProcessClient(this.#embedded.engine, null, {
			clock: this.#clock,
			random: systemRandom(),
			log: recordingLogger([]),
			publicUrl: () => "",
			exposeErrors: () => true,
		});
		return client.counter!.getOrCreate([key]) as unknown as Handle;
	}

	idOf(key: string): Promise<string> {
		return this.#embedded.engine.resolveId({
			kind: "getOrCreate",
			name: "counter",
			key: [key],
			input: null,
		});
	}

	async connect(key: string): Promise<LocalConnection> {
		const connection = await LocalConnection.open(this.#embedded, await this.idOf(key), EVENT);
		// The subscription is at work when a later call over the connection is answered.
		await connection.call("look");
		return connection;
	}

	/** A raw WebSocket, and the id of its connection. */
	async openRaw(key: string, path: string): Promise<{ id: string; socket: LocalRawSocket }> {
		const socket = new LocalRawSocket(this.#embedded, await this.idOf(key), path);
		await this.until(() => socket.isReady, "a raw WebSocket to be accepted");
		socket.send("id");
		await this.until(() => socket.received.length > 0, "a raw WebSocket to open");
		return { id: socket.received.shift()!, socket };
	}

	/** How often a connection got its onDisconnect from this process. */
	disconnectsOf(connId: string): number {
		return this.#disconnects.get(connId) ?? 0;
	}

	async destroy(actorId: string): Promise<void> {
		await this.#embedded.engine.destroy(actorId);
	}

	/** `group.code` of what a call to this id gets. */
	async callById(actorId: string): Promise<string> {
		const { engine } = this.#embedded;
		const answer = await engine.request(actorId, {
			method: "POST",
			path: "/action/look",
			headers: { get: () => null, entries: () => [] },
			body: { bytes: async () => new TextEncoder().encode('{"args":[]}'), stream: () => null },
			signal: new AbortController().signal,
		});
		if (answer.status === 200) return "ok";
		const { group, code } = JSON.parse(String(answer.body)) as { group: string; code: string };
		return `${group}.${code}`;
	}

	isLive(actorId: string): boolean {
		return this.#embedded.host.liveActorIds.includes(actorId);
	}

	get nowMs(): number {
		return this.#clock.now();
	}

	get liveCount(): number {
		return this.#embedded.host.liveActorIds.length;
	}

	/** Moves time in steps, so that what falls due on the way has its turns. */
	async advance(ms: number): Promise<void> {
		await this.#clock.advance(ms, () => this.turns(STEP_TURNS));
	}

	/** The process is gone at once; another one starts on what it left on the disk, `downMs` later. */
	crash(downMs = 0): void {
		this.#crashable.crash();
		this.#instances.clear();
		// An onDisconnect that was not committed runs again.
		this.#disconnects.clear();
		this.#start(this.#clock.now() + downMs);
	}

	/** The process stops in order; another one starts. */
	async restart(): Promise<void> {
		const closed = this.#embedded.close();
		await this.until(() => this.#embedded.host.liveActorIds.length === 0, "all actors to stop");
		await closed;
		this.#start(this.#clock.now());
	}

	/** Lets the event loop turn until `isSo`; time stands still. */
	async until(isSo: () => boolean, what: string): Promise<void> {
		for (let turns = 0; turns < SETTLE_TURNS_MAX; turns++) {
			if (isSo()) return;
			await turn();
		}
		throw new Error(`waited in vain for ${what}`);
	}

	async turns(count: number): Promise<void> {
		for (let left = count; left > 0; left--) await turn();
	}

	async close(): Promise<void> {
		await this.restart();
		await this.#embedded.close();
		const errors = this.#log.filter(
			({ level, fields }) =>
				(level === "error" || level === "fatal") && !String(fields.err).includes("fails at first"),
		);
		for (const { message, fields } of errors) {
			this.violations.push(`logged: ${message} ${String(fields.err ?? "")}`);
		}
	}

	#start(nowMs: number): void {
		// What a crashed process still does happens on a clock of its own, which stands still.
		this.#clock = new FakeClock(nowMs);
		this.wakes.length = 0;
		this.#crashable = new CrashableStore(this.#disk);
		this.#embedded = startEmbedded({
			store: this.#crashable.store,
			definitions: new Map([["counter", erasedConfig(this.#counter())]]),
			clock: this.#clock,
			random: systemRandom(),
			log: recordingLogger(this.#log),
			messageLimits: { maxIncomingMessageSize: 65_536, maxOutgoingMessageSize: 1_048_576 },
			version: "0.0.0-test",
			namespace: "default",
			exposeErrors: () => true,
			publicUrl: () => "",
		});
	}

	#counter() {
		const process = this.#crashable;
		/** What an instance of a process that has crashed still does is nobody's business. */
		const counts = () => this.#crashable === process;
		const act = (actorId: string, instance: object) => {
			if (counts() && this.#instances.get(actorId) !== instance) {
				this.violations.push(`an old instance of ${actorId} acts`);
			}
		};
		return actor({
			state: { value: 0, fired: [] as number[] },
			options: {
				canHibernateWebSocket: (request: Request) => new URL(request.url).pathname === HELD_PATH,
			},
			createVars: () => ({ instance: {} }),
			onWake: (c) => {
				if (!counts()) return;
				this.wakes.push(c.key[0]!);
				if (this.#instances.has(c.actorId)) this.violations.push(`${c.actorId} lives twice`);
				this.#instances.set(c.actorId, c.vars.instance);
			},
			onSleep: (c) => {
				act(c.actorId, c.vars.instance);
				if (counts()) this.#instances.delete(c.actorId);
			},
			onDestroy: (c) => {
				if (counts()) this.#instances.delete(c.actorId);
			},
			onDisconnect: (_c, conn) => {
				if (!counts() || !LASTING.has(conn.kind)) return;
				const times = (this.#disconnects.get(conn.id) ?? 0) + 1;
				this.#disconnects.set(conn.id, times);
				if (times > 1) this.violations.push(`${conn.id} is disconnected ${times} times`);
			},
			onWebSocket: (c, socket) => {
				const { conn } = c;
				socket.addEventListener("message", ({ data }) => {
					act(c.actorId, c.vars.instance);
					if (data === "id") {
						socket.send(conn.id);
						return;
					}
					c.state.value++;
					c.broadcast(EVENT, c.state.value);
					socket.send(`${data} ${c.state.value}`);
				});
			},
			actions: {
				add: async (c) => {
					act(c.actorId, c.vars.instance);
					c.state.value++;
					const { value } = c.state;
					c.broadcast(EVENT, value);
					if (value % 3 === 0) await turn();
					return value;
				},
				look: async (c): Promise<Look> => {
					act(c.actorId, c.vars.instance);
					const entries = await c.schedule.list();
					const tagsOf = (some: typeof entries) => some.map(({ args }) => args[0] as number);
					const open = [...c.conns.values()].filter(({ kind }) => LASTING.has(kind));
					return {
						value: c.state.value,
						connections: open.map(({ id }) => id).sort(),
						fired: [...c.state.fired],
						waiting: tagsOf(entries).sort((left, right) => left - right),
						retrying: tagsOf(entries.filter(({ retrying }) => retrying)),
					};
				},
				plan: async (c, tag: number, delayMs: number) => {
					const retry = { attempts: 5, delay: RETRY_MS, factor: 1 };
					await c.schedule.with({ retry }).after(delayMs, "fire", tag);
				},
				fire: (c, tag: number) => {
					act(c.actorId, c.vars.instance);
					if (tag % 2 === 1 && counts() && !this.#failed.has(tag)) {
						this.#failed.add(tag);
						throw new Error(`${tag} fails at first`);
					}
					c.state.fired.push(tag);
				},
				nap: (c) => c.sleep(),
				end: (c) => c.destroy(),
			},
		});
	}
}
