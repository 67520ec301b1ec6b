import type { Frame } from "./client-frames.ts";

/** How much of what a client may have missed is kept; more is forgotten, oldest first. */
export interface EventLogLimits {
	readonly maxResumeEvents: number;
	readonly maxResumeBytes: number;
}

/** From this many forgotten places on, they are given back when they are half of the list. */
const COMPACT_AT = 256;

/**
 * The events of one connection that its client has not confirmed. Frames of a socket are counted, by both
 * sides; an event is kept under the number of its frame.
 */
export class EventLog {
	readonly #limits: EventLogLimits;
	#numbers: number[] = [];
	#frames: Frame[] = [];
	/** Where in the lists the oldest one is; those before it are gone. */
	#head = 0;
	#bytes = 0;
	/** Events up to this frame are not in the log: confirmed, forgotten, or of an earlier incarnation. */
	#base: number;

	constructor(limits: EventLogLimits, base: number) {
		this.#limits = limits;
		this.#base = base;
	}

	get size(): number {
		return this.#frames.length - this.#head;
	}

	/** Returns whether everything since the last confirmation is still there. */
	add(number: number, frame: Frame): boolean {
		this.#numbers.push(number);
		this.#frames.push(frame);
		this.#bytes += frame.length;
		const { maxResumeEvents, maxResumeBytes } = this.#limits;
		if (this.size <= maxResumeEvents && this.#bytes <= maxResumeBytes) return true;
		while (this.size > maxResumeEvents || this.#bytes > maxResumeBytes) this.#dropFirst();
		return false;
	}

	/** One that comes when the socket is gone; it gets the next number. */
	addUnsent(sentCount: number, frame: Frame): boolean {
		const last = Math.max(sentCount, this.#base, this.#numbers.at(-1) ?? 0);
		return this.add(last + 1, frame);
	}

	/** The client has had everything up to this frame. */
	confirm(number: number): void {
		if (this.size === 0 || this.#numbers.at(-1)! <= number) {
			this.#clear();
			this.#base = Math.max(this.#base, number);
			return;
		}
		while (this.#numbers[this.#head]! <= number) this.#dropFirst();
	}

	/** The events after this frame, in order; null when some of them are not in the log. */
	since(number: number): Frame[] | null {
		if (number < this.#base) return null;
		const missed: Frame[] = [];
		for (let at = this.#head; at < this.#frames.length; at++) {
			if (this.#numbers[at]! > number) missed.push(this.#frames[at]!);
		}
		return missed;
	}

	#dropFirst(): void {
		this.#base = this.#numbers[this.#head]!;
		this.#bytes -= this.#frames[this.#head]!.length;
		this.#frames[this.#head++] = "";
		if (this.size === 0) this.#clear();
		else if (this.#head >= COMPACT_AT && this.#head * 2 >= this.#frames.length) {
			this.#numbers = this.#numbers.slice(this.#head);
			this.#frames = this.#frames.slice(this.#head);
			this.#head = 0;
		}
	}

	#clear(): void {
		this.#numbers = [];
		this.#frames = [];
		this.#head = 0;
		this.#bytes = 0;
	}
}
