import type { Deadline } from "../../runtime/durable/deadlines.ts";
import type {
	HeldMessage,
	MessageWait,
	MessageWaiter,
} from "../../runtime/durable/held-messages.ts";
import type { PendingReceive } from "../../runtime/queue/pending-receive.ts";
import { codeError, never } from "../engine/code-error.ts";
import type { Execution } from "../engine/execution.ts";
import { noteOrigin } from "../engine/failure-origin.ts";
import { type OpenMessage, userMessage, type WorkflowMessage } from "../engine/open-message.ts";
import { operate } from "../engine/operate.ts";
import type { Scope } from "../engine/scope.ts";
import { holdMessage } from "../engine/scope-ends.ts";
import type { StrandWait } from "../engine/strand.ts";
import type { Wait } from "../engine/waits.ts";
import { QueueTimeoutError } from "../errors.ts";
import { type Entry, readyTsOf } from "../history/entry.ts";
import type { Location } from "../history/location.ts";
import { storedMessage } from "../history/stored-message.ts";
import { remember } from "./unused-messages.ts";
import { takeTurn } from "./wait.ts";

/** A wait for messages as it was asked for. */
interface ReceiveOptions extends MessageWait {
	readonly names: string[] | null;
	/** Milliseconds; null for no limit. */
	readonly limitMs: number | null;
	readonly allowsOpen: boolean;
}

/** `queue.nextBatch`: messages, none when its time is over (workflows 3.5). */
export function receiveBatch(
	execution: Execution,
	scope: Scope,
	name: unknown,
	raw: unknown,
): Promise<WorkflowMessage[]> {
	return operate(execution, scope, "message", name, (recorded, checkedName) => {
		const options = readOptions(checkedName, raw);
		return new Receive(execution, scope, checkedName, options, true).run(recorded);
	}) as Promise<WorkflowMessage[]>;
}

/** `queue.next`: one message; rejects when its time is over. */
export function receiveNext(
	execution: Execution,
	scope: Scope,
	name: unknown,
	raw: unknown,
): Promise<WorkflowMessage> {
	return operate(execution, scope, "message", name, (recorded, checkedName) => {
		const options = readOptions(checkedName, raw, 1);
		return new Receive(execution, scope, checkedName, options, false).run(recorded);
	}) as Promise<WorkflowMessage>;
}

/** One wait for messages: what it asks for, and what the strand waits for meanwhile. */
class Receive implements Wait, StrandWait, MessageWaiter {
	readonly name: string;
	readonly #execution: Execution;
	readonly #scope: Scope;
	readonly #options: ReceiveOptions;
	readonly #isBatch: boolean;
	#entry: Entry<"message"> | null = null;
	// While it waits.
	#timer: Deadline | null = null;
	#pending: PendingReceive | null = null;
	#ended: (() => void) | null = null;
	/** In hand from the moment that they come, so that they go back if the code does not go on. */
	#held: readonly OpenMessage[] | null = null;

	constructor(
		execution: Execution,
		scope: Scope,
		name: string,
		options: ReceiveOptions,
		isBatch: boolean,
	) {
		this.name = name;
		this.#execution = execution;
		this.#scope = scope;
		this.#options = options;
		this.#isBatch = isBatch;
	}

