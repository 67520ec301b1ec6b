type Opaque =
	| string
	| number
	| bigint
	| boolean
	| symbol
	| null
	| undefined
	| Date
	| RegExp
	| Error
	| ((...args: never[]) => unknown);

/** The same type with nothing in it writable. */
export type DeepReadonly<T> = T extends Opaque
	? T
	: T extends ReadonlyMap<infer K, infer V>
		? ReadonlyMap<DeepReadonly<K>, DeepReadonly<V>>
		: T extends ReadonlySet<infer V>
			? ReadonlySet<DeepReadonly<V>>
			: { readonly [K in keyof T]: DeepReadonly<T[K]> };

/** The same type with everything in it writable. */
export type DeepMutable<T> = T extends Opaque
	? T
	: T extends ReadonlyMap<infer K, infer V>
		? Map<DeepMutable<K>, DeepMutable<V>>
		: T extends ReadonlySet<infer V>
			? Set<DeepMutable<V>>
			: { -readonly [K in keyof T]: DeepMutable<T[K]> };

/** A server framework's way to make a route upgrade to a WebSocket. */
export type UpgradeWebSocket = (createEvents: (context: never) => unknown) => unknown;
export type GetUpgradeWebSocket = () => UpgradeWebSocket;
