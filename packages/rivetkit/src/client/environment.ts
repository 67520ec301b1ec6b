import type { Clock, Random } from "@rivetkit/protocol";
import type { ClientLog } from "./log.ts";
import type { ClientTransport } from "./transport/transport.ts";

/** What a client stands on. Over HTTP: `createClient`; in the same process: the host of the actors. */
export interface ClientEnvironment {
	readonly transport: ClientTransport;
	readonly clock: Clock;
	readonly random: Random;
	readonly log: ClientLog;
}
