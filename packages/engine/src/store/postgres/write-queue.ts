import { clearImmediate, setImmediate } from "node:timers";
import type { Clock, Random } from "@rivetkit/protocol";
import { StoreError } from "../store.ts";
import type { PostgresConnection } from "./connection.ts";
import { failureKind, toStoreError } from "./errors.ts";
import { acquiredUnder } from "./records.ts";
import type { RoundTrips } from "./round-trips.ts";
import { arrange } from "./statement-order.ts";
import { actorIdOf, bytesOf, type Outcome, type Write } from "./write-calls.ts";
import { type WriteStatement, writeStatement } from "./write-statements.ts";
import { type LastCommitted, WriterSession } from "./writer-session.ts";

/** What one transaction may hold: it is sent as a whole, and repeated as a whole. */
const WRITES_PER_TRANSACTION_MAX = 1024;
const BYTES_PER_TRANSACTION_MAX = 8 * 1024 * 1024;
/** Calls that wait while PostgreSQL does not answer; more are refused. */
const PENDING_CALLS_MAX = 100_000;
/** How often a transaction that was rolled back by others is tried. */
const ATTEMPTS_MAX = 8;
const RETRY_FIRST_MS = 5;
const RECONNECT_FIRST_MS = 50;
const RECONNECT_MAX_MS = 2_000;

export interface WriteQueueOptions {
	readonly connect: () => Promise<PostgresConnection>;
	readonly address: string;
	readonly clock: Clock;
	readonly random: Random;
	readonly roundTrips: RoundTrips;
}

interface Call {
	readonly writes: readonly Write[];
	readonly resolve: (outcomes: Outcome[]) => void;
	readonly reject: (error: unknown) => void;
	/** It was committed before, and made again because its answer was lost. */
	isRepeated: boolean;
}

type Attempt =
	| { readonly kind: "committed"; readonly outcomes: Outcome[][] }
	| { readonly kind: "failed"; readonly error: unknown }
	/** Whether it was committed is not known. */
	| { readonly kind: "unknown"; readonly error: unknown };

/**
 * Turns the writes of many actors into few transactions, each sent in one go.
 *
 * - Q1. Writes to one actor, and inserts and whatever frees keys, apply in the order of their calls.
 * - Q2. What is refused (a stale generation) has written nothing and fails nobody else. When a statement fails,
 *   the calls of its transaction are tried one by one, and those that fail by themselves are rejected.
 * - Q3. A transaction whose answer was lost is looked up before anything else is written: its connection can
 *   commit nothing any more from then on. So nothing is applied twice, and nothing is reported lost that was not.
 * - Q4. While PostgreSQL cannot be reached, calls wait.
 */
export class WriteQueue {
	readonly #options: WriteQueueOptions;
	#pending: Call[] = [];
	#scheduled: ReturnType<typeof setImmediate> | undefined;
	#running: Promise<void> | undefined;
	readonly #session: WriterSession;
	#token = 0;
	#closing = false;
	/** Ends pauses. */
	readonly #wakeUps = new Set<() => void>();

	constructor(options: WriteQueueOptions) {
		this.#options = options;
		this.#session = new WriterSession(options);
	}

	/** The writes of one call land in one transaction; an outcome for each. */
	write(writes: readonly Write[]): Promise<Outcome[]> {
		if (this.#closing) {
			return Promise.reject(closedError(this.#options.address));
		}
		if (this.#pending.length >= PENDING_CALLS_MAX) {
			return Promise.reject(
				new StoreError(
					"unavailable",
					this.#options.address,
					`${PENDING_CALLS_MAX} writes wait for ${this.#options.address}; no more are accepted`,
				),
			);
		}
		return new Promise((resolve, reject) => {
			this.#pending.push({ writes, resolve, reject, isRepeated: false });
			if (this.#running === undefined) {
				this.#scheduled ??= setImmediate(() => this.endTurn());
			}
		});
	}

	/** Resolves when everything called so far has been answered. */
	async drained(): Promise<void> {
		const last = this.#pending.at(-1);
		if (last === undefined && this.#running === undefined) {
			return;
		}
		// A call without writes is answered behind those before it.
		await this.write([]);
	}

	/** Sends what waits now. */
	endTurn(): void {
		if (this.#scheduled !== undefined) {
			clearImmediate(this.#scheduled);
			this.#scheduled = undefined;
		}
		if (this.#running === undefined && this.#pending.length > 0) {
			this.#running = this.#runAll();
		}
	}

	/** Makes the first connection, so that a wrong address is known at once. */
	async open(): Promise<void> {
		await this.#session.connected();
	}

	/** Answers what was called, then takes nothing more. With PostgreSQL gone, what waits is rejected. */
	async close(): Promise<void> {
		const drained = this.drained();
		this.#closing = true;
		this.endTurn();
		for (const wake of this.#wakeUps) {
			wake();
		}
		await drained.catch(() => {});
		await this.#session.close();
	}

	async #runAll(): Promise<void> {
		try {
			while (this.#pending.length > 0) {
				const calls = this.#take();
				await this.#transact(calls).catch((error: unknown) => {
					// A defect: whoever waits for these must not wait for ever, and the next ones go on.
					rejectAll(calls, error);
				});
			}
		} finally {
			this.#running = undefined;
		}
	}

