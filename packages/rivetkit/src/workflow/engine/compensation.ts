import type { Entry } from "../history/entry.ts";
import type { StepOptions } from "../operations/step-options.ts";

/** A completed step with what undoes it. */
export interface Compensation {
	readonly entry: Entry<"step">;
	readonly key: Uint8Array;
	readonly id: string;
	readonly name: string;
	readonly path: string;
	readonly options: StepOptions;
	readonly output: unknown;
}
