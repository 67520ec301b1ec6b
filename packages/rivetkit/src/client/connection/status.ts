/**
 * Life of a connection (contract: api 15.5, protocol 3.9).
 *
 *     idle ──start──▶ connecting ──opened──▶ connected
 *                      ▲   │                    │
 *                  retry   failed              lost
 *                      │   ▼                    │
 *                     disconnected ◀────────────┘
 *
 * `disposed` leads to idle from everywhere. A connection that was rejected for good stays
 * disconnected: it fails like any other attempt, and no retry follows.
 */
export type ActorConnStatus = "idle" | "connecting" | "connected" | "disconnected";

export type StatusEvent = "start" | "opened" | "failed" | "lost" | "retry" | "disposed";

const TRANSITIONS: Record<ActorConnStatus, Partial<Record<StatusEvent, ActorConnStatus>>> = {
	idle: { start: "connecting", failed: "disconnected", disposed: "idle" },
	connecting: { opened: "connected", failed: "disconnected", disposed: "idle" },
	connected: { lost: "disconnected", disposed: "idle" },
	disconnected: { retry: "connecting", failed: "disconnected", disposed: "idle" },
};

/** The status after an event; `null` when the event is not legal in that status. */
export function nextStatus(status: ActorConnStatus, event: StatusEvent): ActorConnStatus | null {
	return TRANSITIONS[status][event] ?? null;
}
