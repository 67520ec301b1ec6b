import type { AtomicScope, Savepoint } from "../commit/batch-part.ts";
import type { Delivery } from "./delivery.ts";
import type { Receiver } from "./receiver.ts";

/**
 * What a `c.atomic` decides over messages. It is done when the scope is kept, in its commit: until then
 * nobody gets a message that may never have been sent, and one that may not have been completed is in
 * nobody else's hands.
 */
export class AtomicDecisions implements Savepoint {
	/** Deliveries that are completed or released when the scope is kept. */
	readonly decided: Set<Delivery> = new Set();
	/** Receivers that have written in the scope: then their plain messages are final. */
	readonly writers: Set<Receiver> = new Set();
	readonly #scope: AtomicScope;
	readonly #ended: () => void;
	#decisions: { readonly keep: () => void; readonly drop: () => void }[] = [];

	/** @param ended - called first: decisions are not put off any more */
	constructor(scope: AtomicScope, ended: () => void) {
		this.#scope = scope;
		this.#ended = ended;
	}

	/** Whether the code that is running belongs to the scope. */
	get isRunning(): boolean {
		return this.#scope.isRunning;
	}

	/** Does `keep` when the scope is kept, `drop` when it is dropped. */
	putOff(keep: () => void, drop: () => void = noop): void {
		this.#decisions.push({ keep, drop });
	}

	release(): void {
		this.#ended();
		for (const { keep } of this.#decisions) keep();
	}

	rewind(): void {
		this.#ended();
		for (const { drop } of this.#decisions.toReversed()) drop();
	}
}

function noop(): void {}
