/**
 * The boundary between an engine (gateway, placement) and whoever hosts actors, as shapes only. The
 * embedded backend passes them by reference; a runner passes them through its tunnel.
 *
 * Invariants:
 * - H1. `start` is called at most once per (actor, generation), and a new generation is started only
 *   after the older one's `stopped` was reported or its lease was lost.
 * - H2. `request` and `openSocket` are called only between a resolved `start` and `stopped`. A host
 *   that is already stopping the actor answers with {@link ActorGone}, and the gateway waits
 *   for the next incarnation.
 * - H3. What a host answers it may release only when the writes made before it are durable.
 */

/** Case-insensitive request headers. */
export interface HeadersView {
	/** The value of one header (lower-case name); several values are joined with ", ". */
	get(name: string): string | null;
	/** All headers with lower-case names. */
	entries(): Iterable<[name: string, value: string]>;
}

/** A request body that is read either whole or, once, as a stream. */
export interface RequestBody {
	/**
	 * The whole body; the same one for a second reader (with the same limit). Rejects with `message.incoming_too_long` as soon as more than `limitBytes` have
	 * arrived, and with the abort reason when the caller goes away first.
	 */
	bytes(limitBytes: number): Promise<Uint8Array>;
	/** The body as it arrives, with backpressure; `null` when the request has none. */
	stream(): ReadableStream<Uint8Array> | null;
}

/** One HTTP request on its way to an actor. */
export interface ActorRequest {
	readonly method: string;
	/** Path and query behind the gateway prefix, untouched: `/action/add`, `/request/a%2Fb?x=1`. */
	readonly path: string;
	readonly headers: HeadersView;
	readonly body: RequestBody;
	/** Fires when the caller goes away before the response is complete. Made on first use. */
	readonly signal: AbortSignal;
	/** IP address of the sender; absent where nobody knows it, and for callers in this process. */
	readonly peerAddress?: string | undefined;
}

/** What an actor answers. */
export interface ActorResponse {
	readonly status: number;
	readonly statusText?: string;
	/** Lower-case names. Several values (`set-cookie`) as a list. */
	readonly headers: Record<string, string | readonly string[]>;
	readonly body: string | Uint8Array | ReadableStream<Uint8Array> | null;
}

/** The upgrade request of a WebSocket on its way to an actor. */
export interface ActorUpgrade {
	/** `/connect`, `/websocket/…`, `/inspector/connect`, with query. */
	readonly path: string;
	readonly headers: HeadersView;
	/** Entries of `Sec-WebSocket-Protocol` as offered, trimmed, in order. */
	readonly protocols: readonly string[];
}

/** A message framed once, to be written to many sockets. Made by {@link ActorSocket.prepare}. */
export interface PreparedMessage {
	readonly data: string | Uint8Array;
}

/**
 * One accepted WebSocket as one incarnation of an actor sees it. The gateway owns the real socket: it may
 * outlive the incarnation, and the next one then gets an `ActorSocket` of its own for the same client
 * (lifecycle 9.4). Calls after a close, or after the incarnation has ended, do nothing.
 *
 * Messages are numbered from 1, over all incarnations. The gateway keeps those of a socket that is held
 * until they are acknowledged, and gives what is left to the next incarnation, in order.
 */
export interface ActorSocket {
	/** Names the client's socket over all incarnations; no two sockets of any gateway share it. */
	readonly id: string;
	/** The sub-protocol the server selected, or "". */
	readonly protocol: string;
	/** Bytes accepted by `send` that have not left this process. */
	readonly bufferedBytes: number;
	/** Whether the gateway can keep the client while no incarnation runs. Asked at accept and at stop. */
	readonly canHibernate: boolean;
	/**
	 * Whether the client's socket survives a crash of this host: then the last handled index has to be
	 * stored, so that a message whose acknowledgement was lost is not handled twice.
	 */
	readonly outlivesHost: boolean;
	/** Messages this client was sent, by all incarnations together. */
	readonly sentCount: number;
	/**
	 * Whether the incarnation before was lost with its host, so that what it sent last may not have come
	 * through. Asked at the start.
	 */
	readonly isInterrupted: boolean;
	/** Text goes out as a text frame, bytes as a binary frame. Messages of one turn leave in one write. */
	send(message: string | Uint8Array): void;
	/** Sends what {@link prepare} framed. */
	sendPrepared(message: PreparedMessage): void;
	/** Frames a message once for any number of sockets of the same gateway. */
	prepare(message: string | Uint8Array): PreparedMessage;
	/** Pings the peer; `onPong` of the handler tells of the answer. */
	ping(): void;
	/** Closes with a code and a reason, which is cut to 123 UTF-8 bytes on a character boundary. */
	close(code: number, reason: string): void;
	/**
	 * Sets who hears of messages; what arrived before is delivered first, in order.
	 *
	 * @param handledIndex - the last message that earlier incarnations have handled, for gateways that do not
	 * know whole indexes
	 */
	listen(handler: ActorSocketHandler, handledIndex?: number): void;
	/**
	 * Keeps the client when this incarnation ends: whatever the next one needs to go on is stored. Does
	 * nothing when {@link canHibernate} is false.
	 */
	hold(): void;
	/** Of a held socket: messages up to this index are handled, and what they wrote is durable. */
	acknowledge(index: number): void;
	/** Of a held socket whose close was told: all there was to do about it is done and durable. */
	release(): void;
}

