/** Bytes of chunks that are being filled, of all actors of a host together. */
export const KEPT_CHUNKS_BYTES_MAX: number = 4 * 1_024 * 1_024;

/**
 * Chunks that commits take with them in a second, of all actors of a host together: with many actors that commit all the
 * time, those would write more for their spans than for themselves. The others wait for their five seconds. Fewer where
 * fewer than 100 traces are begun in a second.
 */
export const CHUNKS_PER_SECOND = 16;
const TRACES_PER_CHUNK = 6.25;
const SECOND_MS = 1_000;

export function chunksPerSecond(tracesPerSecond: number): number {
	return Math.min(CHUNKS_PER_SECOND, Math.ceil(tracesPerSecond / TRACES_PER_CHUNK));
}

/** Who keeps a chunk in memory that is in the store already, to add to it. */
export interface ChunkKeeper {
	/** The next spans begin another chunk. */
	release(): void;
}

/** The chunks that the actors of a host are filling, within a limit: those go first that were written the longest ago. */
export class KeptChunks {
	readonly #bytesMax: number;
	readonly #perSecond: number;
	/** Those that were written lately are behind. */
	readonly #keepers = new Map<ChunkKeeper, number>();
	#bytes = 0;
	#secondMs = Number.NEGATIVE_INFINITY;
	#left = 0;

	constructor(bytesMax: number = KEPT_CHUNKS_BYTES_MAX, perSecond: number = CHUNKS_PER_SECOND) {
		this.#bytesMax = bytesMax;
		this.#perSecond = perSecond;
	}

	get bytes(): number {
		return this.#bytes;
	}

	/** Whether a commit may take spans with it before they have to be written. @param nowMs - of any clock */
	hasRoom(nowMs: number): boolean {
		// The clock may be set back.
		if (Math.abs(nowMs - this.#secondMs) >= SECOND_MS) {
			this.#secondMs = nowMs;
			this.#left = this.#perSecond;
		}
		return this.#left > 0;
	}

	/** One does, where there was room. */
	take(): void {
		this.#left--;
	}

	written(keeper: ChunkKeeper, bytes: number): void {
		this.remove(keeper);
		this.#keepers.set(keeper, bytes);
		this.#bytes += bytes;
		for (const [oldest] of this.#keepers) {
			if (this.#bytes <= this.#bytesMax) return;
			this.remove(oldest);
			oldest.release();
		}
	}

	remove(keeper: ChunkKeeper): void {
		this.#bytes -= this.#keepers.get(keeper) ?? 0;
		this.#keepers.delete(keeper);
	}
}