	#take(): Call[] {
		let writes = 0;
		let bytes = 0;
		let count = 0;
		for (const call of this.#pending) {
			writes += call.writes.length;
			bytes += call.writes.reduce((sum, write) => sum + bytesOf(write), 0);
			const isFull = writes > WRITES_PER_TRANSACTION_MAX || bytes > BYTES_PER_TRANSACTION_MAX;
			if (count > 0 && isFull) {
				break;
			}
			count++;
		}
		return this.#pending.splice(0, count);
	}

	/** Never rejects: every call is answered. */
	async #transact(calls: readonly Call[]): Promise<void> {
		if (calls.every(({ writes }) => writes.length === 0)) {
			for (const call of calls) {
				call.resolve([]);
			}
			return;
		}
		for (let attempt = 1; ; attempt++) {
			let connection: PostgresConnection;
			try {
				connection = await this.#connectedAtLast();
			} catch (error) {
				rejectAll(calls, error);
				return;
			}
			const token = ++this.#token;
			const result = await this.#attempt(connection, calls, token);
			if (result.kind === "committed") {
				for (const [index, call] of calls.entries()) {
					const outcomes = result.outcomes[index]!;
					call.resolve(call.isRepeated ? outcomes.map(asAtFirst(call)) : outcomes);
				}
				return;
			}
			if (result.kind === "unknown") {
				const left = await this.#settle(calls, token, result.error);
				if (left === undefined) {
					return;
				}
				attempt = 0;
				if (left.length < calls.length) {
					await this.#transact(left);
					return;
				}
				continue;
			}
			const { error } = result;
			if (failureKind(error) === "connection") {
				this.#session.giveUp(connection);
				attempt = 0;
				await this.#pause(RECONNECT_FIRST_MS);
				continue;
			}
			if (failureKind(error) === "transient" && attempt < ATTEMPTS_MAX) {
				await this.#pause(RETRY_FIRST_MS * 2 ** attempt * (0.5 + this.#options.random.fraction()));
				continue;
			}
			if (calls.length > 1) {
				for (const call of calls) {
					await this.#transact([call]);
				}
				return;
			}
			rejectAll(calls, toStoreError(error, this.#options.address, "A write failed"));
			return;
		}
	}

	async #attempt(
		connection: PostgresConnection,
		calls: readonly Call[],
		token: number,
	): Promise<Attempt> {
		const { id, fence } = this.#session.writer;
		let commitsBefore = 0;
		const runs = arrange(calls);
		const statements = runs.map((run): WriteStatement => {
			const writes = run.members.map(({ write }) => write);
			const statement = writeStatement(run.kind, writes, { writer: id, commitsBefore });
			commitsBefore += run.kind === "commit" ? writes.length : 0;
			return statement;
		});
		const sent = [
			connection.run({ text: "BEGIN" }),
			connection.run({
				name: "take_turn",
				text: "SELECT rivetkit.take_turn($1, $2, $3)",
				values: [id, fence, token],
			}),
			...statements.map(({ statement }) => connection.run(statement)),
			connection.run({ text: "COMMIT" }),
		];
		const answers = await this.#options.roundTrips.measure(() => Promise.allSettled(sent));
		const failures = answers.filter((answer) => answer.status === "rejected");
		const commit = answers.at(-1)!;
		if (commit.status === "rejected" && failureKind(commit.reason) === "connection") {
			return { kind: "unknown", error: commit.reason };
		}
		if (failures.length > 0) {
			// Later statements only say that an earlier one failed.
			return { kind: "failed", error: failures[0]!.reason };
		}
		const outcomes: Outcome[][] = calls.map(() => []);
		for (const [index, { members }] of runs.entries()) {
			const answer = answers[index + 2];
			const rows = answer?.status === "fulfilled" ? answer.value.rows : [];
			for (const [at, outcome] of statements[index]!.outcomes(rows).entries()) {
				const member = members[at]!;
				outcomes[member.call]![member.at] = outcome;
			}
		}
		return { kind: "committed", outcomes };
	}

	/**
	 * Finds out what became of a transaction. Commits are answered by what is read; returns the calls that are
	 * to be made again (all of them when it was rolled back), undefined when there is none.
	 */
	async #settle(
		calls: readonly Call[],
		token: number,
		error: unknown,
	): Promise<readonly Call[] | undefined> {
		this.#session.giveUp();
		let last: LastCommitted;
		try {
			await this.#connectedAtLast();
			last = this.#session.lastCommitted;
		} catch (obstacle) {
			rejectAll(
				calls,
				new StoreError(
					"failed",
					this.#options.address,
					`The connection to ${this.#options.address} broke during a write (${error}), and whether it was ` +
						"written could not be found out",
					{ cause: obstacle },
				),
			);
			return undefined;
		}
		if (last.token !== token) {
			return calls;
		}
		const refused = new Set(last.refused);
		const outcomes = new Map<Call, Outcome[]>();
		let commits = 0;
		for (const { kind, members } of arrange(calls)) {
			for (const member of members) {
				const known = kind === "commit" ? (refused.has(++commits) ? "stale" : "done") : "done";
				const call = calls[member.call]!;
				const own = outcomes.get(call) ?? [];
				own[member.at] = { kind: known };
				outcomes.set(call, own);
			}
		}
		// What was read by the others is not in what was kept; they do no harm when they are made again.
		const isAgain = ({ writes }: Call) =>
			writes.some(({ kind }) => kind === "insert" || kind === "acquire");
		for (const call of calls) {
			if (!isAgain(call)) {
				call.resolve(outcomes.get(call) ?? []);
			}
		}
		const left = calls.filter(isAgain);
		for (const call of left) {
			call.isRepeated = true;
		}
		return left.length === 0 ? undefined : left;
	}

	/** Tries until there is a connection, or the queue closes. */
	async #connectedAtLast(): Promise<PostgresConnection> {
		for (let pauseMs = RECONNECT_FIRST_MS; ; pauseMs = Math.min(pauseMs * 2, RECONNECT_MAX_MS)) {
			try {
				return await this.#session.connected();
			} catch (error) {
				const storeError = toStoreError(error, this.#options.address, "Cannot write");
				if (this.#closing || storeError.code === "pooled" || storeError.code === "unsupported") {
					throw storeError;
				}
				await this.#pause(pauseMs * (0.5 + this.#options.random.fraction()));
			}
		}
	}

	async #pause(ms: number): Promise<void> {
		if (this.#closing) {
			return;
		}
		await new Promise<void>((resolve) => {
			const wake = () => {
				timer.stop();
				this.#wakeUps.delete(wake);
				resolve();
			};
			const timer = this.#options.clock.after(ms, wake);
			this.#wakeUps.add(wake);
		});
	}
}

export function closedError(address: string): StoreError {
	return new StoreError("closed", address, `The store ${address} is closed`);
}

/** What an insert finds that is made again is what it made. */
function asAtFirst({ writes }: Call): (outcome: Outcome, at: number) => Outcome {
	return (outcome, at) => {
		const write = writes[at]!;
		const isOwn =
			write.kind === "insert" &&
			outcome.kind === "inserted" &&
			outcome.result.actor.actorId === actorIdOf(write);
		if (!isOwn) {
			return outcome;
		}
		const actor = acquiredUnder(write.owner, outcome.result.actor);
		return { kind: "inserted", result: { created: true, actor } };
	};
}

function rejectAll(calls: readonly Call[], error: unknown): void {
	for (const call of calls) {
		call.reject(error);
	}
}
