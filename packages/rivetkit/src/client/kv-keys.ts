import { INSPECTOR_TOKEN_KEY } from "@rivetkit/protocol";

/** Keys of an actor's own store that debugging tools read (contract: protocol 4.6, 7.1). */
export const KV_KEYS: { readonly INSPECTOR_TOKEN: Uint8Array } = {
	/** The actor's inspector token. */
	INSPECTOR_TOKEN: INSPECTOR_TOKEN_KEY,
};
