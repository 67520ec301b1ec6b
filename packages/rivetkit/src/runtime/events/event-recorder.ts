import { EncodeError, encodeCbor } from "@rivetkit/protocol";
import { currentSpan } from "../calls/call-scope.ts";
import { untracked } from "../state/index.ts";
import type { ActorTelemetry } from "../telemetry/actor-telemetry.ts";

/** Bytes of the arguments of one event that are kept for inspectors. */
const ARGUMENTS_BYTES_MAX = 16 * 1_024;
const ENTRY_BYTES = 150;

/** Tells traces, metrics and those who watch of the events that an actor emits. */
export class EventRecorder {
	readonly #telemetry: ActorTelemetry;

	constructor(telemetry: ActorTelemetry) {
		this.#telemetry = telemetry;
	}

	/** @param connId - set when the event is for one connection only */
	emitted(name: string, args: readonly unknown[], subscribers: number, connId?: string): void {
		const { metrics, trailOrNone: trail, host } = this.#telemetry;
		if (metrics) metrics.events++;
		if (host.recordsSpans && currentSpan() !== null) this.#addToSpan(name, subscribers, connId);
		if (trail === null || !trail.mayRecordEvents || !trail.recordsEvents(host.wallMs())) return;
		const kept = keptArguments(args);
		trail.addEvent({
			id: host.trails.next(),
			atMs: Math.floor(host.nowMs()),
			name,
			args: kept,
			subscribers,
			...(connId !== undefined && { connId }),
			bytes: ENTRY_BYTES + name.length + (kept?.byteLength ?? 0),
			isDropped: false,
		});
	}

	#addToSpan(name: string, subscribers: number, connId: string | undefined): void {
		if (connId !== undefined) {
			this.#telemetry.event("message.send", {
				"rivet.event.name": name,
				"rivet.conn.id": connId,
			});
		} else {
			this.#telemetry.event("message.broadcast", {
				"rivet.event.name": name,
				"rivet.broadcast.subscribers": subscribers,
			});
		}
	}
}

/** Null for what is too large, and for what no client could be sent. */
function keptArguments(args: readonly unknown[]): Uint8Array | null {
	try {
		const encoded = encodeCbor(untracked([...args]));
		return encoded.byteLength > ARGUMENTS_BYTES_MAX ? null : encoded;
	} catch (error) {
		if (error instanceof EncodeError) return null;
		throw error;
	}
}
