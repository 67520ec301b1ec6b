import {
	type ActorSocket,
	type ActorSocketHandler,
	CLOSE_NORMAL,
	type PreparedMessage,
	SUBPROTOCOL_RIVET,
} from "@rivetkit/protocol";
import type { ToServerTunnelMessageKind } from "@rivetkit/protocol/runner";

/** A message of the client skipped one: some of what it sent is lost. */
const CLOSE_POLICY = 1008;
const REASON_INDEX_SKIP = "ws.message_index_skip";
/** Bytes that wait for an incarnation to listen. */
const EARLY_BYTES_MAX = 32 * 1024 * 1024;
const INDEXES = 0x1_0000;
/**
 * Where frames are counted from in a socket that an earlier incarnation had: how many its client was sent is
 * not known, only that it was fewer, so that nobody takes a frame of then for one of now.
 */
const SENT_BEFORE = 2 ** 40;

interface Early {
	readonly data: string | Uint8Array;
	readonly wireIndex: number;
}

interface End {
	readonly code: number;
	readonly reason: string;
	readonly wasClean: boolean;
}

/**
 * One client's WebSocket behind an engine's gateway, as one incarnation has it (contract: engine 4.11, 4.12).
 * What is sent before the actor has taken it waits, because the first word decides whether the client stays
 * when the actor sleeps.
 *
 *     opening ─▶ open ─▶ closed
 */
export class TunnelSocket implements ActorSocket {
	readonly id: string;
	readonly protocol: string = SUBPROTOCOL_RIVET;
	readonly outlivesHost = true;
	/** Whether the incarnation before has not slept; known when the actor's record is read. */
	isInterrupted = false;
	readonly #tell: (kind: ToServerTunnelMessageKind) => void;
	readonly #buffered: () => number;
	#state: "opening" | "open" | "closed";
	#isHeld: boolean;
	#sentCount: number;
	#waiting: (string | Uint8Array)[] = [];
	#handler: ActorSocketHandler | null = null;
	#early: Early[] = [];
	#earlyBytes = 0;
	#end: End | null = null;
	/** The last message delivered, counted over all incarnations. */
	#lastIndex = 0;
	/** The last message that its gateway was told of as handled. */
	#acknowledged = 0;
	/** Of an earlier incarnation: its first message may be any. */
	#isResuming: boolean;

	private constructor(options: {
		readonly id: string;
		readonly tell: (kind: ToServerTunnelMessageKind) => void;
		readonly buffered: () => number;
		readonly isRestored: boolean;
	}) {
		this.id = options.id;
		this.#tell = options.tell;
		this.#buffered = options.buffered;
		this.#state = options.isRestored ? "open" : "opening";
		this.#isHeld = options.isRestored;
		this.#isResuming = options.isRestored;
		this.#sentCount = options.isRestored ? SENT_BEFORE : 0;
	}

	/** Of a new client. */
	static opening(
		id: string,
		tell: (kind: ToServerTunnelMessageKind) => void,
		buffered: () => number,
	): TunnelSocket {
		return new TunnelSocket({ id, tell, buffered, isRestored: false });
	}

	/** Of a client that an earlier incarnation has accepted. */
	static restored(
		id: string,
		tell: (kind: ToServerTunnelMessageKind) => void,
		buffered: () => number,
	): TunnelSocket {
		return new TunnelSocket({ id, tell, buffered, isRestored: true });
	}

	get bufferedBytes(): number {
		return this.#buffered();
	}

	get canHibernate(): boolean {
		return this.#state !== "closed" && this.#end === null;
	}

	get sentCount(): number {
		return this.#sentCount;
	}

	get isOpening(): boolean {
		return this.#state === "opening";
	}

	get isClosed(): boolean {
		return this.#state === "closed";
	}

