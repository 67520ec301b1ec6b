import { encodeCbor } from "@rivetkit/protocol";
import { KV_KEYS as INSPECTOR_KEYS } from "../client/kv-keys.ts";
import * as layout from "../runtime/commit/storage-layout.ts";
import { connectionPrefix } from "../runtime/connections/connection-layout.ts";

type Subspaces = {
	readonly [Name in keyof typeof layout as Name extends `SUBSPACE_${infer Rest}`
		? Rest
		: never]: Uint8Array;
};

/**
 * Where the runtime keeps what in the store of one actor: first bytes of keys by subspace, as
 * `runtime/commit/storage-layout.ts` has them, and the one key that debugging tools read. For looking into
 * a store; nothing but the runtime may write there.
 */
export const KEYS: Subspaces & typeof INSPECTOR_KEYS = Object.freeze({
	...(Object.fromEntries(
		Object.entries(layout).flatMap(([name, byte]) =>
			name.startsWith("SUBSPACE_") && typeof byte === "number"
				? [[name.slice("SUBSPACE_".length), Uint8Array.of(byte)]]
				: [],
		),
	) as Subspaces),
	...INSPECTOR_KEYS,
});

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/**
 * What the keys begin with under which an actor keeps a connection that outlives it (lifecycle 9.4); one
 * byte that names the part follows. Throws a `TypeError` for what is no id of a connection.
 */
export function makeConnKey(connId: string): Uint8Array {
	if (!UUID.test(connId)) throw new TypeError(`"${connId}" is not the id of a connection`);
	return connectionPrefix(connId);
}

/** What a new actor starts with; see {@link getInitialActorKvState}. */
export interface InitialActorKvState {
	/** CBOR of the input, or null for none: the `input` of its `ActorAssignment`. */
	readonly input: Uint8Array | null;
	/** Empty: the first start writes everything in one commit. */
	readonly entries: readonly (readonly [key: Uint8Array, value: Uint8Array])[];
}

/**
 * What a backend records of an actor it creates. The input is part of the record and comes back in each
 * `ActorAssignment`; the actor's store stays empty until its first start has succeeded. Throws an
 * `EncodeError` with the path when the input cannot be stored.
 */
export function getInitialActorKvState(input: unknown): InitialActorKvState {
	return { input: input === undefined ? null : encodeCbor(input), entries: [] };
}
