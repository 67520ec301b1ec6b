import type { Encoding } from "@rivetkit/protocol";
import { createMemoryDriver } from "../backends/driver.ts";
import { createClient } from "../client/create-client.ts";
import type { Client } from "../client/types/client.types.ts";
import { type Registry, setup } from "../registry/registry.ts";
import { actors } from "./actors.ts";

/** A registry behind the server that is tested. */
export interface ServedRegistry {
	/** Below which the registry's API answers, such as `http://127.0.0.1:1234/api/rivet`. */
	readonly endpoint: string;
	/** Stops the server; the suite shuts the registry down. */
	close(): Promise<void> | void;
}

export interface ServeSetup {
	/** Heads the report. */
	readonly name: string;
	/** Starts a server that passes what is below `/api/rivet` to `registry.handler()`. */
	serve(registry: Registry): Promise<ServedRegistry> | ServedRegistry;
	/**
	 * Whether the server passes WebSocket upgrades on. Default false: clients connect to the address that
	 * `/metadata` names (ruling 7), which is the registry's own.
	 */
	readonly takesUpgrades?: boolean;
}

type ProbeClient = Client<Registry<typeof actors>>;

/** One test's server, with clients of it. */
export class Subject {
	readonly endpoint: string;
	readonly #registry: Registry;
	readonly #served: ServedRegistry;
	readonly #clients: ProbeClient[] = [];

	private constructor(registry: Registry, served: ServedRegistry) {
		this.#registry = registry;
		this.#served = served;
		this.endpoint = served.endpoint.replace(/\/+$/, "");
	}

	static async start({ serve }: ServeSetup): Promise<Subject> {
		const registry = setup({
			use: actors,
			driver: createMemoryDriver(),
			serveManager: false,
			managerPort: 0,
			noWelcome: true,
			handleSignals: false,
			logging: { level: "silent" },
		}) as unknown as Registry;
		try {
			// Clients that are sent on by /metadata need somewhere to go.
			await registry.listen();
			return new Subject(registry, await serve(registry));
		} catch (error) {
			await registry.shutdown();
			throw error;
		}
	}

	/** A client that stays with the server that is tested, or (`follows`) goes where `/metadata` says. */
	client(encoding: Encoding, how: "stays" | "follows" = "stays"): ProbeClient {
		const client = createClient<Registry<typeof actors>>({
			endpoint: this.endpoint,
			encoding,
			disableMetadataLookup: how === "stays",
		});
		this.#clients.push(client);
		return client;
	}

	/** The address of one actor behind the server. */
	async gatewayUrl(key: string): Promise<string> {
		const response = await fetch(`${this.endpoint}/actors`, {
			method: "PUT",
			headers: { "content-type": "application/json" },
			body: JSON.stringify({
				name: "probe",
				key,
				runner_name_selector: "default",
				crash_policy: "sleep",
			}),
		});
		const { actor } = (await response.json()) as { actor: { actor_id: string } };
		return `${this.endpoint}/gateway/${actor.actor_id}`;
	}

	async close(): Promise<void> {
		await Promise.all(this.#clients.map((client) => client.dispose()));
		try {
			await this.#served.close();
		} finally {
			await this.#registry.shutdown();
		}
	}
}
