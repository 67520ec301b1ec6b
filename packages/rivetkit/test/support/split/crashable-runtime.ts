import {
	createEngine,
	createMemoryStore,
	type Engine,
	type EngineLimits,
	type Store,
} from "@rivetkit/engine";
import { type ErasedActorConfig, erasedConfig } from "../../../src/actor/erased.ts";
import { EmbeddedBackend } from "../../../src/backends/embedded/embedded-backend.ts";
import { type LogLine, recordingLogger } from "../test-runtime.ts";
import { runHost } from "./host-end.ts";
import { MemoryLink } from "./memory-link.ts";
import type { ToEngine, ToHost } from "./messages.ts";
import { RemoteHost } from "./remote-host.ts";

/** An engine and a host in one process, joined by a link that a test can cut: the host is lost then. */
export class CrashableRuntime {
	readonly engine: Engine;
	readonly store: Store = createMemoryStore();
	readonly log: LogLine[] = [];
	readonly #backend: EmbeddedBackend;
	readonly #definitions: ReadonlyMap<string, ErasedActorConfig>;
	readonly #names: Record<string, object>;
	#link!: MemoryLink<ToHost, ToEngine>;

	constructor(
		use: Readonly<Record<string, { readonly config: object }>>,
		limits: Partial<EngineLimits>,
	) {
		this.engine = createEngine({
			store: this.store,
			version: "0.0.0-test",
			logger: recordingLogger(this.log) as never,
			exposeErrors: () => true,
			limits,
		});
		this.#backend = new EmbeddedBackend(this.store, (actorId, ts) =>
			this.engine.alarmCommitted(actorId, ts),
		);
		const entries = Object.entries(use);
		this.#definitions = new Map(
			entries.map(([name, definition]) => [name, erasedConfig(definition)]),
		);
		this.#names = Object.fromEntries(entries.map(([name]) => [name, {}]));
		this.startHost();
	}

	/** What engine and hosts have reported as an error, but what follows when an incarnation is fenced off. */
	get errors(): string[] {
		const expected = /^the final save failed|^actor failed to start/;
		return this.log
			.filter(({ level, message }) => level === "error" && !expected.test(message))
			.map(({ message }) => message);
	}

	/** A new host; one that is there is drained. */
	startHost(): void {
		this.#link = new MemoryLink();
		const host = new RemoteHost(this.#link.near, this.#backend);
		runHost(this.#link.far, this.#definitions, this.log);
		host.attach(this.engine.attachHost(host, { actorNames: this.#names }));
	}

	/** The host is gone, in the middle of whatever it did. It lives on unseen, as after a partition. */
	loseHost(): void {
		this.#link.cut();
	}

	async [Symbol.asyncDispose](): Promise<void> {
		await this.engine.close();
		this.#link.cut();
	}
}
