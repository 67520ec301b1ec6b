/**
 * Proxies that take unknown members as actions: `handle.add(1)`, and `handle.users.add(1)` for the
 * action `users.add` (contract: api 15.3, 15.4, 21).
 */

/** What an action proxy stands before. */
interface ActionTarget {
	action(call: { name: string; args: readonly unknown[] }): Promise<unknown>;
}

/** Members of handles that connections do not have, and do not take for actions either. */
const HANDLE_ONLY = ["fetch", "webSocket", "resolve", "getGatewayUrl"];

/**
 * Names that mean something to the language and must not turn into calls: a handle is no thenable, and
 * `JSON.stringify` shall not do I/O.
 */
const NEVER_ACTIONS = ["then", "toJSON"];

/** Members of functions that stay what they are on an action. */
const FUNCTION_MEMBERS = new Set<PropertyKey>([
	"apply",
	"bind",
	"call",
	"constructor",
	"prototype",
	"toString",
	...NEVER_ACTIONS,
]);

export const handleProxy = <T extends ActionTarget>(handle: T): T =>
	membersProxy(handle, [], (name) => actionProxy(handle, name));

export const connectionProxy = <T extends ActionTarget>(connection: T): T =>
	membersProxy(connection, HANDLE_ONLY, (name) => actionProxy(connection, name));

/**
 * The members that the target's class defines, nothing for those that are `absent`, and whatever `make` gives
 * for any other name, made once. Actions with a member's name are reached by `action`.
 */
function membersProxy<T extends object>(
	target: T,
	absent: readonly string[],
	make: (name: string) => unknown,
): T {
	const own = new Set<PropertyKey>([
		...Reflect.ownKeys(Object.getPrototypeOf(target)),
		...absent,
		...NEVER_ACTIONS,
	]);
	const known = new Map<string, unknown>();
	const member = (name: PropertyKey): unknown => {
		const value: unknown = Reflect.get(target, name);
		return typeof value === "function" && name !== "constructor" ? value.bind(target) : value;
	};
	return new Proxy(target, {
		get(_, name) {
			if (name === Symbol.toPrimitive) return () => "[rivetkit]";
			if (typeof name === "symbol") return member(name);
			let value = known.get(name);
			if (value === undefined) {
				value = own.has(name) ? member(name) : make(name);
				// What getters return changes; the rest stays.
				if (typeof value === "function" || !own.has(name)) known.set(name, value);
			}
			return value;
		},
		has: (_, name) => typeof name === "string" && !NEVER_ACTIONS.includes(name),
	});
}

function actionProxy(target: ActionTarget, name: string): unknown {
	const call = (...args: unknown[]) => target.action({ name, args });
	return new Proxy(call, {
		get: (_, member) =>
			typeof member === "symbol" || FUNCTION_MEMBERS.has(member)
				? Reflect.get(call, member)
				: actionProxy(target, `${name}.${member}`),
	});
}

/** What a client proxy stands before: accessors take the actor's name first. */
interface AccessorTarget {
	get(name: string, ...rest: never[]): unknown;
	getOrCreate(name: string, ...rest: never[]): unknown;
	getForId(name: string, ...rest: never[]): unknown;
	create(name: string, ...rest: never[]): unknown;
}

const ACCESSORS = ["get", "getOrCreate", "getForId", "create"] as const;

/** `client.room.get("a")` for `client.get("room", "a")`. */
export function clientProxy<T extends AccessorTarget>(client: T): T {
	return membersProxy(client, [], (name) =>
		Object.fromEntries(
			ACCESSORS.map((accessor) => [
				accessor,
				(...args: never[]) => client[accessor](name, ...args),
			]),
		),
	);
}
