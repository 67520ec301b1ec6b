import type { AtomicScope, Savepoint } from "./batch-part.ts";

/** A {@link Savepoint} made of one function per write, called newest first. */
export class UndoLog implements Savepoint {
	readonly #scope: AtomicScope;
	readonly #ended: () => void;
	#undos: (() => void)[] = [];

	/** @param ended - told when nothing more needs to be noted */
	constructor(scope: AtomicScope, ended: () => void) {
		this.#scope = scope;
		this.#ended = ended;
	}

	/** To be called with each write. `undo` must leave alone what somebody else has overwritten since. */
	note(undo: () => void): void {
		if (this.#scope.isRunning) this.#undos.push(undo);
	}

	/** The part was rolled back: what was noted is gone already. */
	clear(): void {
		this.#undos = [];
	}

	rewind(): void {
		const undos = this.#undos;
		this.#undos = [];
		for (const undo of undos.toReversed()) undo();
		this.#ended();
	}

	release(): void {
		this.#undos = [];
		this.#ended();
	}
}
