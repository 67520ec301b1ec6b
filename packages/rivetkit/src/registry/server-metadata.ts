import type { RunnerKind, ServerMetadata } from "@rivetkit/protocol";
import type { RegistryConfig } from "./config/registry-config.ts";

/**
 * What `/metadata` says beside the engine's own part (contract: protocol 5.1). The public endpoint wins;
 * without one, clients are pointed at `localUrl`, base path included (Q23), or stay where they are.
 */
export function serverMetadata(
	config: RegistryConfig,
	localUrl: string | null,
	kind: RunnerKind,
): Partial<ServerMetadata> {
	const { publicEndpoint, publicNamespace, publicToken } = config.serverless;
	const runner = { kind, version: config.runner.version };
	if (publicEndpoint !== undefined) {
		return {
			runner,
			clientEndpoint: publicEndpoint,
			...(publicNamespace === undefined ? undefined : { clientNamespace: publicNamespace }),
			...(publicToken === undefined ? undefined : { clientToken: publicToken }),
		};
	}
	return localUrl === null ? { runner } : { runner, clientEndpoint: localUrl };
}
