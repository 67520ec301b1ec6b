import {
	type ActorNameMetadata,
	CAPABILITY_ACTION_STREAMS,
	CAPABILITY_CALL_IDS,
	CAPABILITY_QUERY_GATEWAY,
	CAPABILITY_QUEUE_OPTIONS,
	CAPABILITY_RESUME_EVENTS,
	RUNTIME,
} from "@rivetkit/protocol";
import type { Whereabouts } from "./api/management-api.ts";
import type { EngineOptions } from "./engine.types.ts";
import type { ServerInstance } from "./server/instance-id.ts";

/** What peers may use with this server that not every one has. */
export const CAPABILITIES: readonly string[] = [
	CAPABILITY_CALL_IDS,
	CAPABILITY_QUERY_GATEWAY,
	CAPABILITY_QUEUE_OPTIONS,
	CAPABILITY_RESUME_EVENTS,
	CAPABILITY_ACTION_STREAMS,
];

/** What `/metadata` of an embedded engine answers. */
export function embeddedMetadata(
	options: Pick<EngineOptions, "version" | "metadata">,
	actorNames: Readonly<Record<string, ActorNameMetadata>>,
	instance: ServerInstance,
	caller: Whereabouts,
): Record<string, unknown> {
	const described = Object.entries(actorNames).map(([name, metadata]) => [name, { metadata }]);
	return {
		runtime: RUNTIME,
		version: options.version,
		runner: { kind: { normal: {} }, version: 1 },
		actorNames: Object.fromEntries(described),
		...options.metadata?.(caller),
		capabilities: CAPABILITIES,
		...(caller === "this machine" ? { instance } : {}),
	};
}
