import { type ConfigIssue, describeValue } from "../config/config-error.ts";
import { compileEvent, compileQueue } from "./compile-declarations.ts";
import { isStandardSchema } from "./standard-schema.ts";
import { eventOptionsOf, queueOptionsOf } from "./tokens.ts";

type Fields = Readonly<Record<string, unknown>>;

export function* validateEvents(events: unknown): Generator<ConfigIssue> {
	for (const [path, declaration] of yield* entries("events", events)) {
		if (queueOptionsOf(declaration)) {
			yield misplaced(path, "event<string>()", "queue(); queues are declared under `queues`");
			continue;
		}
		const fields = fieldsOf(declaration, eventOptionsOf(declaration));
		if (!compileEvent(declaration) || !fields) {
			yield misplaced(path, "event<string>()", describeValue(declaration));
			continue;
		}
		const schema = eventOptionsOf(fields.schema) ? undefined : fields.schema;
		yield* expectSchema([...path, "schema"], schema);
		yield* expectFunction([...path, "canSubscribe"], fields.canSubscribe);
	}
}

export function* validateQueues(queues: unknown): Generator<ConfigIssue> {
	const declarations = yield* entries("queues", queues);
	const names = declarations.map(([path]) => path[1]);
	const deadLetters = new Map<string, unknown>();
	for (const [path, declaration] of declarations) {
		if (eventOptionsOf(declaration)) {
			yield misplaced(path, "queue<string>()", "event(); events are declared under `events`");
			continue;
		}
		const fields = fieldsOf(declaration, queueOptionsOf(declaration));
		if (!compileQueue(declaration) || !fields) {
			yield misplaced(path, "queue<string>()", describeValue(declaration));
			continue;
		}
		yield* expectSchema([...path, "message"], fields.message);
		yield* expectSchema([...path, "complete"], fields.complete);
		yield* expectFunction([...path, "canPublish"], fields.canPublish);
		yield* expectNumber([...path, "maxSize"], fields.maxSize);
		yield* expectNumber([...path, "maxAttempts"], fields.maxAttempts);
		yield* expectDelay([...path, "retryDelay"], fields.retryDelay);
		const { deadLetter } = fields;
		deadLetters.set(path[1], deadLetter);
		if (deadLetter === path[1]) {
			const message = "a queue cannot be its own dead-letter queue";
			yield { path: [...path, "deadLetter"], message };
		} else if (deadLetter !== undefined && !names.includes(deadLetter as string)) {
			const message = `there is no queue ${JSON.stringify(deadLetter)}; known ones are ${names.join(", ")}`;
			yield { path: [...path, "deadLetter"], message };
		}
	}
	yield* expectEnds(deadLetters);
}

/** Messages that always fail must come to rest: queues must not be each other's dead-letter queues. */
function* expectEnds(deadLetters: ReadonlyMap<string, unknown>): Generator<ConfigIssue> {
	const seen = new Set<string>();
	for (const start of deadLetters.keys()) {
		const chain: string[] = [];
		let name = start;
		while (deadLetters.has(name) && !seen.has(name)) {
			seen.add(name);
			chain.push(name);
			name = deadLetters.get(name) as string;
		}
		// A queue that names itself was told so.
		const round = chain.includes(name) ? chain.slice(chain.indexOf(name)) : [];
		if (round.length < 2) continue;
		const message = `dead letters would go round: ${[...round, name].join(", ")}`;
		yield { path: ["queues", name, "deadLetter"], message };
	}
}

/** What a declaration says, whatever its form; undefined when it is none. */
function fieldsOf(declaration: unknown, token: object | undefined): Fields | undefined {
	if (token) return token as Fields;
	if (isStandardSchema(declaration)) return {};
	return typeof declaration === "object" && declaration !== null
		? (declaration as Fields)
		: undefined;
}

type Entry = readonly [path: readonly [property: string, name: string], declaration: unknown];

function* entries(
	property: "events" | "queues",
	declarations: unknown,
): Generator<ConfigIssue, readonly Entry[]> {
	if (declarations === undefined) return [];
	if (typeof declarations === "object" && declarations !== null && !Array.isArray(declarations)) {
		return Object.entries(declarations).map(([name, value]) => [[property, name], value]);
	}
	const example = property === "events" ? "{ news: event<string>() }" : "{ jobs: queue<string>() }";
	yield {
		path: [property],
		code: "invalid_type",
		message: `expected an object of declarations, found ${describeValue(declarations)}, for example ${property}: ${example}`,
	};
	return [];
}

function misplaced(path: readonly string[], example: string, found: string): ConfigIssue {
	return {
		path,
		code: "invalid_type",
		message: `expected ${example} or a schema, found ${found}`,
	};
}

function* expectSchema(path: readonly string[], value: unknown): Generator<ConfigIssue> {
	if (value !== undefined && !isStandardSchema(value)) yield expected(path, "a schema", value);
}

function* expectFunction(path: readonly string[], value: unknown): Generator<ConfigIssue> {
	if (value !== undefined && typeof value !== "function") yield expected(path, "a function", value);
}

function* expectNumber(path: readonly string[], value: unknown): Generator<ConfigIssue> {
	if (value !== undefined && !isPositive(value)) {
		yield expected(path, "a number that is finite and greater than 0", value);
	}
}

function* expectDelay(path: readonly string[], value: unknown): Generator<ConfigIssue> {
	if (value === undefined || value === 0 || isPositive(value)) return;
	if (typeof value === "object" && value !== null) {
		const { initial, max } = value as Fields;
		if (isPositive(initial) && isPositive(max) && initial <= max) return;
	}
	yield expected(path, "milliseconds or { initial, max } with initial <= max", value);
}

function isPositive(value: unknown): value is number {
	return typeof value === "number" && Number.isFinite(value) && value > 0;
}

function expected(path: readonly string[], what: string, value: unknown): ConfigIssue {
	return {
		path,
		code: "invalid_type",
		message: `expected ${what}, found ${describeValue(value)}`,
	};
}
