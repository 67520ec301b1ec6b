/** What a queue has to do, as simply as it can be said. Slow, in memory, and without crashes of its own. */

export const NAMES = ["a", "b", "dead"] as const;
export type Name = (typeof NAMES)[number];

/** Of the actor in `model.test.ts`. */
export const MAX_SIZE = 6;
const POLICY = {
	a: {
		maxAttempts: 3,
		deadLetter: "dead",
		delay: (attempt: number) => Math.min(400, 100 * 2 ** (attempt - 1)),
	},
	b: { maxAttempts: Number.POSITIVE_INFINITY, deadLetter: null, delay: () => 0 },
	dead: { maxAttempts: Number.POSITIVE_INFINITY, deadLetter: null, delay: () => 0 },
} as const;
const DEDUPE_MS = 24 * 60 * 60 * 1_000;

export interface ModelMessage {
	readonly id: number;
	name: Name;
	readonly body: number;
	readonly priority: number;
	availableAt: number;
	readonly expiresAt: number;
	attempt: number;
	isHeld: boolean;
}

/** A receive that waits without a limit of time. */
export interface ModelWait {
	/** Names the call. */
	readonly told: string;
	readonly names: readonly Name[];
	readonly completable: boolean;
}

/** What a receive that waited has got. */
export interface ModelServed {
	readonly wait: ModelWait;
	readonly message: ModelMessage;
}

export interface ModelSend {
	readonly name: "a" | "b";
	readonly priority: number;
	readonly delay: number;
	readonly ttl: number | null;
	readonly dedupeKey: string | null;
}

export class QueueModel {
	now: number;
	messages: ModelMessage[] = [];
	/** In the order they began to wait. */
	waits: ModelWait[] = [];
	readonly #deduped = new Map<string, { id: number; at: number }>();
	#nextId = 1;

	constructor(now: number) {
		this.now = now;
	}

	/** The id, or the error. */
	send(body: number, { name, priority, delay, ttl, dedupeKey }: ModelSend): number | string {
		this.#expire();
		const key = `${name} ${dedupeKey}`;
		const earlier = dedupeKey === null ? undefined : this.#deduped.get(key);
		if (earlier && this.now - earlier.at < DEDUPE_MS) return earlier.id;
		if (this.messages.length >= MAX_SIZE) return "queue.full";
		const id = this.#nextId++;
		if (dedupeKey !== null) this.#deduped.set(key, { id, at: this.now });
		this.messages.push({
			id,
			name,
			body,
			priority,
			availableAt: this.now + delay,
			expiresAt: ttl === null ? Number.POSITIVE_INFINITY : this.now + ttl,
			attempt: 0,
			isHeld: false,
		});
		return id;
	}

	/** The first message of these names (all but "dead" when there are none), with its delivery counted. */
	take(names: readonly Name[]): ModelMessage | undefined {
		this.#expire();
		const wanted = names.length === 0 ? ["a", "b"] : names;
		const [message] = this.messages
			.filter(
				({ name, isHeld, availableAt }) =>
					wanted.includes(name) && !isHeld && availableAt <= this.now,
			)
			.sort((x, y) => y.priority - x.priority || x.id - y.id);
		if (message) message.attempt++;
		return message;
	}

	hold(names: readonly Name[]): ModelMessage | undefined {
		const message = this.take(names);
		if (!message) return undefined;
		message.isHeld = true;
		this.#delay(message);
		return message;
	}

	/** Serves the receives that wait, in their order. A message that is not completable is gone then. */
	serve(): ModelServed[] {
		const served: ModelServed[] = [];
		for (const wait of this.waits) {
			const message = wait.completable ? this.hold(wait.names) : this.take(wait.names);
			if (!message) continue;
			if (!wait.completable) this.remove(message);
			served.push({ wait, message });
		}
		for (const { wait } of served) this.leave(wait);
		return served;
	}

	/** A receive does not wait any more. */
	leave(wait: ModelWait): void {
		this.waits = this.waits.filter((other) => other !== wait);
	}

	/** Lets time pass; everything in it happens when its time comes. */
	advance(ms: number): ModelServed[] {
		const end = this.now + ms;
		const served: ModelServed[] = [];
		for (;;) {
			const times = this.messages.flatMap(({ isHeld, availableAt, expiresAt }) =>
				isHeld ? [] : [availableAt, expiresAt],
			);
			const next = Math.min(...times.filter((time) => time > this.now));
			if (next > end) break;
			this.now = next;
			served.push(...this.serve());
			this.#expire();
		}
		this.now = end;
		return served;
	}

	remove(message: ModelMessage): void {
		this.messages = this.messages.filter((other) => other !== message);
	}

	release(message: ModelMessage): void {
		this.#delay(message);
		this.#back(message);
	}

	/** The holders are gone, and so is what they held; nobody waits. */
	crash(): void {
		this.waits = [];
		for (const message of this.messages.filter(({ isHeld }) => isHeld)) this.#back(message);
	}

	redrive(): number {
		this.#expire();
		const letters = this.messages.filter(({ name, isHeld }) => name === "dead" && !isHeld);
		for (const message of letters) Object.assign(message, { name: "a", attempt: 0 });
		return letters.length;
	}

	get size(): number {
		this.#expire();
		return this.messages.length;
	}

	#delay(message: ModelMessage): void {
		const delay = POLICY[message.name].delay(message.attempt);
		if (delay > 0) message.availableAt = this.now + delay;
	}

	#back(message: ModelMessage): void {
		message.isHeld = false;
		const { maxAttempts, deadLetter } = POLICY[message.name];
		if (message.attempt < maxAttempts) return;
		const changes = {
			name: deadLetter!,
			attempt: 0,
			availableAt: 0,
			expiresAt: Number.POSITIVE_INFINITY,
		};
		Object.assign(message, changes);
	}

	#expire(): void {
		this.messages = this.messages.filter(({ isHeld, expiresAt }) => isHeld || expiresAt > this.now);
	}
}
