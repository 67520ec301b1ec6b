import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type WebSocket, WebSocketServer } from "ws";
import { type Scalar, type Wire, wires } from "../wire.ts";

/** One counter. What an actor is in the other servers. */
export interface Counter {
	readonly id: string;
	/** The name of the actor it stands for. */
	readonly name: string;
	count: number;
	/** Steps that were asked for and are not settled. */
	stepsLeft: number;
}

/** Calls back when the counter may be spoken of: at once, or when it is on disk. */
export type Settle = (counter: Counter, release: () => void) => void;

/** Takes a message that adds to a counter, and calls back when it may be acknowledged. */
export type Enqueue = (counter: Counter, amount: number, release: () => void) => void;

/** A queue in memory: the message is handled before it is acknowledged. */
const handleAtOnce: Enqueue = (counter, amount, release) => {
	counter.count += amount;
	release();
};

/** What a counter has under keys, as far as the benchmark of key/value pairs needs it. */
export interface Pairs {
	put(counter: Counter, key: string, value: string): void;
	get(counter: Counter, key: string): string | undefined;
	size(counter: Counter): number;
}

interface Subscriber {
	readonly socket: WebSocket;
	readonly wire: Wire;
	readonly topics: Set<string>;
}

/**
 * The benchmark's application on nothing but `node:http` and `ws`: the same routes and the same bodies
 * as an actor server, with a map of counters behind them.
 */
export function startBaseline(
	settle: Settle,
	pairs: Pairs,
	enqueue = handleAtOnce,
): Promise<number> {
	const counters = new Map<string, Counter>();
	const byKey = new Map<string, Counter>();
	const subscribers = new Map<string, Set<Subscriber>>();

	const create = (name: string, key: string): Counter => {
		const existing = byKey.get(`${name}/${key}`);
		if (existing !== undefined) return existing;
		const counter = { id: randomUUID(), name, count: 0, stepsLeft: 0 };
		counters.set(counter.id, counter);
		byKey.set(`${name}/${key}`, counter);
		return counter;
	};

	/** As many changes more, one after the other: each is settled before the next begins, whoever asked for it. */
	const addSteps = (counter: Counter, times: number): void => {
		const isStepping = counter.stepsLeft > 0;
		counter.stepsLeft += times;
		if (!isStepping) stepAgain(counter);
	};

	const stepAgain = (counter: Counter): void => {
		if (counter.stepsLeft === 0) return;
		counter.count += 1;
		let isBelow = true;
		settle(counter, () => {
			counter.stepsLeft -= 1;
			// What settles at once would be a call within a call for each step.
			if (isBelow) setImmediate(() => stepAgain(counter));
			else stepAgain(counter);
		});
		isBelow = false;
	};

	const act = (
		counter: Counter,
		name: string,
		args: readonly Scalar[],
		reply: (output: Scalar) => void,
	): void => {
		switch (name) {
			case "increment": {
				counter.count += args[0] as number;
				const { count } = counter;
				settle(counter, () => reply(count));
				return;
			}
			case "announce": {
				const [times, text] = args as [number, string];
				for (let index = 0; index < times; index += 1) broadcast(counter, "news", [text]);
				reply(times);
				return;
			}
			case "pairs": {
				const [times, round] = args as [number, string];
				let found = 0;
				for (let index = 0; index < times; index += 1) {
					const key = `key ${index}`;
					const value = `value ${index} of ${round}`;
					pairs.put(counter, key, value);
					if (pairs.get(counter, key) === value) found += 1;
				}
				settle(counter, () => reply(found));
				return;
			}
			case "keys":
				reply(pairs.size(counter));
				return;
			default:
				throw new Error(`there is no action ${name}`);
		}
	};

	const broadcast = (counter: Counter, event: string, args: readonly Scalar[]): void => {
		const messages = new Map<Wire, string | Buffer>();
		for (const { socket, wire, topics } of subscribers.get(counter.id) ?? []) {
			if (!topics.has(event)) continue;
			let message = messages.get(wire);
			if (message === undefined) {
				message = payload(wire, wire.event(event, args));
				messages.set(wire, message);
			}
			socket.send(message);
		}
	};

	const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
		const chunks: Buffer[] = [];
		request.on("data", (chunk: Buffer) => chunks.push(chunk));
		request.on("end", () => {
			const body = JSON.parse(Buffer.concat(chunks).toString());
			const [, first, id, kind, action] = (request.url ?? "").split("/");
			const answer = (value: unknown): void => {
				const text = JSON.stringify(value);
				response.writeHead(200, {
					"content-type": "application/json",
					"content-length": Buffer.byteLength(text),
				});
				response.end(text);
			};
			if (first === "gateway") {
				const counter = counters.get(id as string) as Counter;
				if (kind === "queue" && action === "steps") {
					answer({ status: "completed" });
					addSteps(counter, body.body);
				} else if (kind === "queue")
					enqueue(counter, body.body, () => answer({ status: "completed" }));
				else act(counter, action as string, body.args, (output) => answer({ output }));
			} else {
				const counter = create(body.name, body.key);
				settle(counter, () => answer({ actor: { actor_id: counter.id }, created: true }));
			}
		});
	};

	const server = createServer(onRequest);
	const sockets = new WebSocketServer({ server, handleProtocols: () => "rivet" });
	sockets.on("connection", (socket, request) => {
		const id = (request.url ?? "").split("/")[2] as string;
		const counter = counters.get(id) as Counter;
		const offered = request.headers["sec-websocket-protocol"] ?? "";
		const wire = wires[offered.includes("rivet_encoding.bare") ? "bare" : "json"];
		const send = (bytes: Buffer): void => socket.send(payload(wire, bytes));
		const subscriber: Subscriber = { socket, wire, topics: new Set() };
		let group = subscribers.get(id);
		if (group === undefined) {
			group = new Set();
			subscribers.set(id, group);
		}
		group.add(subscriber);
		socket.on("close", () => subscribers.get(id)?.delete(subscriber));
		socket.on("message", (message: Buffer) => {
			const asked = wire.readRequest(message);
			if (asked.tag === "subscribe") subscriber.topics.add(asked.event);
			else act(counter, asked.name, asked.args, (output) => send(wire.response(asked.id, output)));
		});
		send(wire.init(id, randomUUID()));
	});

	return new Promise((resolve, reject) => {
		server.on("error", reject);
		server.listen(0, "127.0.0.1", () => resolve((server.address() as AddressInfo).port));
	});
}

/** What `ws` sends as a text frame for JSON and as a binary frame otherwise. */
function payload(wire: Wire, bytes: Buffer): string | Buffer {
	return wire.binary ? bytes : bytes.toString();
}
