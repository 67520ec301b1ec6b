import { DEFAULT_ENDPOINT, systemClock, systemRandom } from "@rivetkit/protocol";
import { inProcessClient } from "../backends/embedded/embedded.ts";
import type { ManagerDriver } from "../backends/manager.ts";
import type { Client, UntypedRegistry } from "../client/types/client.types.ts";
import { getLogger } from "../log/base-logger.ts";
import type { Logger } from "../log/logger.ts";
import type { RegistryConfig } from "../registry/config/registry-config.ts";
import { exposeErrors } from "../registry/local-runtime.ts";
import type { FetchHandler } from "../registry/registry.ts";

export interface ClientWithDriverOptions {
	/** Public address for `getGatewayUrl()`. Default `http://127.0.0.1:6420`. */
	readonly publicUrl?: () => string;
	readonly log?: Logger;
}

/** A client without a network, over whatever finds actors and carries calls to them. */
export function createClientWithDriver<Registry = UntypedRegistry>(
	manager: ManagerDriver,
	options: ClientWithDriverOptions = {},
): Client<Registry> {
	return inProcessClient<Registry>(manager, null, {
		clock: systemClock(),
		random: systemRandom(),
		log: options.log ?? getLogger(),
		publicUrl: options.publicUrl ?? (() => DEFAULT_ENDPOINT),
		exposeErrors,
	});
}

/** The whole local HTTP API of a manager below `managerBasePath` (contract: protocol 4). */
export function buildManagerRouter(
	{ managerBasePath }: Pick<RegistryConfig, "managerBasePath">,
	manager: Pick<ManagerDriver, "fetch">,
): { readonly fetch: FetchHandler } {
	return { fetch: (request) => manager.fetch(request, { basePath: managerBasePath }) };
}
