import type { Clock, Random } from "@rivetkit/protocol";
import { systemClock, systemRandom } from "@rivetkit/protocol";
import { getEnvUniversal } from "../../../utils/environment.ts";
import { VERSION } from "../../../utils/version.ts";
import { type ClientLog, consoleLog } from "../../log.ts";
import type { ClientSocket } from "../transport.ts";
import type { Fetch } from "./exchange.ts";
import type { MetadataLookup } from "./metadata-lookup.ts";

export type WebSocketConstructor = new (url: string, protocols: string[]) => ClientSocket;

/** What the HTTP transport takes from where it runs. Tests and benchmarks pass their own. */
export interface Platform {
	readonly fetch: Fetch;
	/** Throws where there are no WebSockets; asked when the first one is needed. */
	webSocket(): WebSocketConstructor;
	readonly env: Readonly<Record<string, string | undefined>>;
	/** The page's origin in a browser. */
	readonly origin: string | undefined;
	/** Sent as `user-agent` where the runtime allows it; `undefined` in browsers, which forbid it. */
	readonly userAgent: string | undefined;
	readonly clock: Clock;
	/** For work that nobody waits for; its timers do not keep the process alive. */
	readonly backgroundClock: Clock;
	readonly random: Random;
	readonly log: ClientLog;
	/** One look-up per endpoint, however many clients ask (contract: protocol 5.2). */
	readonly metadata: Map<string, MetadataLookup>;
}

/** Look-ups are shared by all clients of the process (contract: protocol 5.2). */
let processMetadata: Platform["metadata"] | undefined;

/** The runtime this module was loaded in, with single parts replaced. */
export function runtimePlatform(replaced: Partial<Platform> = {}): Platform {
	processMetadata ??= new Map();
	return {
		fetch: (url, init) => globalThis.fetch(url, init),
		webSocket() {
			const { WebSocket } = globalThis;
			// The DOM's types name more events than ours, which keeps the classes from matching.
			if (WebSocket) return WebSocket as unknown as WebSocketConstructor;
			throw new Error("RivetKit needs a global WebSocket: Node 22.13 or newer");
		},
		env: environmentVariables(),
		origin: pageOrigin(),
		userAgent: pageOrigin() === undefined ? userAgent() : undefined,
		clock: systemClock(),
		backgroundClock: systemClock({ keepProcessAlive: false }),
		random: systemRandom(),
		log: consoleLog,
		metadata: processMetadata,
		...replaced,
	};
}

/** What the client reads of the environment (contract: protocol 5.3). */
const VARIABLES = [
	"RIVET_ENGINE",
	"RIVET_ENDPOINT",
	"RIVET_TOKEN",
	"RIVET_NAMESPACE",
	"RIVET_RUNNER",
	"RIVET_POOL",
	"NEXT_PHASE",
];

function environmentVariables(): Platform["env"] {
	return Object.fromEntries(VARIABLES.map((name) => [name, getEnvUniversal(name)]));
}

function pageOrigin(): string | undefined {
	const { document, location } = globalThis as {
		document?: unknown;
		location?: { origin?: string };
	};
	const inPage = document !== undefined || "WorkerGlobalScope" in globalThis;
	return inPage ? location?.origin : undefined;
}

function userAgent(): string {
	const { navigator } = globalThis as { navigator?: { userAgent?: string } };
	return [`RivetKit/${VERSION}`, navigator?.userAgent].filter(Boolean).join(" ");
}
