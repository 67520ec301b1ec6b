import { type ActorResponse, catalogueError } from "@rivetkit/protocol";
import { type PoolConfigJson, readPoolConfig } from "../pools/pool-config.ts";
import type { EngineApiOptions } from "./engine-api.types.ts";
import { jsonAnswer, listOf, readBody, readQuery } from "./engine-calls.ts";
import { emptyBody, healthCheckBody, poolBody, poolsQuery } from "./engine-contract.ts";
import { type EngineCall, type EngineOperations, scopeOf } from "./engine-operations.ts";

type Options = Pick<
	EngineApiOptions,
	"namespaces" | "pools" | "datacenter" | "serverless" | "runners"
>;

/** Configurations of pools, and the hosts that they ask for runners (engine 2.6, 5.4). */
export class PoolOperations {
	readonly #options: Options;
	readonly operations: EngineOperations<
		| "listRunnerConfigs"
		| "putRunnerConfig"
		| "deleteRunnerConfig"
		| "refreshRunnerMetadata"
		| "checkServerlessHealth"
	> = {
		listRunnerConfigs: (call) => this.#list(call),
		putRunnerConfig: (call) => this.#put(call),
		deleteRunnerConfig: (call) => this.#delete(call),
		refreshRunnerMetadata: (call) => this.#refresh(call),
		checkServerlessHealth: (call) => this.#checkHost(call),
	};

	constructor(options: Options) {
		this.#options = options;
	}

	async #list({ query }: EngineCall): Promise<ActorResponse> {
		const given = readQuery(poolsQuery, query);
		const namespace = await this.#options.namespaces.get(given.namespace);
		const wanted = listOf(given.runner_name, given.runner_names);
		const { pools, datacenter, runners } = this.#options;
		const found: [string, PoolConfigJson][] = [];
		let after = given.cursor;
		for (let more = true; more && found.length < given.limit; ) {
			const page = await pools.list(namespace.name, given.limit, after);
			for (const { name, config } of page) {
				after = name;
				const isAsked =
					(given.variant === undefined || config.kind === given.variant) &&
					(wanted === undefined || wanted.includes(name));
				if (isAsked) found.push([name, config.json]);
				if (found.length === given.limit) break;
			}
			more = page.length === given.limit;
		}
		const errors = await runners.poolErrors(namespace.name);
		const configs = found.map(([name, json]) => {
			const error = errors.get(name);
			const shown = {
				...json,
				...(error === undefined ? {} : { runner_pool_error: error }),
				protocol_version: null,
			};
			return [name, { datacenters: { [datacenter.name]: shown } }] as const;
		});
		return jsonAnswer({
			runner_configs: Object.fromEntries(configs),
			pagination: { cursor: found.length === given.limit ? found.at(-1)![0] : null },
		});
	}

	async #put(call: EngineCall): Promise<ActorResponse> {
		const body = await readBody(poolBody, call.request);
		const namespace = await scopeOf(this.#options.namespaces, call);
		const name = call.parameters.runner_name!;
		const { datacenter, pools } = this.#options;
		const configs = Object.entries(body.datacenters).map(([dc, value]) => {
			if (dc !== datacenter.name) {
				throw catalogueError("datacenter.not_found");
			}
			return readPoolConfig(value);
		});
		const [config] = configs;
		if (config === undefined) {
			await pools.delete(namespace.name, name);
			return jsonAnswer({ endpoint_config_changed: true });
		}
		const changed = await pools.put(namespace.name, name, config);
		return jsonAnswer({ endpoint_config_changed: changed });
	}

	async #delete(call: EngineCall): Promise<ActorResponse> {
		const namespace = await scopeOf(this.#options.namespaces, call);
		await this.#options.pools.delete(namespace.name, call.parameters.runner_name!);
		return jsonAnswer({});
	}

	async #refresh(call: EngineCall): Promise<ActorResponse> {
		await readBody(emptyBody, call.request);
		const namespace = await scopeOf(this.#options.namespaces, call);
		await this.#options.serverless.refresh(namespace.name, call.parameters.runner_name!);
		return jsonAnswer({});
	}

	async #checkHost(call: EngineCall): Promise<ActorResponse> {
		const { url, headers = {} } = await readBody(healthCheckBody, call.request);
		await scopeOf(this.#options.namespaces, call);
		return jsonAnswer(await this.#options.serverless.check(url, headers));
	}
}