/** What a host hears from a socket. Calls come one at a time and in order; `onClose` is the last. */
export interface ActorSocketHandler {
	/** Text frames come as strings, binary frames as bytes that the handler may keep. */
	onMessage(message: string | Uint8Array, index: number): void;
	onClose(code: number, reason: string, wasClean: boolean): void;
	onPong?(): void;
}

/** What is left of a call that waits when its actor stops: the next incarnation goes on with it. */
export interface ResumedCall {
	/** Under which the call is known there; the request's `x-rivet-call-id` from now on. */
	readonly callId: string;
	/** Until when it waits (ms since the epoch), its `x-rivet-wait-until`; null for no limit. */
	readonly deadlineTs: number | null;
}

/**
 * Why a host could not take a call: the instance is stopping or gone. The call was not started, or
 * `resume` says how the next incarnation takes it up: the request is offered to it again, with what
 * `resume` says in its headers.
 */
export class ActorGone extends Error {
	override readonly name = "ActorGone";
	readonly actorId: string;
	readonly resume: ResumedCall | null;
	constructor(actorId: string, resume: ResumedCall | null = null) {
		super(`Actor ${actorId} has no live instance on this host`);
		this.actorId = actorId;
		this.resume = resume;
	}
}

/** The instance lives, and has not taken this offer: it may be made again, to this one or to another. Nothing was run. */
export class ActorDeclined extends ActorGone {}

/** Everything a host needs to know to start an actor. */
export interface ActorAssignment {
	readonly actorId: string;
	/** Fencing token: every commit of this incarnation carries it. */
	readonly generation: number;
	readonly name: string;
	/** Key components, decoded. */
	readonly key: readonly string[];
	/** The key as its creator wrote it, where that is handed on; null for an actor without one. Default: `key`, serialized. */
	readonly keyText?: string | null;
	readonly namespace: string;
	readonly region: string;
	/** CBOR of the input given at creation, or null when none was given. */
	readonly input: Uint8Array | null;
	readonly createTs: number;
	/** The alarm as committed last (ms since the epoch), or null. */
	readonly alarmTs: number | null;
	/** Whether an earlier incarnation has finished creating the actor. */
	readonly initialised: boolean;
	/** The pool of hosts that may have it. Default `default`. */
	readonly pool?: string;
	/** What becomes of it when its host is lost: `sleep` (the default), `restart` or `destroy`. */
	readonly crashPolicy?: string;
	/** Whether it stays on this node even if it has to wait there: other nodes have not taken it. Default false. */
	readonly staysHere?: boolean;
	/** Whether its start waits for room however long that takes. Default false: as long as its host has callers wait. */
	readonly isPatient?: boolean;
}

export type StopIntent = "sleep" | "destroy";

/** What the directory and placement know of an actor that somebody inspects. Times in ms since the epoch. */
export interface InspectedActor {
	/** As an incarnation that began now would get it, with the newest generation; -1 before the first. */
	readonly assignment: ActorAssignment;
	readonly placement: "resting" | "starting" | "live" | "stopping";
	readonly startTs: number | null;
	readonly sleepTs: number | null;
	/** When it may be started again after a start that failed; 0 for at once. */
	readonly retryTs: number;
}

/** An actor that somebody goes on inspecting while its incarnations come and go. */
export interface InspectionTarget {
	readonly actorId: string;
	/** Looks it up as it is now. Rejects with `actor.not_found`. */
	look(): Promise<InspectedActor>;
	/** Resolves when an incarnation takes calls. Rejects with what its start failed with. */
	wake(): Promise<void>;
	/** Fires when the engine closes: whoever follows the actor is let go. */
	readonly closing: AbortSignal;
}

/** A client's WebSocket, already accepted, that belongs to no incarnation. Calls after a close do nothing. */
export interface PlainSocket {
	/** Bytes accepted by `send` that have not left this process. */
	readonly bufferedBytes: number;
	send(message: string | Uint8Array): void;
	/** The reason is cut to 123 UTF-8 bytes. */
	close(code: number, reason: string): void;
	/** Sets, once, who hears of messages; what arrived before comes first. `onClose` comes once, last. */
	listen(handler: {
		onMessage(message: string | Uint8Array): void;
		onClose(code: number, reason: string, wasClean: boolean): void;
	}): void;
}

