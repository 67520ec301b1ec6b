import type { Segment } from "./tracked-node.ts";
import { TrackedNode } from "./tracked-node.ts";

/** A value that holds no tracked objects. */
export abstract class LeafNode<T extends object> extends TrackedNode<T> {
	holds(_child: TrackedNode): boolean {
		return false;
	}

	segment(at: unknown): Segment {
		return `.${String(at)}`;
	}
}
