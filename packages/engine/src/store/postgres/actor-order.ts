type Kind = "read" | "write";

interface Line {
	kind: Kind;
	count: number;
	readonly waiting: { readonly kind: Kind; readonly start: () => void }[];
}

/**
 * What concerns one actor happens in the order of the calls, although reads and writes go over connections of
 * their own: a read waits for the writes before it, and the writes behind it wait for the read.
 */
export class ActorOrder {
	readonly #lines = new Map<string, Line>();

	/** Calls `run`, at once where nothing is in the way. */
	async run<T>(actorId: string, kind: Kind, run: () => Promise<T>): Promise<T> {
		let line = this.#lines.get(actorId);
		if (line === undefined) {
			line = { kind, count: 0, waiting: [] };
			this.#lines.set(actorId, line);
		}
		if (line.count > 0 && (line.kind !== kind || line.waiting.length > 0)) {
			const { waiting } = line;
			await new Promise<void>((start) => waiting.push({ kind, start }));
		} else {
			line.kind = kind;
			line.count++;
		}
		try {
			return await run();
		} finally {
			this.#done(actorId, line);
		}
	}

	#done(actorId: string, line: Line): void {
		line.count--;
		if (line.count > 0) {
			return;
		}
		const next = line.waiting[0];
		if (next === undefined) {
			this.#lines.delete(actorId);
			return;
		}
		line.kind = next.kind;
		while (line.waiting[0]?.kind === next.kind) {
			line.count++;
			line.waiting.shift()!.start();
		}
	}
}