/** A start that a change by an inspector asks for, of an actor that takes no calls now. */
export interface StartAgain {
	/** Where that is: on this host and on no other, or on whatever node. */
	readonly place: "here" | "anywhere";
	/** Whether its last start failed, as far as this node knows. */
	isFailing(): boolean;
	/**
	 * Has it started; here without the pause after a start that failed. Resolves when it takes calls, and rejects with what its
	 * start failed with.
	 */
	start(): Promise<void>;
}

/** Implemented by whoever hosts actors; called by placement and gateway. */
export interface ActorHost {
	/**
	 * Creates or wakes an incarnation and resolves when it is ready; without a promise when it is ready at
	 * once. A rejection means that no instance remains; its reason goes to the callers that wait for the actor.
	 *
	 * @param sockets - what earlier incarnations held, to go on with; none of them is opened again
	 */
	start(assignment: ActorAssignment, sockets: readonly ActorSocket[]): undefined | Promise<void>;
	/**
	 * Runs the stop sequence; resolves when the incarnation is gone. Unknown actors resolve at once.
	 *
	 * @param goesOn - whether the actor is to run again at once, wherever there is room: what is stored of one that did not
	 * want to sleep itself has no time of sleep. Default false.
	 */
	stop(actorId: string, intent: StopIntent, goesOn?: boolean): Promise<void>;
	/**
	 * One HTTP call. Errors are responses. Rejects only with {@link ActorGone}, with the reason of the request's signal,
	 * or, when the host is away or was lost before it answered, with the error the caller is told (`guard.tunnel_…`).
	 */
	request(actorId: string, request: ActorRequest): Promise<ActorResponse>;
	/**
	 * One WebSocket, already accepted. Resolves when the actor has taken it or closed it; until then the
	 * gateway may offer it to another incarnation. Rejects only with {@link ActorGone}; refusals close.
	 */
	openSocket(actorId: string, upgrade: ActorUpgrade, socket: ActorSocket): Promise<void>;
	/**
	 * Ends every incarnation at once, as if a newer one had fenced it off: nothing of them is written or sent any
	 * more. For a node that has lost its right to run actors; a host in the same process must have it.
	 */
	abandon?(): void;
	/**
	 * One inspector request about an actor that takes no calls now, to be answered from what is stored. Null
	 * when it needs an incarnation: the actor is then woken, and gets it as {@link request}. Errors are
	 * responses. A host without this method has its actors woken by whoever inspects them.
	 *
	 * @param startAgain - for changes that need a start
	 */
	inspect?(
		actor: InspectedActor,
		request: ActorRequest,
		startAgain?: StartAgain,
	): Promise<ActorResponse | null>;
	/**
	 * One inspector's WebSocket, whether the actor is awake or not. Never rejects: refusals close. A host
	 * without this method has the actor woken, and gets the socket by {@link openSocket}.
	 */
	inspectSocket?(
		target: InspectionTarget,
		upgrade: ActorUpgrade,
		socket: PlainSocket,
	): Promise<void>;
	/**
	 * A request for the stream of what happens to an actor, whether it is awake or not. Errors are responses. A
	 * host without this method has no such stream.
	 */
	follow?(target: InspectionTarget, request: ActorRequest): Promise<ActorResponse>;
}

/** What a host tells the engine; given to the host when it is attached. */
export interface HostEvents {
	/**
	 * The incarnation began to stop by itself or was told to. From now on calls by id to an actor that is
	 * being destroyed get `actor.stopping`, all others wait for what comes after it. A host that does not
	 * tell loses nothing but speed: its {@link ActorGone} answers say the same.
	 */
	stopping(actorId: string, generation: number, intent: StopIntent): void;
	/**
	 * The incarnation is gone (asleep, destroyed, crashed or fenced off). After `destroy` its data is
	 * already deleted. Waiting calls go to the next incarnation.
	 */
	stopped(actorId: string, generation: number, intent: StopIntent): void;
	/**
	 * A start has to wait for room, or for the end of a pause, perhaps for long: whoever wanted the actor for itself need
	 * not wait for it. A host that never has anybody wait does not tell.
	 */
	waits?(actorId: string, generation: number): void;
	/**
	 * The host is gone, and every incarnation with it: its process died, or nobody can reach it any more.
	 * The next start of each actor fences off what may live on unseen. Nothing comes from this host
	 * afterwards; another one may be attached.
	 */
	lost(): void;
}
