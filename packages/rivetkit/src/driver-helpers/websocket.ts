/** `rivetkit/driver-helpers/websocket`: the WebSocket client of whatever runtime this is. */

/** The class of WebSocket clients: the runtime's own, or that of `ws` where there is none. */
export async function importWebSocket(): Promise<typeof WebSocket> {
	if (globalThis.WebSocket) return globalThis.WebSocket;
	const { WebSocket: OfWs } = await import("ws");
	// The class of `ws` has more events than the standard's, which keeps the types from matching.
	return OfWs as unknown as typeof WebSocket;
}
