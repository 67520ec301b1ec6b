import { AsyncLocalStorage } from "node:async_hooks";
import { decodeCbor, encodeCbor } from "@rivetkit/protocol";
import { untracked } from "../state/index.ts";

/** Which call the code that is running belongs to, across its waits. */
const currentAuthor = new AsyncLocalStorage<Author>();

/** One call that may take back what it changed. */
class Author {
	readonly stretches: Stretch[] = [];
	isOver = false;
}

/** State before and after a series of changes by one author that nobody else interrupted. */
interface Stretch {
	readonly before: Uint8Array;
	after: Uint8Array | null;
}

export interface JournalEntry {
	/** Runs code whose changes, also after waits, are this author's. */
	run<T>(work: () => T): T;
	/** Takes the changes back; what the author changes after that stays. */
	undo(): void;
	/** Keeps the changes. */
	end(): void;
}

/** What a journal needs of the state. */
export interface JournaledState {
	readonly value: unknown;
	readonly raw: unknown;
	replace(next: unknown): void;
}

/**
 * Lets an action that fails take its state changes back (`options.rollbackOnError`, lifecycle W-STATE-8)
 * while other code changes the state in between. What somebody else has changed since is left alone, and
 * so is everything outside plain objects that others changed a part of: a list is taken back as a whole
 * or not at all.
 *
 * Costs one encoding of the state whenever another author begins to write.
 */
export class StateJournal {
	readonly #state: JournaledState;
	#last: Author | null = null;

	constructor(state: JournaledState) {
		this.#state = state;
	}

	/** One author of changes. */
	begin(): JournalEntry {
		const author = new Author();
		return {
			run: (work) => currentAuthor.run(author, work),
			undo: () => this.#undo(author),
			end: () => this.#end(author),
		};
	}

	/** To be called before each write. */
	beforeWrite(): void {
		const running = currentAuthor.getStore();
		const author = running && !running.isOver ? running : null;
		if (author === this.#last) return;
		const image = this.#image();
		this.#closeStretch(image);
		author?.stretches.push({ before: image, after: null });
		this.#last = author;
	}

	#undo(author: Author): void {
		if (this.#last === author) this.#closeStretch(this.#image());
		this.#end(author);
		for (const { before, after } of author.stretches.toReversed()) {
			this.#takeBack(decodeCbor(before), decodeCbor(after!));
		}
	}

	#end(author: Author): void {
		author.isOver = true;
		if (this.#last === author) this.#last = null;
	}

	#closeStretch(image: Uint8Array): void {
		const stretch = this.#last?.stretches.at(-1);
		if (stretch) stretch.after = image;
	}

	#image(): Uint8Array {
		return encodeCbor(this.#state.raw);
	}

	#takeBack(before: unknown, after: unknown): void {
		const { value } = this.#state;
		if (isPlain(value) && isPlain(before) && isPlain(after)) takeBackMembers(value, before, after);
		else if (isSame(value, after)) this.#state.replace(before);
	}
}

type Plain = Record<string, unknown>;

/** Works on the tracked object itself, so that parts of the state that others hold stay attached. */
function takeBackMembers(current: Plain, before: Plain, after: Plain): void {
	for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) {
		const [was, became, is] = [own(before, key), own(after, key), own(current, key)];
		if (isSame(was, became)) continue;
		if (isSame(is, became)) {
			if (was.length === 0) Reflect.deleteProperty(current, key);
			else Reflect.set(current, key, was[0]);
		} else if (isPlain(is[0]) && isPlain(was[0]) && isPlain(became[0])) {
			takeBackMembers(is[0], was[0], became[0]);
		}
	}
}

/** The own member of this name in a list, or an empty list. */
function own(object: Plain, key: string): [unknown?] {
	return Object.hasOwn(object, key) ? [object[key]] : [];
}

function isPlain(value: unknown): value is Plain {
	if (typeof value !== "object" || value === null) return false;
	const prototype: unknown = Object.getPrototypeOf(value);
	return prototype === Object.prototype || prototype === null;
}

function isSame(a: unknown, b: unknown): boolean {
	const [left, right] = [encodeCbor(untracked(a)), encodeCbor(untracked(b))];
	return left.byteLength === right.byteLength && left.every((byte, at) => byte === right[at]);
}
