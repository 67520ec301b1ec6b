import type { HistoryDivergedError } from "../errors.ts";
import { isInnerId } from "../history/location.ts";
import { mayHaveToUndo } from "../history/steps-within.ts";
import type { Compensation } from "./compensation.ts";
import { notUndone } from "./divergence.ts";
import { idOf } from "./entry-id.ts";
import type { ExecutionOwner } from "./execution-owner.ts";
import type { Scope } from "./scope.ts";
import type { Strand } from "./strand.ts";

/** What an execution finds that runs its function as far as records go, for a rollback (workflows 3.8.6). */
export class RollbackSearch {
	/** What is to be undone, in the order the code came to it. */
	readonly compensations: Compensation[] = [];
	/** Scopes that the code has come to. */
	readonly #opened: Scope[] = [];
	/** Resolves when all strands wait for what does not come. */
	readonly waits: Promise<void>;
	#idle!: () => void;

	constructor() {
		this.waits = new Promise((resolve) => {
			this.#idle = resolve;
		});
	}

	opened(scope: Scope): void {
		this.#opened.push(scope);
	}

	/** Whether something is recorded of a strand that its code has not come to yet. */
	hasUnvisitedOn(strand: Strand): boolean {
		return this.#opened.some((scope) => scope.strand === strand && scope.hasUnvisited);
	}

	idle(): void {
		this.#idle();
	}

	/** Something to undo that the code did not come to. */
	missed(owner: ExecutionOwner): HistoryDivergedError | null {
		for (const scope of this.#opened) {
			for (const [name, entry] of scope.records ?? []) {
				if (scope.visited.has(name) || isInnerId(name) || !mayHaveToUndo(entry)) continue;
				const path = scope.location.pathOf({ kind: "name", name });
				if (owner.isLeftOut(idOf(owner.host.actorId, entry.epoch, path))) continue;
				return notUndone(scope, { name, entry }, owner.versionNote);
			}
		}
		return null;
	}
}
