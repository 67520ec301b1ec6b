import type { WorkflowWait } from "../../actor/workflow-control.types.ts";
import type { DurableHost } from "../../runtime/durable/durable-host.ts";
import type { WaitReason } from "../../runtime/durable/step-spans.ts";
import { SparseSet } from "../../utils/sparse-set.ts";
import type { Entry } from "../history/entry.ts";
import type { StoredWait } from "../history/head.ts";
import type { Location } from "../history/location.ts";

/** Every wake reads the head: what a join of many branches waits for is not all in it. */
const WAITS_STORED_MAX = 32;

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

	/** Whether one of them is for messages of this queue. */
	includesQueue(queue: string): boolean {
		for (const { queues } of this) {
			if (queues === undefined) continue;
			if (queues === null ? !this.#host.isDeadLetter(queue) : queues.includes(queue)) return true;
		}
		return false;
	}

	/** For `c.workflow` and inspectors. */
	shown(): WorkflowWait[] {
		return [...this].map(({ location, name, queues, deadline }) => ({
			path: location.pathOf({ kind: "name", name }),
			...(queues === undefined ? undefined : { names: queues }),
			...(deadline === undefined ? undefined : { deadline }),
		}));
	}

	/** The first ones, for inspectors, while the actor sleeps. */
	stored(): StoredWait[] {
		return [...this]
			.slice(0, WAITS_STORED_MAX)
			.map(({ location, name, queues, deadline, entry }) => ({
				key: location.namedKey(name),
				...(queues === undefined ? undefined : { names: queues }),
				...(deadline === undefined ? undefined : { deadline }),
				...(entry && { since: [entry.createdSequence, entry.createdAt] as const }),
			}));
	}

	get size(): number {
		return this.#waits.size;
	}

	[Symbol.iterator](): Iterator<Wait> {
		return this.#waits[Symbol.iterator]();
	}
}
