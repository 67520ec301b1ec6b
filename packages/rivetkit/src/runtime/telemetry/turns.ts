import { nextMacrotask } from "../commit/turn-scheduler.ts";

/** Hears of the end of a turn. */
export interface TurnEnd {
	turnEnded(): void;
}

/** Tells turns of the event loop apart that somebody asks about. */
export class Turns {
	#turn = 0;
	#isEndAwaited = false;
	readonly #ends: TurnEnd[] = [];

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

	/** Once, of the turn that {@link current} was asked for last. */
	whenOver(end: TurnEnd): void {
		this.#ends.push(end);
	}

	readonly #end = (): void => {
		this.#isEndAwaited = false;
		this.#turn++;
		for (const end of this.#ends) end.turnEnded();
		this.#ends.length = 0;
	};
}
