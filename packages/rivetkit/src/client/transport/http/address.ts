import { parseEndpoint, type ServerMetadata } from "@rivetkit/protocol";

/** Where calls go, as whom, and what the peer there can do. */
export interface Address {
	readonly endpoint: string;
	readonly namespace: string;
	readonly token: string | undefined;
	/** What the peer can do beyond the contract: `CAPABILITY_…`. */
	readonly capabilities: readonly string[];
}

/**
 * The address after the look-up: a server may send clients elsewhere, and as somebody else
 * (contract: protocol 5.2). The capabilities it names are those of the place it sends them to.
 */
export function announcedAddress(configured: Address, metadata: ServerMetadata): Address {
	const { clientEndpoint, clientNamespace, clientToken, capabilities } = metadata;
	return {
		...(clientEndpoint
			? {
					endpoint: parseEndpoint(clientEndpoint, ["clientEndpoint"]).endpoint,
					namespace: clientNamespace ?? configured.namespace,
					token: clientToken ?? configured.token,
				}
			: configured),
		capabilities: Array.isArray(capabilities) ? capabilities : [],
	};
}
