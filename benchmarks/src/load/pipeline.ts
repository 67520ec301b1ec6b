import type { Scalar, Wire } from "../wire.ts";
import { WebSocketConnection } from "./websocket-connection.ts";

/** Ids of four bytes in BARE and of seven digits in JSON: every message of a run has one size. */
const FIRST_ID = 2_097_152;

/** One connection to one actor that keeps a number of calls of one action in flight. */
export class Pipeline {
	readonly #connection: WebSocketConnection;
	readonly #wire: Wire;
	readonly #state: PipelineState;

	private constructor(connection: WebSocketConnection, wire: Wire, state: PipelineState) {
		this.#connection = connection;
		this.#wire = wire;
		this.#state = state;
	}

	static async open(
		port: number,
		actorId: string,
		wire: Wire,
		onEvent: () => void = () => {},
	): Promise<Pipeline> {
		const state: PipelineState = {
			nextId: FIRST_ID,
			begun: new Map(),
			onReply: () => {},
			onFailure: () => {},
		};
		const connection = await WebSocketConnection.open(port, actorId, wire, {
			onEvent,
			onFailure: (error) => state.onFailure(error),
			onReply(id) {
				const beganMs = state.begun.get(id);
				if (beganMs === undefined) throw new Error(`an answer to ${id}, which was not asked`);
				state.begun.delete(id);
				state.onReply(beganMs);
			},
		});
		return new Pipeline(connection, wire, state);
	}

	get inFlight(): number {
		return this.#state.begun.size;
	}

	onReply(listener: (beganMs: number) => void): void {
		this.#state.onReply = listener;
	}

	begin(action: string, args: readonly Scalar[]): void {
		const id = this.#state.nextId++;
		this.#state.begun.set(id, performance.now());
		this.#connection.write(this.#connection.frame(this.#wire.action(id, action, args)));
	}

	onFailure(listener: (error: Error) => void): void {
		this.#state.onFailure = listener;
	}

	/** One call, awaited. Only when nothing else is in flight. */
	call(action: string, args: readonly Scalar[]): Promise<void> {
		return new Promise((resolve, reject) => {
			this.onReply(() => resolve());
			this.onFailure(reject);
			this.begin(action, args);
		});
	}

	/** Resolves when the server has the subscription. */
	async subscribe(event: string): Promise<void> {
		this.#connection.write(this.#connection.frame(this.#wire.subscribe(event)));
		// Messages of one socket are handled in order, so an answer proves what was sent before it.
		await this.call("increment", [0]);
	}

	close(): Promise<void> {
		return this.#connection.close();
	}
}

interface PipelineState {
	nextId: number;
	readonly begun: Map<number, number>;
	onReply: (beganMs: number) => void;
	onFailure: (error: Error) => void;
}
