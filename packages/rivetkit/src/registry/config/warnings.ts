import { walkActions, wireName } from "../../actor/compile-actions.ts";
import { nearestName } from "../../config/nearest-name.ts";
import type { RegistryActors } from "./registry-config.types.ts";
import { DocRegistryConfigSchema } from "./schemas.ts";

/** Members of a client (api 15.2); an actor with such a name is hidden behind it. */
const CLIENT_MEMBERS: ReadonlySet<string> = new Set([
	"get",
	"getOrCreate",
	"getForId",
	"create",
	"dispose",
]);

/** Members of handles and connections (api 15.4); an action with such a name is hidden behind it. */
const HANDLE_MEMBERS: ReadonlySet<string> = new Set([
	"action",
	"connect",
	"fetch",
	"webSocket",
	"resolve",
	"getGatewayUrl",
	"send",
	"constructor",
	"then",
	"on",
	"once",
	"onOpen",
	"onClose",
	"onError",
	"onStatusChange",
	"connStatus",
	"isConnected",
	"dispose",
	"actorId",
	"connId",
	"connectionId",
]);

export function* nameWarnings(actors: RegistryActors): Generator<string> {
	for (const [name, definition] of Object.entries(actors)) {
		if (CLIENT_MEMBERS.has(name)) {
			yield `Actor "${name}" is hidden by a member of clients; reach it with client.getOrCreate("${name}", key)`;
		}
		const { actions } = definition.config as { actions?: object };
		for (const { path } of walkActions(actions ?? {})) {
			if (!HANDLE_MEMBERS.has(path[0]!)) continue;
			const action = wireName(path);
			yield `Action "${action}" of actor "${name}" is hidden by a member of handles or connections; call it with handle.action({ name: "${action}", args })`;
		}
	}
}

/** Keys nobody reads, down to nested objects; `use` and `driver` have their own checks. */
export function* unknownKeyWarnings(input: object): Generator<string> {
	yield* unknownKeys(input, DocRegistryConfigSchema.shape, "");
}

function* unknownKeys(value: object, shape: object, prefix: string): Generator<string> {
	for (const [key, child] of Object.entries(value)) {
		if (!Object.hasOwn(shape, key)) {
			const nearest = nearestName(key, Object.keys(shape));
			yield `Unknown property "${prefix}${key}" in setup()${nearest ? `; did you mean "${prefix}${nearest}"?` : ""}`;
			continue;
		}
		const inner = innerShape((shape as Record<string, unknown>)[key]);
		if (inner && typeof child === "object" && child !== null) {
			yield* unknownKeys(child, inner, `${prefix}${key}.`);
		}
	}
}

/** The properties of an optional object schema. */
function innerShape(schema: unknown): object | undefined {
	const unwrapped = (schema as { unwrap?(): unknown }).unwrap?.() ?? schema;
	return (unwrapped as { shape?: object }).shape;
}
