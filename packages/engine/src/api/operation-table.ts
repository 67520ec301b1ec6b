import { type ApiOperation, OPERATIONS, type OperationId } from "./contract.ts";

interface Row {
	readonly operation: OperationId;
	readonly method: string;
	readonly segments: readonly string[];
}

const ROWS: readonly Row[] = (Object.entries(OPERATIONS) as [OperationId, ApiOperation][]).map(
	([operation, { method, path }]) => ({ operation, method, segments: split(path) }),
);

export interface MatchedOperation {
	readonly operation: OperationId;
	/** Percent-decoded. */
	readonly parameters: Readonly<Record<string, string>>;
}

/** Finds the operation of a route; a trailing slash means nothing. */
export function matchOperation(method: string, path: string): MatchedOperation | undefined {
	if (!path.startsWith("/")) {
		return undefined;
	}
	const segments = split(path);
	for (const row of ROWS) {
		if (row.method === method && row.segments.length === segments.length) {
			const parameters = matchSegments(row.segments, segments);
			if (parameters !== undefined) {
				return { operation: row.operation, parameters };
			}
		}
	}
	return undefined;
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
