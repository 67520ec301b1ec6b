import { type QueryGateway, serializeKey } from "@rivetkit/protocol";
import type { QueryTarget } from "./gateway.ts";
import type { Resolver } from "./resolver.ts";

/**
 * The actor a query path means, looked up (and made) again at each attempt.
 *
 * @param check - what has to hold before anything is looked up; throws what the caller is refused with
 */
export function queryTarget(
	query: QueryGateway,
	resolver: Resolver,
	check: (query: QueryGateway) => Promise<void>,
): QueryTarget {
	const { name, key } = query;
	const pool = query.method === "get" ? undefined : query.pool;
	const serializedKey = serializeKey(key);
	return {
		live: () => resolver.liveId(name, serializedKey),
		resolve: async () => {
			await check(query);
			return resolver.resolveId(
				query.method === "get"
					? { kind: "get", name, key }
					: {
							kind: "getOrCreate",
							name,
							key,
							input: query.input,
							crashPolicy: query.crashPolicy,
							...(pool && { pool }),
						},
			);
		},
	};
}
