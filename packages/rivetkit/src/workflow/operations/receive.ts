import type { HeldMessage } from "../../runtime/durable/held-messages.ts";
import { codeError, never } from "../engine/code-error.ts";
import type { Execution } from "../engine/execution.ts";
import { userMessage, type WorkflowMessage } from "../engine/open-message.ts";
import type { Scope } from "../engine/scope.ts";
import { QueueTimeoutError } from "../errors.ts";
import type { Entry, StoredMessage } from "../history/entry.ts";

/** A wait for messages as it was asked for. */
interface ReceiveOptions {
	readonly names: string[] | null;
	readonly count: number;
	readonly isCompletable: boolean;
	/** Milliseconds; null for no limit. */
	readonly timeoutMs: number | null;
	readonly allowsOpen: boolean;
}

/** Messages that a branch without steps can give back. */
const RETURNED_MAX = 1_000;

/** `queue.next` and `queue.nextBatch` (workflows 3.5). */
export function receive(
	execution: Execution,
	scope: Scope,
	name: unknown,
	raw: unknown,
	isBatch: boolean,
): Promise<WorkflowMessage[]> {
	return execution.operate(scope, "message", name, async (recorded, checkedName) => {
		const options = readOptions(checkedName, raw);
		if (scope.open.size > 0 && !options.allowsOpen) {
			throw codeError(
				new Error(
					"Previous completable queue message is not completed. Call `message.complete(...)` before receiving the next message.",
				),
			);
		}
		return new Receive(execution, scope, checkedName, options, isBatch).run(recorded);
	});
}

class Receive {
	readonly #execution: Execution;
	readonly #scope: Scope;
	readonly #name: string;
	readonly #options: ReceiveOptions;
	readonly #isBatch: boolean;
	readonly #key: Uint8Array;

	constructor(
		execution: Execution,
		scope: Scope,
		name: string,
		options: ReceiveOptions,
		isBatch: boolean,
	) {
		this.#execution = execution;
		this.#scope = scope;
		this.#name = name;
		this.#options = options;
		this.#isBatch = isBatch;
		this.#key = execution.keyOf(scope, name);
	}

	async run(recorded: Entry<"message"> | undefined): Promise<WorkflowMessage[]> {
		const execution = this.#execution;
		if (recorded?.isFinished) {
			execution.answered(this.#scope, recorded);
			return this.#result(recorded, true);
		}
		if (execution.isRollback) return execution.park(this.#scope.strand);
		const entry = recorded ?? this.#create();
		const turn = execution.breathe();
		if (turn) await turn;
		await this.#receive(entry);
		if (execution.isStoppedFor(this.#scope.strand)) return never();
		return this.#result(entry, false);
	}

	#create(): Entry<"message"> {
		const { names, count, isCompletable, timeoutMs } = this.#options;
		const deadline =
			timeoutMs === null || timeoutMs === 0
				? undefined
				: this.#execution.host.now() + Math.ceil(timeoutMs);
		return this.#execution.create("message", {
			names,
			count,
			isCompletable,
			isBatch: this.#isBatch,
			...(deadline === undefined ? undefined : { deadline }),
		});
	}

	/** Takes what there is, or waits: for a message or for the deadline, whichever was there first. */
	async #receive(entry: Entry<"message">): Promise<void> {
		const { host } = this.#execution;
		const { names, timeoutMs } = this.#options;
		const { deadline = timeoutMs === 0 ? host.now() : undefined } = entry.data;
		const firstTs = host.messages.firstCreatedAt(names);
		const isThere = firstTs !== null && (deadline === undefined || firstTs <= deadline);
		if (!isThere && deadline !== undefined && deadline <= host.now()) {
			this.#timedOut(entry, deadline);
			return;
		}
		await this.#wait(entry, deadline, isThere ? firstTs : null);
	}

