import type { QueryGateway } from "@rivetkit/protocol";
import type { Target } from "./gateway.ts";
import type { Resolver } from "./resolver.ts";

/** The actor a query path means, looked up (and made) again at each attempt. */
export function queryTarget(query: QueryGateway, resolver: Resolver): Target {
	return async () => {
		const { name, key } = query;
		const { actor } = await resolver.resolve(
			query.method === "get"
				? { kind: "get", name, key }
				: { kind: "getOrCreate", name, key, input: query.input, crashPolicy: query.crashPolicy },
		);
		return actor.actorId;
	};
}
