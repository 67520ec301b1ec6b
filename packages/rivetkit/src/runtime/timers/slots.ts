/** An item of {@link Slots}: its time, and its place in the slot's circular list. */
export interface SlotItem {
	/** The tick at which it is due. May be raised in place; lowering it takes `remove` and `add`. */
	tick: number;
	/** Where it is kept, -1 for nowhere. */
	slot: number;
	previous: SlotItem;
	next: SlotItem;
}

const SLOTS_PER_LEVEL = 32;
const LEVELS = 8;

/** Ticks in one slot, by level: 1, 32, 1024, … */
const TICKS_PER_SLOT = Array.from({ length: LEVELS + 1 }, (_, level) => SLOTS_PER_LEVEL ** level);

/** The last tick there is. With ticks of 10 ms that is 348 years after the first. */
export const TICK_MAX = SLOTS_PER_LEVEL ** LEVELS - 1;

/**
 * Items by tick, in a hierarchy of wheels: each level has 32 slots, and a slot is as long as the whole
 * level below. An item waits on the lowest level on which its tick and `now` share the turn, and
 * moves down when its slot begins. Adding and removing are O(1); the next slot is one bit mask per
 * level away.
 *
 * - S1. No item is due before `now`.
 * - S2. `now` is not inside an occupied slot of a level above the lowest. So items of one tick are in
 *   one slot, in the order in which they were added.
 */
export class Slots<Item extends SlotItem> {
	#now = 0;
	readonly #first: (Item | undefined)[] = new Array(LEVELS * SLOTS_PER_LEVEL).fill(undefined);
	/** One bit for each slot that has items, by level. */
	readonly #occupied = new Int32Array(LEVELS);

	/** The tick that was reached; everything due before it has been taken. */
	get now(): number {
		return this.#now;
	}

	/** `item.tick` is neither before {@link now} nor after {@link TICK_MAX}. */
	add(item: Item): void {
		let level = 0;
		while (level < LEVELS - 1 && !this.#sharesTurn(item.tick, level)) level++;
		const index = Math.floor(item.tick / TICKS_PER_SLOT[level]!) % SLOTS_PER_LEVEL;
		const slot = level * SLOTS_PER_LEVEL + index;
		const first = this.#first[slot];
		item.slot = slot;
		if (first === undefined) {
			this.#first[slot] = item;
			this.#occupied[level]! |= 1 << index;
			return;
		}
		item.previous = first.previous;
		item.next = first;
		first.previous.next = item;
		first.previous = item;
	}

	#sharesTurn(tick: number, level: number): boolean {
		const turn = TICKS_PER_SLOT[level + 1]!;
		return Math.floor(tick / turn) === Math.floor(this.#now / turn);
	}

	remove(item: Item): void {
		const { slot } = item;
		item.slot = -1;
		if (item.next === item) {
			this.#empty(slot);
			return;
		}
		if (this.#first[slot] === item) this.#first[slot] = item.next as Item;
		item.previous.next = item.next;
		item.next.previous = item.previous;
		// One that is kept after its time must not keep its neighbours.
		item.previous = item;
		item.next = item;
	}

	#empty(slot: number): void {
		this.#first[slot] = undefined;
		this.#occupied[levelOf(slot)]! &= ~(1 << (slot % SLOTS_PER_LEVEL));
	}

	/** When to call {@link take} next: not after the first item is due. Undefined without items. */
	nextTick(): number | undefined {
		const slot = this.#nextSlot();
		return slot === -1 ? undefined : this.#startOf(slot);
	}

	/** Takes out the first item that is due by `limit`, moving `now` there; `now` ends at `limit`. */
	take(limit: number): Item | undefined {
		for (;;) {
			const slot = this.#nextSlot();
			const start = slot === -1 ? Number.POSITIVE_INFINITY : this.#startOf(slot);
			if (start > limit) {
				this.skipTo(limit);
				return undefined;
			}
			this.#now = start;
			if (levelOf(slot) > 0) {
				this.#moveDown(slot);
				continue;
			}
			const item = this.#first[slot]!;
			this.remove(item);
			if (item.tick <= start) return item;
			this.add(item);
		}
	}

	/** Moves `now` forward to `limit`, but not into an occupied slot: that is for {@link take}. */
	skipTo(limit: number): void {
		const next = this.nextTick() ?? Number.POSITIVE_INFINITY;
		this.#now = Math.max(this.#now, Math.min(limit, next - 1));
	}

	#moveDown(slot: number): void {
		const first = this.#first[slot]!;
		this.#empty(slot);
		let item = first;
		do {
			const next = item.next as Item;
			item.previous = item;
			item.next = item;
			this.add(item);
			item = next;
		} while (item !== first);
	}

	/** Slots of a lower level begin before those of a higher one, those of one level in order (S1, S2). */
	#nextSlot(): number {
		for (let level = 0; level < LEVELS; level++) {
			const bits = this.#occupied[level]!;
			if (bits !== 0) return level * SLOTS_PER_LEVEL + (31 - Math.clz32(bits & -bits));
		}
		return -1;
	}

	#startOf(slot: number): number {
		const level = levelOf(slot);
		const turn = TICKS_PER_SLOT[level + 1]!;
		const turnStart = Math.floor(this.#now / turn) * turn;
		return turnStart + (slot % SLOTS_PER_LEVEL) * TICKS_PER_SLOT[level]!;
	}
}

function levelOf(slot: number): number {
	return Math.floor(slot / SLOTS_PER_LEVEL);
}
