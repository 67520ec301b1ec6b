import {
	CAPABILITY_CALL_IDS,
	CAPABILITY_QUERY_GATEWAY,
	CAPABILITY_QUEUE_OPTIONS,
	CAPABILITY_RESUME_EVENTS,
	parseEndpoint,
	type ServerMetadata,
} from "@rivetkit/protocol";

/** Where calls go, as whom, and what the peer there can do. */
export interface Address {
	readonly endpoint: string;
	readonly namespace: string;
	readonly token: string | undefined;
	/** The peer answers a repeated call without running it again. */
	readonly remembersCalls: boolean;
	/** The peer resolves and calls in one request. */
	readonly resolvesQueries: boolean;
	/** The peer understands options of queue messages beyond the contract. */
	readonly takesQueueOptions: boolean;
	/** The peer keeps events for a client that comes back. */
	readonly resumesEvents: boolean;
}

/** The address as configured. Nothing is known about the peer, so nothing beyond the contract. */
export function configuredAddress({
	endpoint,
	namespace,
	token,
}: {
	readonly endpoint: string;
	readonly namespace: string;
	readonly token?: string;
}): Address {
	return { endpoint, namespace, token, ...abilities([]) };
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
		...abilities(Array.isArray(capabilities) ? capabilities : []),
	};
}

function abilities(capabilities: readonly string[]) {
	return {
		remembersCalls: capabilities.includes(CAPABILITY_CALL_IDS),
		resolvesQueries: capabilities.includes(CAPABILITY_QUERY_GATEWAY),
		takesQueueOptions: capabilities.includes(CAPABILITY_QUEUE_OPTIONS),
		resumesEvents: capabilities.includes(CAPABILITY_RESUME_EVENTS),
	};
}
