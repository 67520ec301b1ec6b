import { AsyncLocalStorage } from "node:async_hooks";
import { decodeCbor, encodeCbor } from "@rivetkit/protocol";
import type { AtomicScope, Savepoint } from "../commit/batch-part.ts";
import { untracked } from "../state/index.ts";

/** Bytes of images that are kept for one author before its oldest stretches are joined. */
const AUTHOR_BYTES_MAX = 8 * 1024 * 1024;

/** Which call the code that is running belongs to, across its waits; null for code of no call. */
const currentAuthor = new AsyncLocalStorage<Author | null>();

/** One call, or one `c.atomic` in it, that may take back what it changed. */
class Author {
	/** The call that a `c.atomic` is part of. */
	readonly outer: Author | null;
	stretches: Stretch[] = [];
	/** Of the images in its stretches. */
	bytes = 0;
	isOver = false;

	constructor(outer: Author | null) {
		this.outer = outer;
	}
}

/** State before and after a series of changes by one author that nobody else interrupted. */
interface Stretch {
	/** Which stretch of the journal it is. */
	readonly number: number;
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
 * Lets an action that fails (`options.rollbackOnError`, lifecycle W-STATE-8) and a `c.atomic` that fails
 * take their state changes back while other code changes the state in between. What somebody else has changed since is left alone, and
 * so is everything outside plain objects that others changed a part of: a list is taken back as a whole
 * or not at all.
 *
 * Costs one encoding of the state whenever another author begins to write. These images are kept until the
 * author is done: so many bytes as {@link AUTHOR_BYTES_MAX} says, or two of them, whatever is more.
 */
export class StateJournal {
	readonly #state: JournaledState;
	readonly #authorBytesMax: number;
	#last: Author | null = null;
	#stretches = 0;
	/** The `c.atomic` that is under way. */
	#atomic: { readonly scope: AtomicScope; readonly author: Author } | null = null;

	constructor(state: JournaledState, authorBytesMax = AUTHOR_BYTES_MAX) {
		this.#state = state;
		this.#authorBytesMax = authorBytesMax;
	}

	/** One author of changes. */
	begin(): JournalEntry {
		const author = new Author(null);
		return {
			run: (work) => currentAuthor.run(author, work),
			undo: () => this.#undo(author),
			end: () => this.#end(author),
		};
	}

	/** What `scope` changes is one author's; if it keeps them, they are the call's that it is part of. */
	beginAtomic(scope: AtomicScope): Savepoint {
		const author = new Author(runningCall());
		this.#atomic = { scope, author };
		return {
			rewind: () => {
				this.#atomic = null;
				this.#undo(author);
			},
			release: () => {
				this.#atomic = null;
				this.#endWithin(author);
			},
		};
	}

	/** To be called before each write. */
	beforeWrite(): void {
		const author = this.#atomic?.scope.isRunning ? this.#atomic.author : runningCall();
		if (author === this.#last) return;
		const image = this.#image();
		this.#closeStretch(image);
		this.#last = author;
		if (author === null) return;
		author.stretches.push({ number: this.#stretches++, before: image, after: null });
		author.bytes += image.byteLength;
	}

	/**
	 * To be called before the state goes back to what is committed: what that has of a call's changes can be taken back
	 * still, and what it has not does not come back.
	 */
	rollsBack(): void {
		const stretch = this.#last?.stretches.at(-1);
		if (stretch) this.#closeStretch(this.#imageOr(stretch.before));
		this.#last = null;
	}

	#undo(author: Author): void {
		if (this.#last === author) this.#closeStretch(this.#image());
		this.#end(author);
		// Taking back is nobody's change: not that of a call around it, which may be taken back later.
		currentAuthor.run(null, () => {
			for (const { before, after } of author.stretches.toReversed()) {
				const { value } = this.#state;
				const next = takenBack(value, decodeCbor(before), decodeCbor(after!));
				if (next !== value) this.#state.replace(next);
			}
		});
	}

	#end(author: Author): void {
		author.isOver = true;
		if (this.#last === author) this.#last = null;
	}

	#endWithin(author: Author): void {
		const { outer, stretches } = author;
		const isOpen = this.#last === author;
		this.#end(author);
		if (!outer || outer.isOver || stretches.length === 0) return;
		outer.stretches = [...outer.stretches, ...stretches].sort((a, b) => a.number - b.number);
		outer.bytes += author.bytes;
		// It goes on as the outer's: to close it takes an image, and there may be none of a state that was spoilt.
		if (isOpen) this.#last = outer;
	}

	#closeStretch(image: Uint8Array): void {
		const author = this.#last;
		if (author === null) return;
		author.stretches.at(-1)!.after = image;
		author.bytes += image.byteLength;
		while (author.bytes > this.#authorBytesMax && this.#canJoin(author)) this.#join(author);
	}

	/** Not over what a call's `c.atomic`, or the call around it, changed in between: later that is of the same author. */
	#canJoin(author: Author): boolean {
		const [first, second] = author.stretches;
		if (!second) return false;
		const inner = this.#atomic?.author;
		const kin = inner?.outer === author ? inner : author.outer;
		return !kin?.stretches.some(({ number }) => first!.number < number && number < second.number);
	}

	/**
	 * Makes one of the two oldest stretches. What somebody else changed in between counts as changed since, also
	 * when that is taken back later.
	 */
	#join(author: Author): void {
		const [first, second] = author.stretches.splice(0, 2) as [Stretch, Stretch];
		author.bytes -= bytesOf(first) + bytesOf(second);
		const joined = join(first, second);
		author.stretches.unshift(joined);
		author.bytes += bytesOf(joined);
	}

	/** @param other - of a state that was spoilt: what was changed in it since is left alone */
	#imageOr(other: Uint8Array): Uint8Array {
		try {
			return this.#image();
		} catch {
			return other;
		}
	}

	#image(): Uint8Array {
		return encodeCbor(this.#state.raw);
	}
}

function runningCall(): Author | null {
	const author = currentAuthor.getStore();
	return author && !author.isOver ? author : null;
}

function bytesOf({ before, after }: Stretch): number {
	return before.byteLength + (after?.byteLength ?? 0);
}

/** As if nobody else had written between the two. */
function join(first: Stretch, second: Stretch): Stretch {
	const before = takenBack(
		decodeCbor(second.before),
		decodeCbor(first.before),
		decodeCbor(first.after!),
	);
	return { ...second, before: encodeCbor(before) };
}

/** `value` without what changed `before` to `after`; itself if it is a plain object. */
function takenBack(value: unknown, before: unknown, after: unknown): unknown {
	if (isPlain(value) && isPlain(before) && isPlain(after)) takeBackMembers(value, before, after);
	else if (isSame(value, after)) return before;
	return value;
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
	return Buffer.compare(left, right) === 0;
}
