import { DEFAULT_PORT } from "@rivetkit/protocol";
import type { EngineLimits } from "../common/limits.ts";
import { normalizeBasePath } from "../gateway/front.ts";
import type { NodeFront } from "../gateway/node-front.ts";
import { dataDirectoryFingerprint, type ServerInstance } from "./instance-id.ts";
import { type ListeningServer, listenOn } from "./listen.ts";
import { identifyOccupant, PortTakenError, type WantedAddress } from "./port-taken.ts";

const DEFAULT_HOST = "127.0.0.1";

export interface ListenOptions {
	/** Default 127.0.0.1. */
	readonly host?: string;
	/** Default 6420; 0 lets the system choose. */
	readonly port?: number;
	/** Default `/`. */
	readonly basePath?: string;
	/** Another base path, below which the same is answered. */
	readonly aliasPath?: string;
	/** How users set the port, for the message when it is taken. Default `port`. */
	readonly portSetting?: string;
	/** How users set the host, for the message when it cannot be used. Default `host`. */
	readonly hostSetting?: string;
}

/** Listeners for a `node:http` server that belongs to somebody else. */
export interface NodeListeners {
	readonly onRequest: NodeFront["onRequest"];
	readonly onUpgrade: NodeFront["onUpgrade"];
}

/** All ways by which calls come over the network: servers of our own, and listeners for those of others. */
export class Listeners {
	readonly #frontFor: (basePath: string, aliasPath?: string) => NodeFront;
	readonly #instance: ServerInstance;
	readonly #limits: EngineLimits;
	readonly #fronts: NodeFront[] = [];
	readonly #servers: ListeningServer[] = [];

	/** @param frontFor - makes what answers below a base path */
	constructor(
		frontFor: (basePath: string, aliasPath?: string) => NodeFront,
		instance: ServerInstance,
		limits: EngineLimits,
	) {
		this.#frontFor = frontFor;
		this.#instance = instance;
		this.#limits = limits;
	}

	/** WebSockets that are open now. */
	get socketCount(): number {
		return [...this.#fronts, ...this.#servers].reduce(
			(sum, { socketCount }) => sum + socketCount,
			0,
		);
	}

	/** Where the first server listens. */
	get url(): string | undefined {
		return this.#servers[0]?.url;
	}

	/** Throws a `ListenError`, such as `PortTakenError`. */
	async listen(options: ListenOptions): Promise<ListeningServer> {
		const wanted = wantedAddress(options);
		const { aliasPath } = options;
		const front = this.#frontFor(
			wanted.basePath,
			aliasPath === undefined ? undefined : normalizeBasePath(aliasPath),
		);
		const server = await listenOn(front, wanted, this.#instance, this.#limits);
		this.#servers.push(server);
		return server;
	}

	mount(basePath = "/"): NodeListeners {
		const front = this.#frontFor(normalizeBasePath(basePath));
		this.#fronts.push(front);
		return front;
	}

	stopAccepting(): void {
		for (const server of this.#servers) {
			server.stopAccepting();
		}
	}

	async close(): Promise<void> {
		await Promise.all([
			...this.#servers.map((server) => server.close()),
			...this.#fronts.map((front) => front.closeSockets(this.#limits.closeGraceMs)),
		]);
	}
}

function wantedAddress(options: ListenOptions): WantedAddress {
	return {
		host: options.host ?? DEFAULT_HOST,
		port: options.port ?? DEFAULT_PORT,
		basePath: normalizeBasePath(options.basePath ?? "/"),
		portSetting: options.portSetting ?? "port",
		hostSetting: options.hostSetting ?? "host",
	};
}

/**
 * The error of a second process that wants the same address and data as one that runs; null when none
 * with this data directory serves there. For whoever could not open a store because it is in use.
 */
export async function alreadyServed(
	directory: string,
	options: ListenOptions,
): Promise<PortTakenError | null> {
	const wanted = wantedAddress(options);
	const data = dataDirectoryFingerprint(directory);
	const occupant = await identifyOccupant(wanted, { pid: process.pid, data });
	return occupant.kind === "same-data" ? new PortTakenError(wanted, occupant) : null;
}
