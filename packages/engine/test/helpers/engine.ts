import { createEngine } from "../../src/engine.ts";
import type { Engine, EngineOptions } from "../../src/engine.types.ts";
import type { ListeningServer } from "../../src/server/listen.ts";
import { createMemoryStore } from "../../src/store/memory/memory-store.ts";
import type { Store } from "../../src/store/store.ts";
import { FakeHost } from "./fake-host.ts";

export interface TestEngine extends AsyncDisposable {
	readonly engine: Engine;
	readonly host: FakeHost;
	readonly store: Store;
	readonly log: { level: string; fields: Record<string, unknown>; message: string }[];
	/** A new actor; its id. */
	create(key?: readonly string[], name?: string, pool?: string): Promise<string>;
	listen(basePath?: string): Promise<ListeningServer>;
}

/** An engine with a fake host for actors `counter` and `chat`. */
export function testEngine(options: Partial<EngineOptions> = {}): TestEngine {
	const store = createMemoryStore();
	const host = new FakeHost(store);
	const log: TestEngine["log"] = [];
	const logAt = (level: string) => (fields: Record<string, unknown>, message: string) => {
		log.push({ level, fields, message });
	};
	const engine = createEngine({
		store,
		version: "0.0.0-test",
		logger: {
			debug: logAt("debug"),
			info: logAt("info"),
			warn: logAt("warn"),
			error: logAt("error"),
		},
		...options,
	});
	host.events = engine.attachHost(host, {
		actorNames: { counter: {}, chat: { icon: "comments" } },
	});
	return {
		engine,
		host,
		store,
		log,
		async create(key = [crypto.randomUUID()], name = "counter", pool = "default") {
			const query = { kind: "getOrCreate", name, key, input: null, pool } as const;
			const { actor } = await engine.resolve(query);
			return actor.actorId;
		},
		listen: (basePath = "/") => engine.listen({ port: 0, basePath }),
		[Symbol.asyncDispose]: () => engine.close(),
	};
}
