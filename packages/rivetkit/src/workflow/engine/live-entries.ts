import { catalogueError } from "@rivetkit/protocol";
import type { Logger } from "../../log/logger.ts";
import { codeError } from "./code-error.ts";
import type { Strand } from "./strand.ts";

/** Live entries from which on a workflow is warned of. */
const LIVE_WARNING = 1_000;

/** Entries of scopes that are not at their end: what a start from records has to read. */
export class LiveEntries {
	readonly #limit: number;
	readonly #log: Logger;
	#count = 0;
	#isWarned = false;

	constructor(limit: number, log: Logger) {
		this.#limit = limit;
		this.#log = log;
	}

	/** Throws `workflow.too_many_entries`. */
	add(strand: Strand, count: number): void {
		const limit = this.#limit;
		strand.live += count;
		this.#count += count;
		if (this.#count > limit) {
			throw codeError(catalogueError("workflow.too_many_entries", { limit }));
		}
		if (this.#count > LIVE_WARNING && !this.#isWarned) {
			this.#isWarned = true;
			this.#log.warn(
				{ entries: this.#count, limit },
				"the workflow keeps many entries; ctx.loop forgets those of finished iterations",
			);
		}
	}

	/** A strand has that many, and no more. */
	leave(strand: Strand, left: number): void {
		this.#count -= strand.live - left;
		strand.live = left;
	}
}
