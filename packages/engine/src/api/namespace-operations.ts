import type { ActorResponse } from "@rivetkit/protocol";
import type { Namespace } from "../pools/namespaces.ts";
import { readCursor, writeCursor } from "./cursor.ts";
import type { EngineApiOptions } from "./engine-api.types.ts";
import { idsOf, jsonAnswer, readBody, readQuery } from "./engine-calls.ts";
import { namespaceBody, namespacesQuery } from "./engine-contract.ts";
import type { EngineCall, EngineOperations } from "./engine-operations.ts";

/** Namespaces (engine 2.3). */
export class NamespaceOperations {
	readonly #options: Pick<EngineApiOptions, "namespaces">;
	readonly operations: EngineOperations<"listNamespaces" | "createNamespace"> = {
		listNamespaces: (call) => this.#list(call),
		createNamespace: (call) => this.#create(call),
	};

	constructor(options: Pick<EngineApiOptions, "namespaces">) {
		this.#options = options;
	}

	async #list({ query }: EngineCall): Promise<ActorResponse> {
		const given = readQuery(namespacesQuery, query);
		const { namespaces } = this.#options;
		const ids = idsOf(given.namespace_id, given.namespace_ids);
		if (given.name !== undefined || ids !== undefined) {
			const all = ids === undefined ? [] : await namespaces.all();
			const named = given.name === undefined ? undefined : await namespaces.find(given.name);
			const found = all.filter(({ namespaceId }) => ids?.includes(namespaceId));
			const isAsked = (one: Namespace) =>
				(ids === undefined || ids.includes(one.namespaceId)) &&
				(given.name === undefined || one.name === given.name);
			const both = named === undefined ? found : [named, ...found];
			return this.#answer(
				[...new Map(both.map((one) => [one.name, one])).values()].filter(isAsked),
			);
		}
		const before = given.cursor === undefined ? undefined : readCursor(given.cursor);
		const found = await namespaces.list(
			given.limit,
			before && {
				createTs: before.createTs,
				...(before.id === undefined ? {} : { name: before.id }),
			},
		);
		const last = found.length === given.limit ? found.at(-1) : undefined;
		return this.#answer(found, last && writeCursor(last.createTs, last.name));
	}

	#answer(found: readonly Namespace[], cursor: string | null = null): ActorResponse {
		return jsonAnswer({ namespaces: found.map(namespaceJson), pagination: { cursor } });
	}

	async #create({ request }: EngineCall): Promise<ActorResponse> {
		const body = await readBody(namespaceBody, request);
		const namespace = await this.#options.namespaces.create(body.name, body.display_name);
		return jsonAnswer({ namespace: namespaceJson(namespace) });
	}
}

function namespaceJson({ namespaceId, name, displayName, createTs }: Namespace) {
	return { namespace_id: namespaceId, name, display_name: displayName, create_ts: createTs };
}
