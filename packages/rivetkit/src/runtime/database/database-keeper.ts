import { catalogueError } from "@rivetkit/protocol";
import type { DatabaseProviderContext } from "../../actor/database.types.ts";
import type { ErasedDatabaseProvider } from "../../actor/erased.ts";
import type { BatchPart } from "../commit/batch-part.ts";
import type { ActorInstance } from "../instance/instance.ts";
import { withTimeout } from "../lifecycle/with-timeout.ts";
import { ActorDatabase } from "./actor-database.ts";
import { ProviderKv } from "./provider-kv.ts";

/** How long a provider may take to close its client (ms). */
const CLOSE_TIMEOUT_MS = 5_000;

/**
 * `c.db` of one incarnation: the provider's client, from before the first hook until after the last save
 * (contract: lifecycle 3.2, 5.3, 15), and what it stands on.
 */
export class DatabaseKeeper {
	/** What goes into the actor's commits. */
	readonly parts: readonly BatchPart[];
	readonly #instance: ActorInstance;
	readonly #provider: ErasedDatabaseProvider;
	readonly #sqlite: ActorDatabase;
	readonly #kv: ProviderKv;
	#client: { readonly value: unknown } | null = null;
	#ended = false;
	/** Whether the client stands on the actor's own SQLite. */
	isOwn = false;

	constructor(instance: ActorInstance, provider: ErasedDatabaseProvider) {
		this.#instance = instance;
		this.#provider = provider;
		this.#sqlite = new ActorDatabase(instance);
		this.#kv = new ProviderKv(instance);
		this.parts = [this.#sqlite, this.#kv];
	}

	get client(): unknown {
		return this.#client?.value;
	}

	get sqlite(): ActorDatabase {
		return this.#sqlite;
	}

	/** Makes the working file ready; for a large database that has to be written again this takes long. */
	load(): Promise<void> {
		return this.#sqlite.load();
	}

	/** The actor is about to be created: what an earlier attempt left behind does not count. */
	startOver(): void {
		this.#sqlite.startOver();
	}

	/** Creates the client and migrates. Nothing of it is committed before {@link migrated}. */
	async open(): Promise<void> {
		const { actorId, options } = this.#instance;
		this.#sqlite.holdBack();
		const context: DatabaseProviderContext = {
			actorId,
			kv: this.#kv,
			openSqlite: async () => {
				this.isOwn = true;
				return this.#sqlite;
			},
		};
		const value = await this.#provider.createClient(context);
		if (this.#ended) {
			// The start took too long, or a newer incarnation exists.
			await this.#close(value);
			throw catalogueError("database.closed", {});
		}
		this.#client = { value };
		await withTimeout(
			this.#instance,
			"onMigrate",
			options.onMigrateTimeout,
			this.#provider.onMigrate?.(value),
		);
	}

	migrated(): void {
		this.#sqlite.letGo();
	}

	/** A call, or an attempt of `run`, has ended: what it began by hand is rolled back (W-DB-3). */
	callEnded(call: object): void {
		this.#sqlite.callEnded(call);
	}

	/** What began before has had its time: it can use the database no more (W-STOP-1). */
	revoke(): void {
		this.#sqlite.revoke();
	}

	/**
	 * The incarnation is over: closes the client, once, and then the database. The next incarnation waits
	 * for it.
	 *
	 * @param fate - whether the working file stays for the next one
	 */
	end(fate: "keep" | "remove"): void {
		if (this.#ended) return;
		this.#ended = true;
		void this.#end(fate);
	}

	async #end(fate: "keep" | "remove"): Promise<void> {
		if (this.#client !== null) await this.#close(this.#client.value);
		await this.#sqlite.shutDown(fate);
	}

	async #close(client: unknown): Promise<void> {
		try {
			const closed = this.#provider.onDestroy?.(client);
			await withTimeout(this.#instance, "onDestroy of the database", CLOSE_TIMEOUT_MS, closed);
		} catch (error) {
			this.#instance.log.error({ err: error }, "closing the database client failed");
		}
	}
}
