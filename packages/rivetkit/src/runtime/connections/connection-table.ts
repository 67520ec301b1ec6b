import type { ActorInstance } from "../instance/instance.ts";
import { hasEnded } from "../lifecycle/lifecycle.ts";
import { withTimeout } from "../lifecycle/with-timeout.ts";
import { assertStorable } from "../state/track-state.ts";
import { CLOSE_FINAL, CLOSE_NORMAL, truncateCloseReason } from "./close-codes.ts";
import type { Connection, ConnectionView } from "./connection.ts";
import {
	isTraced,
	noteConnection,
	traceClosing,
	traceHook,
	traceOpening,
} from "./connection-spans.ts";
import { Departures } from "./departures.ts";
import { LingeringConnections } from "./lingering-connections.ts";

/**
 * The accepted connections of one actor, and the hooks around their opening and closing (contract:
 * lifecycle 9.2, 9.3). `onDisconnect` runs exactly once per accepted connection, after it left the table.
 */
export class ConnectionTable {
	readonly #instance: ActorInstance;
	#open: Map<string, Connection> | null = null;
	/** Who hears which event; kept beside the connections' own sets so that a broadcast is one lookup. */
	#subscribers: Map<string, Set<Connection>> | null = null;
	#views: Map<string, ConnectionView> | null = null;
	/** What an earlier incarnation has left, until the actor is ready. */
	#restored: { goOn(): void } | null = null;
	#departures: Departures | null = null;
	#lingering: LingeringConnections | null = null;

	constructor(instance: ActorInstance) {
		this.#instance = instance;
	}

