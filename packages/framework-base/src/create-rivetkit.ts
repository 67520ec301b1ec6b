import type { Client } from "rivetkit/client";
import { ConnectionStore } from "./connection-store.ts";
import { defaultHash } from "./hash.ts";
import {
	type ConnectionView,
	type HandleSource,
	IDLE,
	SharedConnection,
} from "./shared-connection.ts";
import type {
	ActorName,
	ActorOptions,
	ActorState,
	AnyActorOptions,
	CreateRivetKitOptions,
	Subscribable,
} from "./types.ts";

/** One use of an actor. */
export interface ActorUse<Registry, Name extends ActorName<Registry>> {
	/** Joins the users of the connection, which opens with the first enabled one. Returns how to leave. */
	readonly mount: () => () => void;
	/** What this user sees. Reading and subscribing do no I/O. */
	readonly state: Subscribable<ActorState<Registry, Name>>;
	/** What this user sees before anything is mounted, on a server for one; always the same object. */
	readonly idle: ActorState<Registry, Name>;
	/** The hash: uses with the same one share a connection. */
	readonly key: string;
	/**
	 * For frameworks that wait with mounting: opens the connection, and resolves when its first attempt is over. `null`
	 * when it is already, or this user is not enabled.
	 */
	readonly ready: () => Promise<void> | null;
}

export interface RivetKit<Registry> {
	/** Does no I/O: what connects is `mount`. Cheap enough to be called with every rendering. */
	getOrCreateActor<Name extends ActorName<Registry>>(
		options: ActorOptions<Registry, Name>,
	): ActorUse<Registry, Name>;
	/** All connections with users, by hash. */
	readonly store: ConnectionStore<ConnectionView>;
}

/**
 * Shares connections among the users of a page (contract: api 17). `client` may be a function, which is called when the
 * first connection is opened: a server that only renders never makes a client.
 */
export function createRivetKit<Registry>(
	client: Client<Registry> | (() => Client<Registry>),
	{ hashFunction = defaultHash }: CreateRivetKitOptions = {},
): RivetKit<Registry> {
	const store = new ConnectionStore<ConnectionView>();
	const connections = new Map<string, SharedConnection>();
	// A client takes any member as the name of an actor, and calling it is none of them: it is no function.
	const source = (): HandleSource =>
		(typeof client === "function" ? client() : client) as unknown as HandleSource;

	function connectionOf(hash: string, options: AnyActorOptions): SharedConnection {
		const known = connections.get(hash);
		if (known) {
			known.adopt(options);
			return known;
		}
		const made = new SharedConnection(source, options, {
			changed: (view) => store.set(hash, view),
			unused: () => {
				connections.delete(hash);
				store.delete(hash);
			},
		});
		connections.set(hash, made);
		return made;
	}

	return {
		store,
		getOrCreateActor<Name extends ActorName<Registry>>(options: ActorOptions<Registry, Name>) {
			const hash = hashFunction(options);
			const enabled = options.enabled ?? true;
			const idle = viewed<Registry, Name>(IDLE, hash, options);
			return {
				key: hash,
				mount: () => connectionOf(hash, options).join(enabled),
				state: stateOf(store, hash, options, enabled),
				idle,
				ready: () => {
					if (!enabled || connections.get(hash)?.isSettled) return null;
					return connectionOf(hash, options).hold();
				},
			};
		},
	};
}

/** One user's view: the connection's, with this user's options; idle for a user that is not enabled. */
function stateOf<Registry, Name extends ActorName<Registry>>(
	store: ConnectionStore<ConnectionView>,
	hash: string,
	opts: ActorOptions<Registry, Name>,
	enabled: boolean,
): Subscribable<ActorState<Registry, Name>> {
	let seen: ConnectionView | null = null;
	let state: ActorState<Registry, Name>;
	return {
		get: () => {
			const view = enabled ? (store.get(hash) ?? IDLE) : IDLE;
			if (view !== seen) {
				seen = view;
				state = viewed(view, hash, opts);
			}
			return state;
		},
		subscribe: (listener) => store.subscribe(hash, listener),
	};
}

function viewed<Registry, Name extends ActorName<Registry>>(
	view: ConnectionView,
	hash: string,
	opts: ActorOptions<Registry, Name>,
): ActorState<Registry, Name> {
	const isConnected = view.connStatus === "connected";
	// The untyped connection is the typed one's own object; its type is known by the name only.
	return { ...view, opts, hash, isConnected } as ActorState<Registry, Name>;
}
