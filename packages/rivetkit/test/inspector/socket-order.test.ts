// Answers and pushes of the inspector's WebSocket come in the order in which the actor was read (docs/inspector.md).
import type { ActorUpgrade, InspectionTarget, PlainSocket } from "@rivetkit/protocol";
import {
	decodeInspectorToClient,
	encodeInspectorToServer,
	type InspectorToClient,
} from "rivetkit/inspector";
import { expect, it } from "vitest";
import type { Logger } from "../../src/log/logger.ts";
import { InspectorSockets } from "../../src/runtime/inspector/socket/inspector-sockets.ts";
import type { ActorView } from "../../src/runtime/inspector/view/actor-view.ts";
import type { ActorInstance } from "../../src/runtime/instance/instance.ts";
import type { TimerWheel } from "../../src/runtime/timers/timer-wheel.ts";
import { eventually } from "../support/eventually.ts";
import { Gate } from "../support/gate.ts";

const VERSION = 6;
const target = { actorId: "an actor", closing: new AbortController().signal } as InspectionTarget;

/** An actor whose workflow was at this revision, and takes until the gate opens to be read. */
function viewOf(revision: number, gate?: Gate): ActorView {
	return {
		config: { hasState: false, actions: new Map(), run: { durable: {} } },
		state: null,
		connections: [],
		queue: null,
		schedules: { calls: () => [], jobs: () => [] },
		workflow: {
			revision: String(revision),
			bytes: async () => {
				await gate?.passed;
				return Uint8Array.of(revision);
			},
		},
	} as unknown as ActorView;
}

/** One inspector's socket, without a network in between. */
class Wire implements PlainSocket {
	readonly bufferedBytes = 0;
	readonly told: InspectorToClient[] = [];
	#hear: (message: Uint8Array) => void = () => {};

	send(message: Uint8Array): void {
		this.told.push(decodeInspectorToClient(message).message);
	}

	listen({ onMessage }: Parameters<PlainSocket["listen"]>[0]): void {
		this.#hear = onMessage;
	}

	ask(message: Parameters<typeof encodeInspectorToServer>[1]): void {
		this.#hear(encodeInspectorToServer(VERSION, message));
	}

	close(): void {}

	/** The revisions that it was told of, in order. */
	get revisions(): [tag: string, revision: number | undefined][] {
		return this.told.map(({ tag, val }) => {
			const { workflowHistory, history } = val as { [name: string]: Uint8Array | undefined };
			return [tag, (workflowHistory ?? history)?.[0]];
		});
	}
}

it("a history that takes long to be read is told before one that is newer, and never after it", async () => {
	let view = viewOf(1);
	let look = () => {};
	const sockets = new InspectorSockets({
		timers: {
			schedule: (_ms: number, run: () => void) => {
				look = run;
				return { cancel() {} };
			},
		} as unknown as TimerWheel,
		log: { debug() {}, error() {} } as unknown as Logger,
		telemetry: null,
		exposeErrors: () => false,
		admit: async () => {},
		view: async () => view,
		live: () => undefined,
	});
	const [wire, other] = [new Wire(), new Wire()];
	for (const socket of [wire, other]) {
		const upgrade = { path: `/inspector/connect?version=${VERSION}`, protocols: [] };
		await sockets.open(target, upgrade as unknown as ActorUpgrade, socket);
	}
	const gate = new Gate();
	view = viewOf(2, gate);
	wire.ask({ tag: "WorkflowHistoryRequest", val: { id: 7 } });
	view = viewOf(3);
	sockets.changed({ actorId: target.actorId } as ActorInstance);
	look();
	// Nothing here takes longer than microtasks: what does not wait for the gate is out.
	await new Promise(setImmediate);
	gate.open();
	await eventually(() => {
		look();
		expect(wire.revisions).toHaveLength(3);
	});
	expect(wire.revisions).toEqual([
		["Init", 1],
		["WorkflowHistoryResponse", 2],
		["WorkflowHistoryUpdated", 3],
	]);
	expect(other.revisions).toEqual([
		["Init", 1],
		["WorkflowHistoryUpdated", 3],
	]);

	// A read that fails holds nobody up.
	view = {
		...viewOf(4),
		workflow: { revision: "4", bytes: () => Promise.reject(new Error("no")) },
	} as never;
	wire.ask({ tag: "WorkflowHistoryRequest", val: { id: 8 } });
	await eventually(() => expect(wire.revisions.at(-1)![0]).toBe("Error"));
	view = viewOf(5);
	sockets.changed({ actorId: target.actorId } as ActorInstance);
	await eventually(() => {
		look();
		expect(wire.revisions.at(-1)).toEqual(["WorkflowHistoryUpdated", 5]);
	});
});
