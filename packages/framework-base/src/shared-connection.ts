import type { ActorConnRaw, ActorConnStatus, ActorHandleRaw } from "rivetkit/client";
import type { AnyActorOptions } from "./types.ts";

/** What a connection is opened with; `createClient`'s result is one. */
export interface HandleSource {
	get(name: string, key: AnyActorOptions["key"], options: object): OpensConnections;
	getOrCreate(name: string, key: AnyActorOptions["key"], options: object): OpensConnections;
}

interface OpensConnections {
	connect(): unknown;
}

/** The parts of the state that belong to the connection and not to one of its users. */
export interface ConnectionView {
	readonly handle: ActorHandleRaw | null;
	readonly connection: ActorConnRaw | null;
	readonly connStatus: ActorConnStatus;
	readonly error: Error | null;
}

export const IDLE: ConnectionView = {
	handle: null,
	connection: null,
	connStatus: "idle",
	error: null,
};

/** What a shared connection tells its owner. */
export interface SharedConnectionEvents {
	changed(view: ConnectionView): void;
	/** The last user is gone for good; forget this connection. */
	unused(): void;
}

/** How long a connection that was asked for during rendering waits for its component to mount, in ms. */
const HOLD_MS = 10_000;

/**
 * One connection with its users. It is opened with the first enabled user, and closed in the macrotask after the
 * last one left: a component that mounts again at once (Strict Mode, a move in the tree) keeps it.
 */
export class SharedConnection {
	/** Value: does this user want the connection? */
	readonly #users = new Map<object, boolean>();
	readonly #client: () => HandleSource;
	readonly #events: SharedConnectionEvents;
	#options: AnyActorOptions;
	#view: ConnectionView = IDLE;
	#isSettled = false;
	/** Fires when nobody wants the connection any more. */
	#closing: ReturnType<typeof setTimeout> | null = null;
	#waiting: Waiting | null = null;
	/** Ends the hold of a component that waits. */
	#letGo: (() => void) | null = null;

	constructor(
		client: () => HandleSource,
		options: AnyActorOptions,
		events: SharedConnectionEvents,
	) {
		this.#client = client;
		this.#options = options;
		this.#events = events;
	}

	/** The options of the latest user. */
	get options(): AnyActorOptions {
		return this.#options;
	}

	/** What counts for the next time it is opened. The connection that there is stays. */
	adopt(options: AnyActorOptions): void {
		this.#options = options;
	}

	/** Returns how to leave; calling that again does nothing. */
	join(enabled: boolean): () => void {
		const leave = this.#add(enabled);
		this.#letGo?.();
		return leave;
	}

	/**
	 * Opens the connection for a component that mounts only when it is there. Resolves when the first attempt is
	 * over, or nobody mounted for {@link HOLD_MS}.
	 */
	hold(): Promise<void> {
		if (!this.#waiting) {
			this.#waiting = withResolvers();
			const leave = this.#add(true);
			const timer = setTimeout(() => this.#letGo?.(), HOLD_MS);
			this.#letGo = () => {
				this.#letGo = null;
				clearTimeout(timer);
				leave();
			};
			if (this.#isSettled) this.#waiting.resolve();
		}
		return this.#waiting.promise;
	}

	/** The first attempt is over, whichever way; still so when the connection is lost later. */
	get isSettled(): boolean {
		return this.#isSettled;
	}

	#add(enabled: boolean): () => void {
		const user = {};
		this.#users.set(user, enabled);
		this.#review();
		return () => {
			if (this.#users.delete(user)) this.#review();
		};
	}

	#review(): void {
		if (this.#isWanted()) {
			if (this.#closing !== null) clearTimeout(this.#closing);
			this.#closing = null;
			// A connection that could not even be begun is not tried again by itself.
			if (this.#view.connection === null && this.#view.error === null) this.#open();
			return;
		}
		// Users who stay and want none are not about to come back.
		if (this.#users.size > 0) this.#close();
		else this.#closing ??= setTimeout(() => this.#close());
	}

	#isWanted(): boolean {
		return [...this.#users.values()].includes(true);
	}

	#open(): void {
		const { name, key, params, noCreate, createInRegion, createWithInput } = this.#options;
		try {
			const handle = noCreate
				? this.#client().get(name, key, { params })
				: this.#client().getOrCreate(name, key, { params, createInRegion, createWithInput });
			const connection = handle.connect() as ActorConnRaw;
			this.#set({
				handle: handle as unknown as ActorHandleRaw,
				connection,
				connStatus: connection.connStatus,
				error: null,
			});
			connection.onStatusChange((connStatus) => {
				if (this.#view.connection !== connection) return;
				this.#set({
					...this.#view,
					connStatus,
					error: connStatus === "connected" ? null : this.#view.error,
				});
			});
			connection.onError((error) => {
				if (this.#view.connection === connection) this.#set({ ...this.#view, error });
			});
		} catch (error) {
			this.#set({ ...IDLE, connStatus: "disconnected", error: asError(error) });
		}
	}

	#close(): void {
		if (this.#closing !== null) clearTimeout(this.#closing);
		this.#closing = null;
		const { connection } = this.#view;
		this.#isSettled = false;
		this.#set(IDLE);
		this.#waiting?.resolve();
		this.#waiting = null;
		void connection?.dispose();
		if (this.#users.size === 0) this.#events.unused();
	}

	#set(view: ConnectionView): void {
		this.#view = view;
		if (view.connStatus === "connected" || view.error !== null) {
			this.#isSettled = true;
			this.#waiting?.resolve();
		}
		this.#events.changed(view);
	}
}

interface Waiting {
	readonly promise: Promise<void>;
	readonly resolve: () => void;
}

/** `Promise.withResolvers` is younger than the browsers we support. */
function withResolvers(): Waiting {
	let resolve!: () => void;
	const promise = new Promise<void>((fulfil) => {
		resolve = fulfil;
	});
	return { promise, resolve };
}

function asError(error: unknown): Error {
	return error instanceof Error ? error : new Error(String(error), { cause: error });
}
