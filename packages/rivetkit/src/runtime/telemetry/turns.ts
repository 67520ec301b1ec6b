import { nextMacrotask } from "../commit/turn-scheduler.ts";

/** Tells turns of the event loop apart that somebody asks about. */
export class Turns {
	#turn = 0;
	#isEndAwaited = false;

	/** Stays the same until what runs now is over, with all its microtasks. */
	get current(): number {
		if (!this.#isEndAwaited) {
			this.#isEndAwaited = true;
			nextMacrotask(this.#end);
		}
		return this.#turn;
	}

	/** Whether it is another one than when {@link current} was that. */
	isOver(turn: number): boolean {
		return turn !== this.#turn;
	}

	readonly #end = (): void => {
		this.#isEndAwaited = false;
		this.#turn++;
	};
}
