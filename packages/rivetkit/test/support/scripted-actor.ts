import { actor } from "../../src/actor/definition.ts";
import { UserError } from "../../src/errors/user-error.ts";
import type { TestRuntime } from "./test-runtime.ts";
import { type WireAnswer, wireAction } from "./wire-http.ts";

interface State {
	n: number;
	list: string[];
	nested: { a: number; b?: number };
}

const definition = (run: (c: unknown, script: string) => unknown, options: object) =>
	actor({
		state: { n: 0, list: [], nested: { a: 0 } } as State,
		options,
		actions: {
			run: (c, script: string) => run(c, script),
			/** Waits for nothing, writes nothing. */
			ping: () => "pong",
			state: (c) => ({ ...c.state }),
			nap: (c) => c.sleep(),
		},
	});

type Definition = ReturnType<typeof definition>;
type Context = Parameters<Definition["config"]["actions"]["run"]>[0];

/** An actor whose actions a test writes on the spot: `await script.run((c) => c.kv.get("a"))`. */
export class ScriptedActor {
	readonly definition: Definition;
	readonly #scripts = new Map<string, (c: Context) => unknown>();
	#count = 0;
	#runtime!: TestRuntime;
	#actorId!: string;

	constructor(options: object = {}) {
		this.definition = definition(
			(c, script) => this.#scripts.get(script)!(c as Context),
			options,
		) as Definition;
	}

	/** The actor it runs in from now on. */
	async in(runtime: TestRuntime, name = "subject", key = "/"): Promise<this> {
		this.#runtime = runtime;
		this.#actorId = await runtime.actorId(name, key);
		return this;
	}

	get actorId(): string {
		return this.#actorId;
	}

	/** Runs an action; resolves with what it returned, when the answer has arrived. */
	async run<T>(script: (c: Context) => T): Promise<Awaited<T>> {
		let result: { readonly value: Awaited<T> } | undefined;
		const answer = await this.answer(async (c) => {
			result = { value: await script(c) };
		});
		if (answer.error) throw new UserError(answer.error.message, { code: answer.error.code });
		return result!.value;
	}

	/** Like {@link run}, but resolves with what went over the wire. */
	async answer(script: (c: Context) => unknown): Promise<WireAnswer> {
		const name = `${this.#count++}`;
		this.#scripts.set(name, script);
		return wireAction(this.#runtime, this.#actorId, "run", [name]);
	}

	call(action: "ping" | "state" | "nap"): Promise<WireAnswer> {
		return wireAction(this.#runtime, this.#actorId, action);
	}
}
