import type { Client, UntypedRegistry } from "../client/types/client.types.ts";
import type { Logger } from "../log/logger.ts";
import type { ActorKv } from "./actor-kv.ts";
import type { Conn } from "./connection.types.ts";
import type { EventArgs, EventName, Undeclared } from "./declarations.types.ts";
import type { ActorQueue } from "./queue.types.ts";
import type { ActorCron, ActorSchedule } from "./schedule.types.ts";
import type { ActorWorkflow } from "./workflow-control.types.ts";

export interface SaveStateOptions {
	/** Resolve after the write itself. Default false: after the next throttled save. */
	immediate?: boolean | undefined;
	/** Bring the next throttled save forward to at most this many milliseconds from now. */
	maxWait?: number | undefined;
}

export interface AtomicOptions {
	/** Longest time the batch stays open (ms, > 0), counted from when `work` begins. Default 10,000. */
	timeout?: number | undefined;
}

/**
 * What every `c` offers (api 5.1); a helper that takes it can be called from every hook with full
 * access. Which calls work in which hook: lifecycle 4; a call that does not says where it does.
 *
 * Contexts are objects with accessors: read members when they are needed, do not spread them.
 */
export interface ActorContext<
	State = unknown,
	ConnParams = unknown,
	ConnState = unknown,
	Vars = unknown,
	_Input = unknown,
	Database = unknown,
	Events = Undeclared,
	Queues = Undeclared,
> {
	readonly actorId: string;
	readonly name: string;
	readonly key: string[];
	/** `"unknown"` where the backend has no regions. */
	readonly region: string;
	/** Bound to the actor's name, key and id. */
	readonly log: Logger;
	/**
	 * Live and tracked; assigning replaces the whole. Throws `actor.state_not_enabled` when the actor
	 * defines none.
	 */
	state: State;
	/** In-memory data of this start. Throws `actor.vars_not_enabled` when the actor defines none. */
	readonly vars: Vars;
	readonly kv: ActorKv;
	/** Throws `database.not_enabled` when the actor defines none. */
	readonly db: Database;
	readonly queue: ActorQueue<Queues>;
	readonly schedule: ActorSchedule;
	readonly cron: ActorCron;
	/** The workflow that is the actor's `run`. Throws `workflow.not_enabled` when `run` is none. */
	readonly workflow: ActorWorkflow;
	/** Accepted connections by id. A live view: it changes with the connections, not by hand. */
	readonly conns: Map<string, Conn<ConnParams, ConnState, Events>>;
	/**
	 * Sends an event to every connection subscribed to it, after the writes made before it are durable.
	 * Throws `event.invalid_payload` when the event's schema refuses the payload.
	 */
	broadcast<K extends EventName<Events>>(name: K, ...args: EventArgs<Events, K>): void;
	/** A client in this process (api 16), typed by the registry. */
	client<R = UntypedRegistry>(): Client<R>;
	/** Waits for a save: the next throttled one, or with `immediate` one made now. */
	saveState(options?: SaveStateOptions): Promise<void>;
	/**
	 * Keeps everything written inside `work` in one commit, also across waits (ruling 18). Resolves with
	 * what `work` returns when the writes are part of the open batch; the answer of the call waits for the
	 * disk.
	 *
	 * A throw, a commit that fails meanwhile, and the end of `timeout` (`atomic.timed_out`) drop what `work`
	 * wrote to kv, queues, schedules and SQL, restore the parts of state it changed, and send none of its
	 * events; what `work` writes after that throws `atomic.over`.
	 *
	 * Nothing that comes from outside begins meanwhile: actions, `onRequest`, messages on sockets, hooks of
	 * connections, scheduled actions and other `c.atomic` wait in line; answers and events wait for the
	 * commit. Code that was running already (other calls, `run`, timers) goes on: it sees what `work` has
	 * written, its own writes go into the same commit, and they stay when `work` fails, over those of
	 * `work` too. So read what you depend on inside `work`.
	 *
	 * Inside, `c.atomic` is refused with `atomic.nested`, `c.saveState` and calls of the actor to itself
	 * with `atomic.waits_for_itself`. Waiting inside for a call or message that has to come in first ends
	 * with the timeout.
	 */
	atomic<T>(work: () => T | PromiseLike<T>, options?: AtomicOptions): Promise<T>;
	/** Lets the actor's stop wait for a promise. Its rejection is logged. Does not keep it awake. */
	waitUntil(promise: PromiseLike<unknown>): void;
	/** Keeps the actor from sleeping until the promise is settled; passes its outcome through. */
	keepAwake<T>(promise: PromiseLike<T>): Promise<T>;
	/**
	 * Fires when the actor stops; in an action also when it times out or its caller goes away, in
	 * `onRequest` when the caller goes away.
	 */
	readonly abortSignal: AbortSignal;
	/** `abortSignal.aborted`. */
	readonly aborted: boolean;
	/** Asks to sleep now (experimental). Returns at once. */
	sleep(): void;
	/** Asks to be destroyed, with all data. Returns at once. */
	destroy(): void;
}

/** A context of work done for one connection. */
export interface ConnContext<
	State = unknown,
	ConnParams = unknown,
	ConnState = unknown,
	Vars = unknown,
	Input = unknown,
	Database = unknown,
	Events = Undeclared,
	Queues = Undeclared,
> extends ActorContext<State, ConnParams, ConnState, Vars, Input, Database, Events, Queues> {
	/** The calling connection; at run time undefined in scheduled actions. */
	readonly conn: Conn<ConnParams, ConnState, Events>;
}

/** A context of work done before a connection is accepted. */
export interface ConnInitContext<
	State = unknown,
	ConnParams = unknown,
	ConnState = unknown,
	Vars = unknown,
	Input = unknown,
	Database = unknown,
	Events = Undeclared,
	Queues = Undeclared,
> extends ActorContext<State, ConnParams, ConnState, Vars, Input, Database, Events, Queues> {
	/** The request that opens the connection; undefined when it was opened in this process. */
	readonly request: Request | undefined;
}
