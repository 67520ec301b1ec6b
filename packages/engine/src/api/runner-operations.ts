import { type ActorResponse, catalogueError, HEADER_TOKEN } from "@rivetkit/protocol";
import type { z } from "zod";
import type { RunnerView } from "../common/runner-questions.ts";
import type { Namespace } from "../pools/namespaces.ts";
import { readCursor, writeCursor } from "./cursor.ts";
import type { EngineApiOptions } from "./engine-api.types.ts";
import { idsOf, jsonAnswer, readQuery } from "./engine-calls.ts";
import { connectQuery, namesQuery, type runnerSchema, runnersQuery } from "./engine-contract.ts";
import type { EngineCall, EngineOperations } from "./engine-operations.ts";

type Options = Pick<EngineApiOptions, "namespaces" | "runners" | "datacenter" | "acceptsRunner">;

/** Runners (engine 2.5). */
export class RunnerOperations {
	readonly #options: Options;
	readonly operations: EngineOperations<"connectRunner" | "listRunners" | "listRunnerNames"> = {
		connectRunner: (call) => this.#connect(call),
		listRunners: (call) => this.#list(call),
		listRunnerNames: (call) => this.#listNames(call),
	};

	constructor(options: Options) {
		this.#options = options;
	}

	/** A plain request where runners connect (engine 4.1). */
	#connect({ request, query }: EngineCall): ActorResponse {
		const { namespace = "" } = readQuery(connectQuery, query);
		const { acceptsRunner } = this.#options;
		if (acceptsRunner !== undefined) {
			const token = request.headers.get(HEADER_TOKEN);
			if (token === null) throw catalogueError("guard.missing_header", { header: HEADER_TOKEN });
			if (!acceptsRunner(token, namespace)) throw catalogueError("api.forbidden");
		}
		return {
			status: 200,
			headers: { "content-type": "text/plain; charset=utf-8" },
			body: "Runners connect here by WebSocket.",
		};
	}

	async #list({ query }: EngineCall): Promise<ActorResponse> {
		const given = readQuery(runnersQuery, query);
		const namespace = await this.#options.namespaces.get(given.namespace);
		const ids = idsOf(given.runner_id, given.runner_ids);
		const before = given.cursor === undefined ? undefined : readCursor(given.cursor);
		const found = await this.#options.runners.runners({
			namespace: namespace.name,
			...(given.name === undefined ? {} : { pool: given.name }),
			...(ids === undefined ? {} : { runnerIds: ids }),
			includesStopped: given.include_stopped === "true",
			...(before === undefined ? {} : { before }),
			limit: given.limit,
		});
		const last = found.length === given.limit ? found.at(-1) : undefined;
		return jsonAnswer({
			runners: found.map((runner) => this.#json(namespace, runner)),
			pagination: { cursor: last ? writeCursor(last.createTs, last.runnerId) : null },
		});
	}

	#json(namespace: Namespace, runner: RunnerView): z.output<typeof runnerSchema> {
		return {
			runner_id: runner.runnerId,
			namespace_id: namespace.namespaceId,
			datacenter: this.#options.datacenter.name,
			name: runner.pool,
			key: runner.key,
			version: runner.version,
			total_slots: runner.totalSlots,
			remaining_slots: runner.remainingSlots,
			create_ts: runner.createTs,
			drain_ts: runner.drainTs,
			stop_ts: runner.stopTs,
			last_ping_ts: runner.lastPingTs,
			last_connected_ts: runner.lastConnectedTs,
			last_rtt: runner.lastRttMs,
			metadata: runner.metadata,
		};
	}

	async #listNames({ query }: EngineCall): Promise<ActorResponse> {
		const given = readQuery(namesQuery, query);
		const { cursor: after } = given;
		const namespace = await this.#options.namespaces.get(given.namespace);
		const names = (await this.#options.runners.pools(namespace.name))
			.filter((name) => after === undefined || name > after)
			.sort()
			.slice(0, given.limit);
		const cursor = names.length === given.limit ? names.at(-1)! : null;
		return jsonAnswer({ names, pagination: { cursor } });
	}
}
