import { type ActorResponse, catalogueError } from "@rivetkit/protocol";
import type { EngineApiOptions } from "./engine-api.types.ts";
import { jsonAnswer, readQuery } from "./engine-calls.ts";
import { noQuery } from "./engine-contract.ts";
import { engineOpenApiDocument } from "./engine-openapi.ts";
import type { EngineOperations } from "./engine-operations.ts";

type Options = Pick<
	EngineApiOptions,
	"version" | "notReady" | "metadata" | "datacenter" | "metrics"
>;

/** What the engine says of itself (engine 2.2). */
export class ServerOperations {
	readonly #options: Options;
	readonly operations: EngineOperations<
		"health" | "ready" | "metadata" | "healthFanout" | "listDatacenters" | "metrics" | "openapi"
	> = {
		health: () => jsonAnswer(this.#health()),
		ready: () => this.#ready(),
		metadata: ({ request }) => jsonAnswer(this.#metadata(request.peerAddress)),
		healthFanout: ({ query }) => {
			readQuery(noQuery, query);
			return jsonAnswer(this.#fanout());
		},
		listDatacenters: ({ query }) => {
			readQuery(noQuery, query);
			return jsonAnswer(this.#datacenters());
		},
		metrics: () => this.#metrics(),
		openapi: () => jsonAnswer(engineOpenApiDocument(this.#options.version)),
	};

	constructor(options: Options) {
		this.#options = options;
	}

	#health() {
		return { status: "ok", runtime: "engine", version: this.#options.version };
	}

	/** Not an error: whoever asks is a load balancer, and this is what it asks for. */
	#ready(): ActorResponse {
		const { version, notReady } = this.#options;
		const reason = notReady();
		return reason === null
			? jsonAnswer({ status: "ready", runtime: "engine", version })
			: jsonAnswer({ status: "unavailable", runtime: "engine", version, reason }, 503);
	}

	#metadata(peerAddress: string | undefined): Record<string, unknown> {
		return {
			runtime: "engine",
			version: this.#options.version,
			...NO_BUILD,
			...this.#options.metadata(peerAddress),
		};
	}

	#fanout() {
		const { name, label } = this.#options.datacenter;
		return {
			datacenters: [
				{
					datacenter_label: label,
					datacenter_name: name,
					status: "ok",
					rtt_ms: 0,
					response: this.#health(),
					error: null,
				},
			],
		};
	}

	#datacenters() {
		const { name, label, publicUrl } = this.#options.datacenter;
		return {
			datacenters: [{ label, name, url: publicUrl() }],
			pagination: { cursor: null },
		};
	}

	async #metrics(): Promise<ActorResponse> {
		const { metrics } = this.#options;
		if (metrics === undefined) {
			throw catalogueError("api.not_found");
		}
		const headers = { "content-type": "text/plain; version=0.0.4; charset=utf-8" };
		return { status: 200, headers, body: await metrics() };
	}
}

/** Fields of the published engine's `/metadata` that say how it was compiled: this one is not. */
const NO_BUILD = {
	git_sha: "",
	build_timestamp: "",
	rustc_version: "",
	rustc_host: "",
	cargo_target: "",
	cargo_profile: "",
} as const;