	async run(
		recorded: Entry<"message"> | undefined,
	): Promise<WorkflowMessage | WorkflowMessage[] | undefined> {
		const execution = this.#execution;
		if (this.#scope.hasOpenMessages && !this.#options.allowsOpen) {
			throw codeError(
				new Error(
					"Previous completable queue message is not completed. Call `message.complete(...)` before receiving the next message.",
				),
			);
		}
		if (recorded?.isFinished) {
			execution.answered(this.#scope, recorded);
			return this.#result(recorded, true);
		}
		if (execution.isRollback) return execution.park();
		const entry = recorded ?? this.#create();
		const turn = execution.breathe();
		if (turn) await turn;
		if (execution.isStoppedIn(this.#scope)) return never();
		await this.#receive(entry);
		if (execution.isStoppedIn(this.#scope)) return never();
		return this.#result(entry, false);
	}

	#create(): Entry<"message"> {
		const { names, count, completable, limitMs } = this.#options;
		const deadline =
			limitMs === null || limitMs === 0
				? undefined
				: this.#execution.host.now() + Math.ceil(limitMs);
		return this.#execution.create(this.#scope, "message", {
			names,
			count,
			isCompletable: completable,
			isBatch: this.#isBatch,
			...(deadline === undefined ? undefined : { deadline }),
		});
	}

	/** Takes what there is, or waits: for a message or for the deadline, whichever was there first. */
	#receive(entry: Entry<"message">): Promise<void> | undefined {
		const { host } = this.#execution;
		const { names, limitMs } = this.#options;
		const { deadline = limitMs === 0 ? host.now() : undefined } = entry.data;
		const firstTs = host.messages.firstCreatedAt(names);
		const isThere = firstTs !== null && (deadline === undefined || firstTs <= deadline);
		if (!isThere && deadline !== undefined && deadline <= host.now()) {
			if (limitMs !== 0) return this.#wasOver(entry, deadline);
			this.#timedOut(entry, deadline);
			return undefined;
		}
		this.#entry = entry;
		return new Promise((resolve) => {
			this.#ended = resolve;
			this.#wait(entry, deadline, isThere ? firstTs : null);
		});
	}

	async #wasOver(entry: Entry<"message">, deadline: number): Promise<void> {
		await takeTurn(this.#execution, this.#scope, deadline);
		if (this.#execution.isStoppedIn(this.#scope)) return never();
		this.#timedOut(entry, deadline);
	}

	#wait(entry: Entry<"message">, deadline: number | undefined, arrivingTs: number | null): void {
		const execution = this.#execution;
		const { host } = execution;
		const { strand } = this.#scope;
		// What is there already is not waited for.
		execution.waits.add(this, arrivingTs === null ? "queue" : null);
		strand.arrivingTs = arrivingTs;
		if (deadline !== undefined && arrivingTs === null) {
			this.#timer = host.deadline(deadline, () => {
				this.#timedOut(entry, deadline);
				const pending = this.#pending;
				this.#end();
				if (pending && !pending.isOver) pending.abort();
			});
		}
		const pending = host.messages.receive(this.#options, this);
		// It may be over already.
		if (this.#ended === null) return;
		this.#pending = pending;
		if (entry.status === "running" && arrivingTs === null && deadline !== undefined) {
			entry.status = "pending";
			this.#record(entry);
		}
		strand.wait(this);
	}

	// Wait

	get location(): Location {
		return this.#scope.location;
	}

	get queues(): readonly string[] | null {
		return this.#options.names;
	}

	get deadline(): number | undefined {
		const { limitMs } = this.#options;
		return this.entry.data.deadline ?? (limitMs === 0 ? this.entry.createdAt : undefined);
	}

	get entry(): Entry<"message"> {
		return this.#entry!;
	}

	// MessageWaiter

	resolve(messages: readonly HeldMessage[]): void {
		if (this.#ended === null) return;
		this.#received(this.entry, messages);
		this.#end();
	}

	/** The actor stops, and its next incarnation waits on; or the message could not be read. */
	reject(error: unknown): void {
		const execution = this.#execution;
		if (this.#ended === null || execution.isStopped || execution.host.isAborted) return;
		if ((error as { code?: unknown }).code === "too_many_waits") void execution.block(error);
		else void execution.unreadable(error);
	}

	// StrandWait

	callOff(): void {
		const pending = this.#pending;
		this.#leave();
		if (pending && !pending.isOver) pending.abort();
	}

	#end(): void {
		const ended = this.#ended;
		this.#leave();
		const { strand } = this.#scope;
		strand.arrivingTs = null;
		strand.resume();
		ended?.();
	}

	#leave(): void {
		this.#ended = null;
		this.#pending = null;
		this.#timer?.cancel();
		this.#timer = null;
		this.#execution.waits.delete(this);
	}

	/** In one commit: the messages leave the queue, or are leased, and are here. */
	#received(entry: Entry<"message">, messages: readonly HeldMessage[]): void {
		const { strand } = this.#scope;
		entry.data.messages = messages.map(storedMessage);
		strand.ready(readyTsOf(entry)!);
		if (this.#options.completable) this.#held = this.#hold(entry);
		else this.#remember(entry);
		this.#complete(entry);
	}

	#hold(entry: Entry<"message">): OpenMessage[] {
		return (entry.data.messages ?? []).map((message) =>
			holdMessage(this.#execution, this.#scope, this.#key, entry, message),
		);
	}

	/** A branch may have to give back what it took, as long as it has done no step with it. */
	#remember(entry: Entry<"message">): void {
		const { strand } = this.#scope;
		if (strand.parent !== null) remember(strand, entry, () => this.#key);
	}

	#timedOut(entry: Entry<"message">, deadline: number): void {
		entry.data.messages = [];
		entry.data.hasTimedOut = true;
		this.#scope.strand.ready(deadline);
		this.#complete(entry);
	}

	#complete(entry: Entry<"message">): void {
		this.#execution.complete(this.#scope, entry);
		this.#record(entry);
	}

	#record(entry: Entry<"message">): void {
		this.#execution.record(this.#scope, this.#key, entry);
	}

	/** Made when it is needed: a wait that lasts keeps none. */
	get #key(): Uint8Array {
		return this.#execution.keyOf(this.#scope, this.name);
	}

	#result(
		entry: Entry<"message">,
		isReplay: boolean,
	): WorkflowMessage | WorkflowMessage[] | undefined {
		const { messages = [], hasTimedOut } = entry.data;
		const isCompletable = entry.data.isCompletable ?? this.#options.completable;
		if (hasTimedOut && !this.#isBatch) {
			const error = new QueueTimeoutError(this.name);
			throw noteOrigin(error, { scope: this.#scope, key: this.#key, entry });
		}
		if (isReplay && !isCompletable) this.#remember(entry);
		const held = isCompletable ? (this.#held ?? this.#hold(entry)) : null;
		const received = messages.map((message, index) => userMessage(message, held?.[index] ?? null));
		return this.#isBatch ? received : received[0];
	}
}

/** `fixedCount`: whatever the options say. */
function readOptions(entry: string, raw: unknown, fixedCount?: number): ReceiveOptions {
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
	const wanted = fixedCount ?? count;
	if (wanted !== undefined && !(typeof wanted === "number" && wanted >= 1)) {
		throw bad("count", "a number, 1 or more");
	}
	return {
		names: names === undefined || names.length === 0 ? null : [...new Set(names)],
		count: wanted === undefined ? 1 : Math.floor(wanted),
		completable: completable === true,
		limitMs: timeout === undefined || timeout === Number.POSITIVE_INFINITY ? null : timeout,
		timeoutMs: null,
		signal: undefined,
		allowsOpen: allowOpen === true,
	};
}

function isTextList(value: unknown): value is string[] {
	return Array.isArray(value) && value.every((item) => typeof item === "string");
}
