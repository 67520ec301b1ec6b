import type { ApiOperation } from "./contract.ts";

interface Row<Id extends string> {
	readonly operation: Id;
	readonly method: string;
	readonly segments: readonly string[];
}

export interface MatchedOperation<Id extends string> {
	readonly operation: Id;
	/** Percent-decoded. */
	readonly parameters: Readonly<Record<string, string>>;
}

/** Finds the operation of a route; a trailing slash means nothing. */
export class OperationTable<Id extends string> {
	readonly #rows: readonly Row<Id>[];

	constructor(operations: Readonly<Record<Id, ApiOperation>>) {
		const entries = Object.entries<ApiOperation>(operations) as [Id, ApiOperation][];
		this.#rows = entries.map(([operation, { method, path }]) => ({
			operation,
			method,
			segments: split(path),
		}));
	}

	match(method: string, path: string): MatchedOperation<Id> | undefined {
		return this.#find(path, (row) => row.method === method);
	}

	/** Whether the path has an operation with some method. */
	knows(path: string): boolean {
		return this.#find(path, () => true) !== undefined;
	}

	#find(path: string, isWanted: (row: Row<Id>) => boolean): MatchedOperation<Id> | undefined {
		if (!path.startsWith("/")) {
			return undefined;
		}
		const segments = split(path);
		for (const row of this.#rows) {
			if (row.segments.length === segments.length && isWanted(row)) {
				const parameters = matchSegments(row.segments, segments);
				if (parameters !== undefined) {
					return { operation: row.operation, parameters };
				}
			}
		}
		return undefined;
	}
}

function matchSegments(
	pattern: readonly string[],
	segments: readonly string[],
): Record<string, string> | undefined {
	const parameters: Record<string, string> = {};
	for (const [index, expected] of pattern.entries()) {
		const segment = segments[index]!;
		if (!expected.startsWith("{")) {
			if (segment !== expected) {
				return undefined;
			}
			continue;
		}
		try {
			parameters[expected.slice(1, -1)] = decodeURIComponent(segment);
		} catch {
			return undefined;
		}
	}
	return parameters;
}

function split(path: string): string[] {
	const inner = path.endsWith("/") ? path.slice(1, -1) : path.slice(1);
	return inner === "" ? [] : inner.split("/");
}
