import { type ConfigIssue, describeValue } from "../config/config-error.ts";
import { compileEvent, compileQueue } from "./compile-declarations.ts";
import { eventOptionsOf, queueOptionsOf } from "./tokens.ts";

export function* validateEvents(events: unknown): Generator<ConfigIssue> {
	yield* validateDeclarations("events", events, "event<string>()", (declaration) => {
		if (queueOptionsOf(declaration)) return "found queue(); queues are declared under `queues`";
		if (!compileEvent(declaration)) return `found ${describeValue(declaration)}`;
		return undefined;
	});
}

export function* validateQueues(queues: unknown): Generator<ConfigIssue> {
	yield* validateDeclarations("queues", queues, "queue<string>()", (declaration) => {
		if (eventOptionsOf(declaration)) return "found event(); events are declared under `events`";
		if (!compileQueue(declaration)) return `found ${describeValue(declaration)}`;
		return undefined;
	});
}

function* validateDeclarations(
	property: "events" | "queues",
	declarations: unknown,
	example: string,
	problemOf: (declaration: unknown) => string | undefined,
): Generator<ConfigIssue> {
	if (declarations === undefined) return;
	if (typeof declarations !== "object" || declarations === null || Array.isArray(declarations)) {
		yield {
			path: [property],
			code: "invalid_type",
			message: `expected an object of declarations, found ${describeValue(declarations)}, for example ${property}: { news: ${example} }`,
		};
		return;
	}
	for (const [name, declaration] of Object.entries(declarations) as [string, unknown][]) {
		const problem = problemOf(declaration);
		if (problem === undefined) continue;
		yield {
			path: [property, name],
			code: "invalid_type",
			message: `expected ${example} or a schema, ${problem}`,
		};
	}
}