	#wait(
		entry: Entry<"message">,
		deadline: number | undefined,
		arrivingTs: number | null,
	): Promise<void> {
		const execution = this.#execution;
		const { host } = execution;
		const { strand } = this.#scope;
		const { names, count, isCompletable } = this.#options;
		return new Promise((resolve) => {
			let isOver = false;
			const end = () => {
				isOver = true;
				timer?.cancel();
				execution.waits.delete(wait);
				strand.arrivingTs = null;
				strand.resume();
				resolve();
			};
			const wait = {
				location: this.#scope.location,
				name: this.#name,
				queues: names,
				deadline,
				entry,
			};
			// What is there already is not waited for.
			execution.waits.add(wait, arrivingTs === null ? "queue" : null);
			strand.arrivingTs = arrivingTs;
			const timer =
				deadline === undefined || arrivingTs !== null
					? null
					: host.deadline(deadline, () => {
							if (isOver) return;
							this.#timedOut(entry, deadline);
							stopReceiving();
							end();
						});
			let stopReceiving = () => {};
			const stop = host.messages.receive(
				{ names, count, completable: isCompletable },
				{
					resolve: (messages) => {
						if (isOver) return;
						this.#received(entry, messages);
						end();
					},
					// The actor stops: its next incarnation waits on.
					reject: () => {},
				},
			);
			stopReceiving = stop;
			if (isOver) return;
			if (entry.status === "running" && arrivingTs === null && deadline !== undefined) {
				entry.status = "pending";
				execution.record(this.#scope, this.#key, entry);
			}
			strand.wait(() => {
				isOver = true;
				timer?.cancel();
				execution.waits.delete(wait);
				stop();
			});
		});
	}

	/** In one commit: the messages leave the queue, or are leased, and are here. */
	#received(entry: Entry<"message">, messages: readonly HeldMessage[]): void {
		const { strand } = this.#scope;
		entry.data.messages = messages.map(stored);
		strand.readyTs = Math.max(...messages.map(({ createdAt }) => createdAt));
		if (!this.#options.isCompletable) this.#remember(messages);
		this.#end(entry);
	}

	/** A branch may have to give back what it took, as long as it has done no step with it. */
	#remember(messages: readonly HeldMessage[]): void {
		const { strand } = this.#scope;
		if (strand.parent === null) return;
		strand.received.push(...messages);
		strand.received.splice(0, Math.max(0, strand.received.length - RETURNED_MAX));
	}

	#timedOut(entry: Entry<"message">, deadline: number): void {
		entry.data.messages = [];
		entry.data.hasTimedOut = true;
		this.#scope.strand.readyTs = deadline;
		this.#end(entry);
	}

	#end(entry: Entry<"message">): void {
		this.#execution.complete(this.#scope, entry);
		this.#execution.record(this.#scope, this.#key, entry);
	}

	#result(entry: Entry<"message">, isReplay: boolean): WorkflowMessage[] {
		const execution = this.#execution;
		const { messages = [], hasTimedOut } = entry.data;
		const isCompletable = entry.data.isCompletable ?? this.#options.isCompletable;
		if (hasTimedOut && !this.#isBatch) throw new QueueTimeoutError(this.#name);
		if (isReplay && !isCompletable) this.#remember(messages.map(heldAgain));
		return messages.map((message) =>
			userMessage(
				message,
				isCompletable ? execution.openMessage(this.#scope, this.#key, entry, message) : null,
			),
		);
	}
}

function stored({ id, name, body, createdAt, attempt }: HeldMessage): StoredMessage {
	return { id, name, body, createdAt, attempt, isCompleted: false };
}

/** What was received before a crash, for the case that it has to go back. */
function heldAgain({ id, name, body, createdAt, attempt }: StoredMessage): HeldMessage {
	const header = {
		name,
		size: body.byteLength,
		createdAt,
		priority: 0,
		attempt,
		availableAt: 0,
		expiresAt: null,
		waitKey: null,
		givenUp: null,
	};
	return { id, name, body, createdAt, attempt, header };
}

function readOptions(entry: string, raw: unknown): ReceiveOptions {
	const bad = (option: string, expected: string): Error =>
		codeError(new TypeError(`Queue wait "${entry}": ${option} must be ${expected}`));
	if (raw !== undefined && (typeof raw !== "object" || raw === null)) {
		throw bad("options", "an object");
	}
	const { names, timeout, completable, count, allowOpen } = (raw ?? {}) as Record<string, unknown>;
	if (names !== undefined && !isTextList(names)) throw bad("names", "a list of queue names");
	if (timeout !== undefined && !(typeof timeout === "number" && timeout >= 0)) {
		throw bad("timeout", "milliseconds, 0 or more");
	}
	if (count !== undefined && !(typeof count === "number" && count >= 1)) {
		throw bad("count", "a number, 1 or more");
	}
	return {
		names: names === undefined || names.length === 0 ? null : [...new Set(names)],
		count: count === undefined ? 1 : Math.floor(count),
		isCompletable: completable === true,
		timeoutMs: timeout === undefined || timeout === Number.POSITIVE_INFINITY ? null : timeout,
		allowsOpen: allowOpen === true,
	};
}

function isTextList(value: unknown): value is string[] {
	return Array.isArray(value) && value.every((item) => typeof item === "string");
}
