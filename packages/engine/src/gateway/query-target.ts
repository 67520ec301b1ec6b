import { type QueryGateway, serializeKey } from "@rivetkit/protocol";
import type { QueryTarget } from "./gateway.ts";
import type { Resolver } from "./resolver.ts";

/**
 * The actor a query path means, looked up (and made) again at each attempt.
 *
 * @param isOpaque - whether the key means nothing here: any text is one
 * @param check - what has to hold before anything is looked up; throws what the caller is refused with
 */
export function queryTarget(
	query: QueryGateway,
	resolver: Resolver,
	isOpaque: boolean,
	check: (query: QueryGateway) => Promise<void>,
): QueryTarget {
	const { name } = query;
	const pool = query.method === "get" ? undefined : query.pool;
	const serializedKey = serializeKey(query.key);
	const key = isOpaque ? serializedKey : query.key;
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
