import type { ActorAssignment, HostEvents, StorageBatch, StorageRange } from "@rivetkit/protocol";
import { type ActorResponse, systemClock, systemRandom } from "@rivetkit/protocol";
import type { ErasedActorConfig } from "../../../src/actor/erased.ts";
import type { ActorBackend, Incarnation } from "../../../src/backends/backend.ts";
import { TurnScheduler } from "../../../src/runtime/commit/turn-scheduler.ts";
import { DatabasePool } from "../../../src/runtime/database/database-pool.ts";
import { RuntimeHost } from "../../../src/runtime/host/runtime-host.ts";
import { TimerWheel } from "../../../src/runtime/timers/timer-wheel.ts";
import { type LogLine, recordingLogger } from "../test-runtime.ts";
import type { MessageLink } from "./link.ts";
import { LinkSocket } from "./link-socket.ts";
import {
	type AnswerMessage,
	answerTo,
	Calls,
	type HostCall,
	type SocketOffer,
	type ToEngine,
	type ToHost,
} from "./messages.ts";

type Entries = [key: Uint8Array, value: Uint8Array][];

/** The host's side of the link: a runtime host whose store and clients are in another process. */
export function runHost(
	link: MessageLink<ToEngine, ToHost>,
	definitions: ReadonlyMap<string, ErasedActorConfig>,
	log: LogLine[] = [],
): void {
	const calls = new Calls();
	const sockets = new Map<number, LinkSocket>();
	const clock = systemClock();
	const host = new RuntimeHost(
		{
			backend: new LinkBackend(link, calls),
			databases: new DatabasePool({
				dataDirectory: null,
				openMax: 8,
				log: recordingLogger([]),
			}),
			clock,
			random: systemRandom(),
			timers: new TimerWheel(clock, { resolutionMs: 10 }),
			alarms: new TimerWheel(clock, { resolutionMs: 1 }),
			turns: new TurnScheduler(),
			log: recordingLogger(log),
			limits: { maxIncomingMessageSize: 65_536, maxOutgoingMessageSize: 1_048_576 },
			exposeErrors: () => true,
			createClient: () => {
				throw new Error("c.client() does not work over this link");
			},
		},
		definitions,
	);
	const report =
		(what: "stopping" | "stopped"): HostEvents["stopped"] =>
		(...args) =>
			link.send({ report: what, args });
	host.attach({ stopping: report("stopping"), stopped: report("stopped"), lost: () => {} });

	const accept = (offer: SocketOffer): LinkSocket => {
		const socket = new LinkSocket(offer, (deed) => link.send({ deed }));
		sockets.set(offer.key, socket);
		return socket;
	};
	const run = async (call: HostCall): Promise<unknown> => {
		switch (call.do) {
			case "start":
				return host.start(call.assignment, call.sockets.map(accept));
			case "stop":
				return host.stop(call.actorId, call.intent);
			case "openSocket": {
				const { actorId, headers, ...upgrade } = call.upgrade;
				const opened = { ...upgrade, headers: headersView(headers) };
				return host.openSocket(actorId, opened, accept(call.socket));
			}
			case "request": {
				const { actorId, headers, body, ...request } = call.request;
				const { signal } = new AbortController();
				const made = {
					...request,
					headers: headersView(headers),
					body: { bytes: async () => body, stream: () => new Response(body as BodyInit).body },
					signal,
				};
				return plainAnswer(await host.request(actorId, made));
			}
			default:
				return call satisfies never;
		}
	};
	link.onMessage((message) => {
		if ("answerTo" in message) calls.answered(message);
		else if ("news" in message) sockets.get(message.news.socket)?.heard(message.news);
		else void answerTo(message.call, () => run(message.host)).then((answer) => link.send(answer));
	});
	link.send({ ready: true });
}

class LinkBackend implements ActorBackend {
	readonly #link: MessageLink<ToEngine, ToHost>;
	readonly #calls: Calls;

	constructor(link: MessageLink<ToEngine, ToHost>, calls: Calls) {
		this.#link = link;
		this.#calls = calls;
	}

	load(actor: ActorAssignment, range: StorageRange): Promise<Entries | null> {
		return this.#call("load", actor, range);
	}
	get(actor: Incarnation, keys: readonly Uint8Array[]): Promise<(Uint8Array | null)[]> {
		return this.#call("get", actor, keys);
	}
	scan(actor: Incarnation, range: StorageRange): Promise<Entries> {
		return this.#call("scan", actor, range);
	}
	commit(actor: Incarnation, batch: StorageBatch): Promise<void> {
		return this.#call("commit", actor, batch);
	}
	discard(actor: Incarnation): Promise<void> {
		return this.#call("discard", actor);
	}

	#call<T>(method: "load" | "get" | "scan" | "commit" | "discard", ...args: unknown[]): Promise<T> {
		return this.#calls.make((call) => this.#link.send({ call, store: { method, args } }));
	}
}

async function plainAnswer({ status, headers, body }: ActorResponse): Promise<AnswerMessage> {
	const whole =
		body instanceof ReadableStream
			? new Uint8Array(await new Response(body).arrayBuffer())
			: (body ?? "");
	return { status, headers, body: whole };
}

function headersView(headers: readonly (readonly [string, string])[]) {
	const byName = new Map(headers);
	return {
		get: (name: string) => byName.get(name) ?? null,
		entries: () => byName.entries(),
	};
}
