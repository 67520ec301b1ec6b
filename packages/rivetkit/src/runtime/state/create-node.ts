import { ArrayNode } from "./array-node.ts";
import { BytesNode } from "./bytes-node.ts";
import { DateNode } from "./date-node.ts";
import { ErrorNode } from "./error-node.ts";
import { InstanceNode } from "./instance-node.ts";
import { MapNode } from "./map-node.ts";
import { ObjectNode } from "./object-node.ts";
import { SetNode } from "./set-node.ts";
import type { StateTree } from "./state-tree.ts";
import type { TrackedNode } from "./tracked-node.ts";
import { type Bytes, valueKind } from "./value-kind.ts";

/** The node for an object; undefined for what has nothing to track (`RegExp`) or cannot be stored. */
export function createNode(tree: StateTree, raw: object): TrackedNode | undefined {
	const kind = valueKind(raw);
	switch (kind) {
		case "object":
			return new ObjectNode(tree, raw);
		case "array":
			return new ArrayNode(tree, raw as unknown[]);
		case "instance":
			return new InstanceNode(tree, raw);
		case "map":
			return new MapNode(tree, raw as Map<unknown, unknown>);
		case "set":
			return new SetNode(tree, raw as Set<unknown>);
		case "date":
			return new DateNode(tree, raw as Date);
		case "error":
			return new ErrorNode(tree, raw as Error);
		case "bytes":
			return new BytesNode(tree, raw as Bytes);
		case "regexp":
		case "unstorable":
			return undefined;
		default:
			return kind satisfies never;
	}
}
