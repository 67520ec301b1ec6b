import type { Frame } from "./client-frames.ts";

/** How much of what a client may have missed is kept; more is forgotten, oldest first. */
export interface EventLogLimits {
	readonly maxResumeEvents: number;
	readonly maxResumeBytes: number;
}

/** Places of a log that has something in it, at first. A power of two, as all its sizes are. */
const PLACES_MIN = 16;

/**
 * The events of one connection that its client has not confirmed. Frames of a socket are counted, by both
 * sides; an event is kept under the number of its frame. Each delivered event passes here, so the log is a
 * ring, and takes no room while it is empty.
 */
export class EventLog {
	readonly #limits: EventLogLimits;
	#numbers: number[] = [];
	#frames: Frame[] = [];
	/** Where in the ring the oldest one is. */
	#head = 0;
	#size = 0;
	#bytes = 0;
	/** Events up to this frame are not in the log: confirmed, forgotten, or of an earlier incarnation. */
	#base: number;

	constructor(limits: EventLogLimits, base: number) {
		this.#limits = limits;
		this.#base = base;
	}

	get size(): number {
		return this.#size;
	}

	/** Returns whether everything since the last confirmation is still there. */
	add(number: number, frame: Frame): boolean {
		const { maxResumeEvents, maxResumeBytes } = this.#limits;
		const bytes = this.#bytes + frame.length;
		let isWhole = true;
		if (this.#size >= maxResumeEvents || bytes > maxResumeBytes) {
			isWhole = false;
			this.#makeRoom(maxResumeEvents - 1, maxResumeBytes - frame.length);
			if (frame.length > maxResumeBytes) {
				this.#base = number;
				return false;
			}
		}
		if (this.#size === this.#frames.length) this.#grow();
		const at = (this.#head + this.#size) & (this.#frames.length - 1);
		this.#numbers[at] = number;
		this.#frames[at] = frame;
		this.#size++;
		this.#bytes += frame.length;
		return isWhole;
	}

	/** One that comes when the socket is gone; it gets the next number. */
	addUnsent(sentCount: number, frame: Frame): boolean {
		return this.add(Math.max(sentCount, this.#base, this.#last) + 1, frame);
	}

	/** The client has had everything up to this frame. */
	confirm(number: number): void {
		if (this.#last > number) {
			while (this.#numbers[this.#head]! <= number) this.#dropFirst();
			return;
		}
		this.#base = Math.max(this.#base, number);
		if (this.#size === 0) return;
		this.#numbers = [];
		this.#frames = [];
		this.#head = 0;
		this.#size = 0;
		this.#bytes = 0;
	}

	/** The events after this frame, in order; null when some of them are not in the log. */
	since(number: number): Frame[] | null {
		if (number < this.#base) return null;
		const missed: Frame[] = [];
		for (let index = 0; index < this.#size; index++) {
			const at = (this.#head + index) & (this.#frames.length - 1);
			if (this.#numbers[at]! > number) missed.push(this.#frames[at]!);
		}
		return missed;
	}

	get #last(): number {
		if (this.#size === 0) return 0;
		return this.#numbers[(this.#head + this.#size - 1) & (this.#frames.length - 1)]!;
	}

	#makeRoom(events: number, bytes: number): void {
		while (this.#size > 0 && (this.#size > events || this.#bytes > bytes)) this.#dropFirst();
	}

	#dropFirst(): void {
		const at = this.#head;
		this.#base = this.#numbers[at]!;
		this.#bytes -= this.#frames[at]!.length;
		this.#frames[at] = "";
		this.#head = (at + 1) & (this.#frames.length - 1);
		this.#size--;
	}

	#grow(): void {
		const places = Math.max(PLACES_MIN, this.#frames.length * 2);
		const numbers = new Array<number>(places).fill(0);
		const frames = new Array<Frame>(places).fill("");
		for (let index = 0; index < this.#size; index++) {
			const at = (this.#head + index) & (this.#frames.length - 1);
			numbers[index] = this.#numbers[at]!;
			frames[index] = this.#frames[at]!;
		}
		this.#numbers = numbers;
		this.#frames = frames;
		this.#head = 0;
	}
}
