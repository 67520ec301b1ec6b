import type { ClientConfigInput } from "../../../src/client/config.ts";
import { createHttpClient } from "../../../src/client/create-client.ts";
import type { Platform } from "../../../src/client/transport/http/platform.ts";
import type { Client } from "../../../src/client/types/client.types.ts";
import type { ScriptedServer } from "./scripted-server.ts";

/** What the client logged instead of throwing. */
export interface LoggedClient {
	readonly client: Client;
	readonly logged: string[];
}

/** A JSON client of a scripted server that shares nothing with other tests and logs to a list. */
export function clientOf(
	server: Pick<ScriptedServer, "endpoint">,
	config: ClientConfigInput = {},
	replaced: Partial<Platform> = {},
): LoggedClient {
	const logged: string[] = [];
	const log = (message: string) => {
		logged.push(message);
	};
	const client = createHttpClient(
		{ endpoint: server.endpoint, encoding: "json", ...config },
		{ metadata: new Map(), env: {}, log: { warn: log, error: log }, ...replaced },
	);
	return { client, logged };
}