	get #leaving(): Departures {
		this.#departures ??= new Departures(this.#instance);
		return this.#departures;
	}

	/** Those that are over for the actor, whose clients may come back for the events they miss. */
	get lingering(): LingeringConnections {
		this.#lingering ??= new LingeringConnections(this.#instance, (connection) =>
			this.#removeSubscriptions(connection),
		);
		return this.#lingering;
	}

	get size(): number {
		return this.#open?.size ?? 0;
	}

	get disconnecting(): number {
		return this.#departures?.runningCount ?? 0;
	}

	all(): Iterable<Connection> {
		return this.#open?.values() ?? [];
	}

	/** `c.conns` of contexts of this era: a live, read-only map of what users may see. */
	viewsOf(era: number): Map<string, ConnectionView> {
		if (era !== this.#instance.era) return this.#newViews(era);
		this.#views ??= this.#newViews(era);
		return this.#views;
	}

	#newViews(era: number): Map<string, ConnectionView> {
		// Users see a Map; what would change it throws.
		const views: unknown = new LiveViews(() => this.#open ?? NONE, era);
		return views as Map<string, ConnectionView>;
	}

	/** What somebody holds of them can only be read from now on (W-STOP-5). */
	renew(): void {
		this.#views = null;
		for (const connection of this.all()) connection.renew();
	}

	/**
	 * Runs the opening hooks. Throws what a hook threw; then the connection was never in the table, or
	 * (onConnect) has left it again. Synchronous when the actor has no hook that waits.
	 */
	open(connection: Connection, request: Request | undefined): void | Promise<void> {
		if (!isTraced(connection)) return this.#openNow(connection, request);
		return traceOpening(connection, () => this.#openNow(connection, request));
	}

	#openNow(connection: Connection, request: Request | undefined): void | Promise<void> {
		const { config } = this.#instance;
		if (!config.onBeforeConnect && !config.createConnState && !config.onConnect) {
			if (config.connState !== undefined) connection.initState(structuredClone(config.connState));
			this.#admit(connection);
			this.#accept(connection);
			this.#opened(connection);
			return;
		}
		return this.#openWithHooks(connection, request);
	}

	async #openWithHooks(connection: Connection, request: Request | undefined): Promise<void> {
		const instance = this.#instance;
		const { config, options } = instance;
		if (!instance.isFree) {
			await instance.untilFree();
			instance.assertAcceptsWork();
		}
		try {
			// Whoever inspects the actor was let in already (lifecycle 20).
			if (config.onBeforeConnect && connection.kind !== "inspector") {
				const c = instance.contexts.beforeConnect(request);
				await withTimeout(
					instance,
					"onBeforeConnect",
					options.onBeforeConnectTimeout,
					traceHook(connection, "onBeforeConnect", () =>
						config.onBeforeConnect!(c, connection.params),
					),
				);
			}
			if (config.createConnState) {
				const c = instance.contexts.beforeConnect(request);
				const state = await withTimeout(
					instance,
					"createConnState",
					options.createConnStateTimeout,
					traceHook(connection, "createConnState", () =>
						config.createConnState!(c, connection.params),
					),
				);
				assertStorable(state, "conn.state");
				connection.initState(state);
			} else if (config.connState !== undefined) {
				connection.initState(structuredClone(config.connState));
			}
			this.#admit(connection);
		} catch (error) {
			connection.phase = "rejected";
			throw error;
		}
		this.#accept(connection);
		if (!config.onConnect) {
			this.#opened(connection);
			return;
		}
		const { record } = connection;
		if (record) record.isOpening = true;
		try {
			const c = instance.contexts.connection(connection, request);
			await withTimeout(
				instance,
				"onConnect",
				options.onConnectTimeout,
				traceHook(connection, "onConnect", () => config.onConnect!(c, connection.view)),
			);
			// The grace period may have ended meanwhile: whoever waits here is for the next incarnation.
			instance.assertAcceptsWork();
			if (record) instance.connectionRecords.opened(record);
			this.#opened(connection);
		} catch (error) {
			// Stored with the actor's last commit, it gets its onDisconnect from the next incarnation.
			if (!record || instance.acceptsWork) void this.close(connection);
			throw error;
		}
	}

	/** All that its opening writes is written. */
	#opened(connection: Connection): void {
		if (this.#instance.config.onDisconnect) this.#leaving.opened(connection);
	}

	/** Refuses what could not be stored, before anything of the connection is. */
	#admit({ record }: Connection): void {
		if (record) this.#instance.connectionRecords.admit(record);
	}

	#accept(connection: Connection): void {
		this.#instance.assertAcceptsWork();
		this.#put(connection);
		if (connection.record) this.#instance.connectionRecords.add(connection.record);
		noteConnection(connection, "connection.connect");
	}

	/** A connection of an earlier incarnation whose client is still here: no hook runs. */
	restore(connection: Connection, subscriptions: Iterable<string>): void {
		this.#put(connection);
		for (const event of subscriptions) this.#addSubscriber(connection, event);
	}

	/** Has `restored` go on as soon as the actor is ready. */
	whenReady(restored: { goOn(): void }): void {
		this.#restored = restored;
	}

	/** The actor is ready. */
	goOn(): void {
		this.#restored?.goOn();
		this.#restored = null;
	}

	#put(connection: Connection): void {
		connection.phase = "open";
		if (holdsAwake(connection)) this.#instance.work.begin("socket");
		this.#open ??= new Map();
		this.#open.set(connection.id, connection);
		this.#instance.watcher?.();
	}

	subscribe(connection: Connection, event: string): void {
		if (connection.phase !== "open" || connection.subscriptions.has(event)) return;
		this.#addSubscriber(connection, event);
		if (connection.record) this.#instance.connectionRecords.subscriptionsChanged(connection.record);
	}

	#addSubscriber(connection: Connection, event: string): void {
		connection.subscriptions.add(event);
		this.#subscribers ??= new Map();
		let subscribers = this.#subscribers.get(event);
		if (!subscribers) {
			subscribers = new Set();
			this.#subscribers.set(event, subscribers);
		}
		subscribers.add(connection);
	}

	unsubscribe(connection: Connection, event: string): void {
		if (!connection.hasSubscriptions || !connection.subscriptions.delete(event)) return;
		this.#removeSubscriber(connection, event);
		if (connection.record) this.#instance.connectionRecords.subscriptionsChanged(connection.record);
	}

	/** Connections subscribed to `event`; undefined when there is none. */
	subscribers(event: string): ReadonlySet<Connection> | undefined {
		return this.#subscribers?.get(event);
	}

	/** A connection that is open or lingers, whose client has this session. */
	resumable(id: string, session: string): Connection | null {
		const connection = this.#open?.get(id) ?? this.#lingering?.get(id);
		return connection?.log && connection.session === session ? connection : null;
	}

	/**
	 * Takes the connection out and runs `onDisconnect`. Does nothing when it is not open.
	 *
	 * @param mayReturn - whether its socket broke, so that the client may come back for what it misses
	 */
	close(connection: Connection, mayReturn = false): void | Promise<void> {
		if (connection.phase !== "open") return;
		if (!isTraced(connection)) return this.#closeNow(connection, mayReturn);
		return traceClosing(connection, () => this.#closeNow(connection, mayReturn));
	}

	#closeNow(connection: Connection, mayReturn: boolean): void | Promise<void> {
		noteConnection(connection, "connection.disconnect");
		connection.phase = "closed";
		if (holdsAwake(connection)) this.#instance.work.end("socket");
		this.#open?.delete(connection.id);
		if (this.#open?.size === 0) this.#open = null;
		this.#instance.watcher?.();
		if (mayReturn && connection.log && !hasEnded(this.#instance.phase)) {
			this.lingering.add(connection);
		} else {
			this.#removeSubscriptions(connection);
		}
		// What an incarnation leaves behind is the next one's to deal with.
		if (hasEnded(this.#instance.phase)) return;
		if (!connection.record && !this.#instance.config.onDisconnect) return;
		return this.#leaving.begin(connection);
	}

	/** The actor stops: an `onDisconnect` that waits to run again does so now. */
	hurry(): void {
		this.#departures?.hurry();
	}

	/** `conn.disconnect()`: closes the transport and resolves when `onDisconnect` is done. */
	async disconnect(connection: Connection, reason: string, final: boolean): Promise<void> {
		if (connection.phase !== "open") return;
		const done = this.close(connection);
		this.#closeTransport(connection, final ? CLOSE_FINAL : CLOSE_NORMAL, reason);
		await done;
	}

	/**
	 * The actor stops: connections that cannot wait for the next incarnation are closed, all of them when
	 * there will be none. Resolves when all `onDisconnect` hooks are done.
	 */
	async leave(code: number, reason: string): Promise<void> {
		const isDestroyed = this.#instance.phase === "closing";
		for (const connection of [...this.all()]) {
			if (!isDestroyed && connection.record?.socket?.canHibernate) continue;
			void this.close(connection);
			this.#closeTransport(connection, code, reason);
		}
		await this.#departures?.allDone();
	}

	/** The incarnation has ended; whoever is still connected waits for the next one. */
	end(): void {
		this.#lingering?.end();
		this.#departures?.end();
		for (const { leaveTransport } of this.all()) leaveTransport?.();
	}

	/** Answers and events that were sent before leave before. */
	#closeTransport({ closeTransport }: Connection, code: number, reason: string): void {
		if (!closeTransport) return;
		const cut = truncateCloseReason(reason);
		this.#instance.afterDurable(() => closeTransport(code, cut));
	}

	#removeSubscriptions(connection: Connection): void {
		if (!connection.hasSubscriptions) return;
		for (const event of connection.subscriptions) this.#removeSubscriber(connection, event);
	}

	#removeSubscriber(connection: Connection, event: string): void {
		const subscribers = this.#subscribers?.get(event);
		if (!subscribers) return;
		subscribers.delete(connection);
		if (subscribers.size === 0) this.#subscribers?.delete(event);
	}
}

/** Calls count as work of their own; a socket that cannot hibernate would be lost by a sleep. */
function holdsAwake({ kind, isHibernatable }: Connection): boolean {
	return (kind === "websocket" || kind === "raw-websocket") && !isHibernatable;
}

const NONE: ReadonlyMap<string, Connection> = new Map();

/** A `Map` of views over the map of connections, without keeping a second map in step. */
class LiveViews implements ReadonlyMap<string, ConnectionView> {
	readonly #open: () => ReadonlyMap<string, Connection>;
	readonly #era: number;
	readonly [Symbol.toStringTag] = "Map";

	constructor(open: () => ReadonlyMap<string, Connection>, era: number) {
		this.#open = open;
		this.#era = era;
	}
	set(): never {
		throw readOnly("set");
	}
	delete(): never {
		throw readOnly("delete");
	}
	clear(): never {
		throw readOnly("clear");
	}
	get size(): number {
		return this.#open().size;
	}
	get(id: string): ConnectionView | undefined {
		return this.#open().get(id)?.viewOf(this.#era);
	}
	has(id: string): boolean {
		return this.#open().has(id);
	}
	*entries(): MapIterator<[string, ConnectionView]> {
		for (const [id, connection] of this.#open()) yield [id, connection.viewOf(this.#era)];
	}
	keys(): MapIterator<string> {
		return this.#open().keys() as MapIterator<string>;
	}
	*values(): MapIterator<ConnectionView> {
		for (const connection of this.#open().values()) yield connection.viewOf(this.#era);
	}
	[Symbol.iterator](): MapIterator<[string, ConnectionView]> {
		return this.entries();
	}
	forEach(
		fn: (value: ConnectionView, key: string, map: ReadonlyMap<string, ConnectionView>) => void,
		thisArg?: unknown,
	): void {
		for (const [id, connection] of this.#open())
			fn.call(thisArg, connection.viewOf(this.#era), id, this);
	}
}

function readOnly(method: string): TypeError {
	return new TypeError(
		`c.conns.${method}() does not work: connections come and go by themselves. To close one: conn.disconnect()`,
	);
}
