import type { DurableHost } from "../../runtime/durable/durable-host.ts";
import type { WaitReason } from "../../runtime/durable/step-spans.ts";
import { SparseSet } from "../../utils/sparse-set.ts";
import type { Entry } from "../history/entry.ts";
import type { Location } from "../history/location.ts";

/** Something that a strand waits for. */
export interface Wait {
	readonly location: Location;
	readonly name: string;
	/** Messages of these queues (null: of all). */
	readonly queues?: readonly string[] | null;
	/** Milliseconds since the epoch. */
	readonly deadline?: number | undefined;
	/** Of a wait that need not be recorded before it is over. */
	readonly entry?: Entry;
}

/** What the strands of an execution wait for. Each wait that takes time is a span. */
export class Waits implements Iterable<Wait> {
	readonly #host: DurableHost;
	readonly #waits: SparseSet<Wait> = new SparseSet();
	/** Of those that are recorded. */
	#spans: Map<Wait, (how: "over" | "left") => void> | null = null;

	constructor(host: DurableHost) {
		this.#host = host;
	}

	/** @param reason - null for one that is over before the code goes on */
	add(wait: Wait, reason: WaitReason | null): void {
		const { name, queues, deadline } = wait;
		const end =
			reason === null
				? null
				: this.#host.waitBegins({
						name,
						reason,
						deadline,
						...(queues === undefined ? undefined : { queues }),
					});
		this.#waits.add(wait);
		if (end === null) return;
		this.#spans ??= new Map();
		this.#spans.set(wait, end);
	}

	delete(wait: Wait): void {
		this.#spans?.get(wait)?.("over");
		this.#spans?.delete(wait);
		this.#waits.delete(wait);
	}

	/** They stay as they are, and the next incarnation waits on. */
	leave(): void {
		for (const end of this.#spans?.values() ?? []) end("left");
	}

	get size(): number {
		return this.#waits.size;
	}

	[Symbol.iterator](): Iterator<Wait> {
		return this.#waits[Symbol.iterator]();
	}
}
