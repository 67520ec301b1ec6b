/** An event of a raw WebSocket. */
export interface RivetEvent {
	readonly type: string;
	readonly target: UniversalWebSocket | null;
}

/** A message: text as a string, binary as an `ArrayBuffer`. */
export interface RivetMessageEvent extends RivetEvent {
	// biome-ignore lint/suspicious/noExplicitAny: as in the platform's MessageEvent, so that handlers fit both
	readonly data: any;
}

export interface RivetCloseEvent extends RivetEvent {
	readonly code: number;
	readonly reason: string;
	readonly wasClean: boolean;
}

interface WebSocketEvents {
	open: RivetEvent;
	message: RivetMessageEvent;
	close: RivetCloseEvent;
	error: RivetEvent;
}

/** A listener; a promise it returns counts as activity of the actor. */
export type WebSocketListener<Event> = (event: Event) => unknown;

/** The part of the platform's WebSocket that is the same everywhere; what `onWebSocket` gets. */
export interface UniversalWebSocket {
	readonly CONNECTING: 0;
	readonly OPEN: 1;
	readonly CLOSING: 2;
	readonly CLOSED: 3;
	readonly readyState: 0 | 1 | 2 | 3;
	readonly url: string;
	readonly protocol: string;
	readonly extensions: string;
	/** Bytes accepted by `send` that have not left yet. */
	readonly bufferedAmount: number;
	binaryType: "arraybuffer" | "blob";
	onopen: WebSocketListener<RivetEvent> | null;
	onmessage: WebSocketListener<RivetMessageEvent> | null;
	onclose: WebSocketListener<RivetCloseEvent> | null;
	onerror: WebSocketListener<RivetEvent> | null;
	send(data: string | ArrayBufferLike | ArrayBufferView | Blob): void;
	close(code?: number, reason?: string): void;
	addEventListener<K extends keyof WebSocketEvents>(
		type: K,
		listener: WebSocketListener<WebSocketEvents[K]>,
		options?: { once?: boolean | undefined },
	): void;
	removeEventListener<K extends keyof WebSocketEvents>(
		type: K,
		listener: WebSocketListener<WebSocketEvents[K]>,
	): void;
}

/** The part of the platform's EventSource that is the same everywhere. */
export interface UniversalEventSource {
	readonly CONNECTING: 0;
	readonly OPEN: 1;
	readonly CLOSED: 2;
	readonly readyState: 0 | 1 | 2;
	readonly url: string;
	readonly withCredentials: boolean;
	onopen: ((event: UniversalEvent) => unknown) | null;
	onmessage: ((event: UniversalMessageEvent) => unknown) | null;
	onerror: ((event: UniversalErrorEvent) => unknown) | null;
	addEventListener(type: string, listener: (event: UniversalMessageEvent) => unknown): void;
	removeEventListener(type: string, listener: (event: UniversalMessageEvent) => unknown): void;
	close(): void;
}

export interface UniversalEvent {
	readonly type: string;
	readonly target: unknown;
}

export interface UniversalMessageEvent extends UniversalEvent {
	readonly data: string;
	readonly lastEventId: string;
	readonly origin: string;
}

export interface UniversalErrorEvent extends UniversalEvent {
	readonly message?: string;
	readonly error?: unknown;
}
