import {
	type ActorAssignment,
	ActorGone,
	type ActorHost,
	type ActorRequest,
	type ActorResponse,
	type ActorSocket,
	type ActorUpgrade,
	type HostEvents,
	type StopIntent,
} from "@rivetkit/protocol";
import type { Store } from "../../src/store/store.ts";

type RequestHandler = (
	request: ActorRequest,
	assignment: ActorAssignment,
) => ActorResponse | Promise<ActorResponse>;
type SocketHandler = (
	upgrade: ActorUpgrade,
	socket: ActorSocket,
	assignment: ActorAssignment,
) => void | Promise<void>;

/** A host whose actors are what a test says they are. */
export class FakeHost implements ActorHost {
	readonly live = new Map<string, ActorAssignment>();
	readonly starts: ActorAssignment[] = [];
	readonly stops: [actorId: string, intent: StopIntent][] = [];
	readonly store: Store;
	events!: HostEvents;
	onStart: (assignment: ActorAssignment, sockets: readonly ActorSocket[]) => void | Promise<void> =
		() => {};
	onStop: (actorId: string, intent: StopIntent) => void | Promise<void> = () => {};
	onRequest: RequestHandler = (request) => ({
		status: 200,
		headers: { "content-type": "text/plain" },
		body: `${request.method} ${request.path}`,
	});
	onSocket: SocketHandler = () => {};

	constructor(store: Store) {
		this.store = store;
	}

	start(assignment: ActorAssignment, sockets: readonly ActorSocket[]): undefined | Promise<void> {
		return this.#start(assignment, sockets);
	}

	async #start(assignment: ActorAssignment, sockets: readonly ActorSocket[]): Promise<void> {
		this.starts.push(assignment);
		await this.onStart(assignment, sockets);
		await this.store.commit({
			actorId: assignment.actorId,
			generation: assignment.generation,
			ops: [],
			record: { initialised: true, startTs: Date.now(), connectableTs: Date.now(), sleepTs: null },
		});
		this.live.set(assignment.actorId, assignment);
	}

	async stop(actorId: string, intent: StopIntent, goesOn = false): Promise<void> {
		const assignment = this.live.get(actorId);
		if (assignment === undefined) {
			return;
		}
		this.stops.push([actorId, intent]);
		this.live.delete(actorId);
		this.events.stopping(actorId, assignment.generation, intent);
		await this.onStop(actorId, intent);
		await this.store.commit({
			actorId,
			generation: assignment.generation,
			ops: [],
			...(intent === "destroy"
				? { destroyTs: Date.now() }
				: { record: { sleepTs: goesOn ? null : Date.now() } }),
		});
		this.events.stopped(actorId, assignment.generation, intent);
	}

	async request(actorId: string, request: ActorRequest): Promise<ActorResponse> {
		return this.onRequest(request, this.#assignment(actorId));
	}

	async openSocket(actorId: string, upgrade: ActorUpgrade, socket: ActorSocket): Promise<void> {
		await this.onSocket(upgrade, socket, this.#assignment(actorId));
	}

	#assignment(actorId: string): ActorAssignment {
		const assignment = this.live.get(actorId);
		if (assignment === undefined) {
			throw new ActorGone(actorId);
		}
		return assignment;
	}
}
