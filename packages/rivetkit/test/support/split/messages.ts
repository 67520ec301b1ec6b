import {
	type ActorAssignment,
	ActorGone,
	type ResumedCall,
	RivetError,
	type StopIntent,
} from "@rivetkit/protocol";
import { FencedOff } from "../../../src/backends/backend.ts";

/** A client's socket as an incarnation gets it. `key` names it on the link for as long as that lives. */
export interface SocketOffer {
	readonly key: number;
	readonly id: string;
	readonly protocol: string;
	readonly sentCount: number;
	readonly isInterrupted: boolean;
}

type Headers = readonly (readonly [name: string, value: string])[];

export interface RequestMessage {
	readonly actorId: string;
	readonly method: string;
	readonly path: string;
	readonly headers: Headers;
	readonly body: Uint8Array;
}

export interface AnswerMessage {
	readonly status: number;
	readonly headers: Record<string, string | readonly string[]>;
	readonly body: string | Uint8Array;
}

export interface UpgradeMessage {
	readonly actorId: string;
	readonly path: string;
	readonly headers: Headers;
	readonly protocols: readonly string[];
}

/** What the engine asks of a host; each is answered. */
export type HostCall =
	| { do: "start"; assignment: ActorAssignment; sockets: readonly SocketOffer[] }
	| { do: "stop"; actorId: string; intent: StopIntent }
	| { do: "request"; request: RequestMessage }
	| { do: "openSocket"; upgrade: UpgradeMessage; socket: SocketOffer };

/** What the engine tells a host of a client's socket. */
export type SocketNews =
	| { socket: number; message: string | Uint8Array; index: number }
	| { socket: number; closed: readonly [code: number, reason: string, wasClean: boolean] }
	| { socket: number; pong: true };

/** What a host does with a client's socket. */
export type SocketDeed = { socket: number } & (
	| { do: "send"; message: string | Uint8Array }
	| { do: "ping" | "listen" | "hold" | "release" }
	| { do: "close"; code: number; reason: string }
	| { do: "acknowledge"; index: number }
);

/** What a host asks of the store; each is answered. */
export interface StoreCall {
	readonly method: "load" | "get" | "scan" | "commit" | "discard";
	readonly args: readonly unknown[];
}

export interface Report {
	readonly report: "stopping" | "stopped";
	readonly args: readonly [actorId: string, generation: number, intent: StopIntent];
}

/** The answer to a call, or the error it failed with. */
export type Answer = { readonly answerTo: number } & (
	| { readonly value: unknown }
	| { readonly error: WireFailure }
);

export type ToHost = { call: number; host: HostCall } | { news: SocketNews } | Answer;
export type ToEngine =
	| { call: number; store: StoreCall }
	| { deed: SocketDeed }
	| Report
	| Answer
	| { ready: true };

interface WireFailure {
	readonly name: string;
	readonly message: string;
	readonly actorId?: string;
	readonly resume?: ResumedCall | null;
	readonly rivet?: {
		readonly group: string;
		readonly code: string;
		readonly isPublic: boolean;
		readonly statusCode: number;
		readonly metadata?: unknown;
	};
}

export function toFailure(error: unknown): WireFailure {
	const { name, message } = error as Error;
	if (error instanceof RivetError) {
		const { group, code, public: isPublic, statusCode, metadata } = error;
		return { name, message, rivet: { group, code, isPublic, statusCode, metadata } };
	}
	if (error instanceof ActorGone) {
		return { name, message, actorId: error.actorId, resume: error.resume };
	}
	if (error instanceof FencedOff) {
		return { name, message, actorId: error.actorId };
	}
	return { name, message };
}

export function fromFailure({ name, message, actorId = "", resume, rivet }: WireFailure): Error {
	if (rivet) {
		const { group, code, isPublic, ...rest } = rivet;
		return new RivetError(group, code, message, { public: isPublic, ...rest });
	}
	if (name === "ActorGone") return new ActorGone(actorId, resume);
	if (name === "FencedOff") return new FencedOff(actorId);
	return new Error(message);
}

/** Calls over a link, by number, until they are answered. */
export class Calls {
	readonly #waiting = new Map<
		number,
		{ resolve(value: never): void; reject(error: Error): void }
	>();
	#last = 0;

	make<T>(send: (call: number) => void): Promise<T> {
		const call = ++this.#last;
		return new Promise<T>((resolve, reject) => {
			this.#waiting.set(call, { resolve, reject });
			send(call);
		});
	}

	answered(answer: Answer): void {
		const waiting = this.#waiting.get(answer.answerTo);
		this.#waiting.delete(answer.answerTo);
		if ("error" in answer) waiting?.reject(fromFailure(answer.error));
		else waiting?.resolve(answer.value as never);
	}

	/** The other side is gone: nothing will be answered any more. */
	fail(error: Error): void {
		for (const { reject } of this.#waiting.values()) reject(error);
		this.#waiting.clear();
	}
}

/** Runs a call and makes its answer. */
export async function answerTo(call: number, run: () => Promise<unknown>): Promise<Answer> {
	try {
		return { answerTo: call, value: await run() };
	} catch (error) {
		return { answerTo: call, error: toFailure(error) };
	}
}