	send(message: string | Uint8Array): void {
		if (this.#state === "closed") return;
		this.#sentCount++;
		if (this.#state === "opening") this.#waiting.push(message);
		else this.#sendNow(message);
	}

	sendPrepared(message: PreparedMessage): void {
		this.send(message.data);
	}

	prepare(message: string | Uint8Array): PreparedMessage {
		return { data: message };
	}

	/** Whether the client is there is the gateway's business: it answers for it. */
	ping(): void {
		queueMicrotask(() => this.#handler?.onPong?.());
	}

	close(code: number, reason: string): void {
		if (this.#state === "closed") return;
		this.#accept();
		this.#state = "closed";
		this.#tell({ tag: "ToServerWebSocketClose", val: { code, reason, hibernate: false } });
		queueMicrotask(() => this.#tellEnd({ code, reason, wasClean: true }));
	}

	listen(handler: ActorSocketHandler, handledIndex = 0): void {
		this.#handler = handler;
		if (this.#isResuming) this.#lastIndex = Math.max(this.#lastIndex, handledIndex);
		const early = this.#early;
		this.#early = [];
		this.#earlyBytes = 0;
		for (const { data, wireIndex } of early) this.#deliver(data, wireIndex);
		if (this.#end) this.#tellEnd(this.#end);
	}

	hold(): void {
		if (this.#state === "closed") return;
		this.#isHeld = true;
		this.#accept();
	}

	acknowledge(index: number): void {
		if (this.#state !== "open" || !this.#isHeld) return;
		this.#acknowledged = index;
		this.#tell({ tag: "ToServerWebSocketMessageAck", val: { index: index % INDEXES } });
	}

	/** The gateway forgets a client that has left by itself. */
	release(): void {}

	/** The actor has taken the socket, or closed it. */
	taken(): void {
		this.#accept();
	}

	/** The incarnation is over. Who is not held, is closed. */
	incarnationEnded(): void {
		const wasHeld = this.#isHeld && this.#state === "open";
		this.#handler = null;
		this.#early = [];
		if (this.#state !== "closed" && !wasHeld) {
			// Before it was taken this is a refusal: the engine offers it to the next incarnation.
			const code = this.#state === "opening" ? undefined : CLOSE_NORMAL;
			const reason = this.#state === "opening" ? undefined : "actor.stopped";
			this.#tell({ tag: "ToServerWebSocketClose", val: { code, reason, hibernate: false } });
		}
		this.#state = "closed";
	}

	/** A message of the client, with its index as it is on the wire. */
	received(data: string | Uint8Array, wireIndex: number): void {
		if (this.#state === "closed") return;
		if (this.#handler) {
			this.#deliver(data, wireIndex);
			return;
		}
		this.#earlyBytes += data.length;
		if (this.#earlyBytes > EARLY_BYTES_MAX) {
			this.close(CLOSE_POLICY, "connection.backlog_full");
			return;
		}
		this.#early.push({ data, wireIndex });
	}

	/** The client has closed, or is gone. */
	ended(code: number, reason: string, wasClean: boolean): void {
		if (this.#state === "closed") return;
		this.#state = "closed";
		const end = { code, reason, wasClean };
		if (this.#handler) this.#tellEnd(end);
		else this.#end = end;
	}

	#deliver(data: string | Uint8Array, wireIndex: number): void {
		const step = (wireIndex - (this.#lastIndex % INDEXES) + INDEXES) % INDEXES;
		const steps = step > INDEXES / 2 ? step - INDEXES : step;
		const isFirst = this.#isResuming;
		const index = this.#lastIndex + steps;
		if (steps <= 0 && (!isFirst || index <= 0)) {
			// It came again because its acknowledgement was lost: without another one its client would be given up.
			if (index > 0 && index <= this.#acknowledged) this.acknowledge(this.#acknowledged);
			return;
		}
		// A first one may have been handled by the incarnation before, which had not said so yet: whoever listens answers it.
		if (steps > 1 && !isFirst) {
			this.close(CLOSE_POLICY, REASON_INDEX_SKIP);
			return;
		}
		this.#isResuming = false;
		this.#lastIndex = index;
		this.#handler!.onMessage(data, index);
	}

	#accept(): void {
		if (this.#state !== "opening") return;
		this.#state = "open";
		this.#tell({ tag: "ToServerWebSocketOpen", val: { canHibernate: this.#isHeld } });
		const waiting = this.#waiting;
		this.#waiting = [];
		for (const message of waiting) this.#sendNow(message);
	}

	#sendNow(message: string | Uint8Array): void {
		const binary = typeof message !== "string";
		const data = binary ? message : Buffer.from(message);
		this.#tell({ tag: "ToServerWebSocketMessage", val: { data, binary } });
	}

	#tellEnd({ code, reason, wasClean }: End): void {
		const handler = this.#handler;
		this.#handler = null;
		handler?.onClose(code, reason, wasClean);
	}
}
