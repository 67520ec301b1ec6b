import { hostname, networkInterfaces } from "node:os";
import { type Random, systemRandom } from "@rivetkit/protocol";
import type { AlarmClaims } from "../alarms/claimed-alarms.ts";
import { DEFAULT_LIMITS } from "../common/limits.ts";
import { type EngineLogger, stderrLogger } from "../common/logger.ts";
import { addressOf, clientConfig } from "../store/postgres/connection-settings.ts";
import { NodeRows } from "../store/postgres/node-rows.ts";
import {
	openPostgresStore,
	type PostgresStoreOptions,
} from "../store/postgres/open-postgres-store.ts";
import type { PostgresStore } from "../store/postgres/postgres-store.ts";
import { Cluster, type LocalEngine } from "./cluster.ts";
import { ClusterClock } from "./cluster-clock.ts";
import { Links } from "./links.ts";
import { NodeLease } from "./node-lease.ts";

/** How this process is one of several. */
export interface NodeOptions {
	/** Address that other nodes' connections are taken on. Default 127.0.0.1: only nodes on this machine. */
	readonly host?: string;
	/** Its port. Default 0: a free one. */
	readonly port?: number;
	/** `host:port` under which others reach it. Default: `host`, or this machine's first address when that is a wildcard. */
	readonly address?: string;
	/** How the node is called in logs. Default: the name of the machine and the number of the process. */
	readonly name?: string;
	/**
	 * How long (ms) the others wait for a node that is not heard of before they take over what it ran; it renews five
	 * times as often. Default 10,000; at least 1,000.
	 */
	readonly leaseMs?: number;
}

export interface JoinOptions extends Omit<PostgresStoreOptions, "clock"> {
	readonly node?: NodeOptions;
	readonly version: string;
	readonly logger?: EngineLogger;
	/** Bytes of a request that is forwarded. Default {@link DEFAULT_LIMITS}. */
	readonly httpBodyBytesMax?: number;
}

export const LEASE_MS = 10_000;
const LEASE_MS_MIN = 1_000;

/** This process as a node of the cluster on its PostgreSQL, to be given to one engine. */
export interface ClusterNode {
	readonly store: PostgresStore;
	/** The database's time, the same on all nodes. */
	readonly clock: ClusterClock;
	readonly cluster: Cluster;
	readonly claims: AlarmClaims;
	/** Takes part from now on: the engine can take calls. */
	start(engine: LocalEngine & { nodesDied(): void; names(): readonly string[] }): Promise<void>;
	/** Gives back the lease and closes the links; the store stays open. */
	leave(): Promise<void>;
	readonly isReady: boolean;
}

/** Opens the store; rejects as {@link openPostgresStore} does, and when the node's address cannot be used. */
export async function joinCluster(options: JoinOptions): Promise<ClusterNode> {
	const { node = {}, version } = options;
	const logger = options.logger ?? stderrLogger;
	const random: Random = options.random ?? systemRandom();
	const leaseMs = node.leaseMs ?? LEASE_MS;
	if (!(leaseMs >= LEASE_MS_MIN)) {
		throw new RangeError(`node.leaseMs must be at least ${LEASE_MS_MIN}, got ${leaseMs}`);
	}
	const clock = new ClusterClock();
	const name = node.name ?? `${hostname()}-${process.pid}`;
	const store = await openPostgresStore({
		...options,
		clock,
		applicationName: `rivetkit ${name}`,
	});
	try {
		return await openNode(store, { ...options, logger, random, leaseMs, name }, clock, version);
	} catch (error) {
		await store.close();
		throw error;
	}
}

async function openNode(
	store: PostgresStore,
	options: JoinOptions & { logger: EngineLogger; random: Random; leaseMs: number; name: string },
	clock: ClusterClock,
	version: string,
): Promise<ClusterNode> {
	const { node = {}, logger, random, leaseMs, name } = options;
	const rows = new NodeRows(store, {
		config: await clientConfig(options),
		address: addressOf(options.url),
		applicationName: `rivetkit ${name} lease`,
		statementTimeoutMs: Math.ceil(leaseMs / 2),
	});
	let engine: (LocalEngine & { nodesDied(): void; names(): readonly string[] }) | undefined;
	const lease: NodeLease = new NodeLease({
		rows,
		clock,
		logger,
		leaseMs,
		describe: () => ({ name, address, version, names: engine?.names() ?? [] }),
		actors: () => engine?.placement.liveCount ?? 0,
		onHeld: (epoch) => {
			store.owner = epoch;
		},
		onLost: () => cluster.lost(),
		onNodes: (nodes) => cluster.know(nodes),
		onReaped: () => engine?.nodesDied(),
	});
	const links: Links = new Links({
		secret: await rows.secret(),
		clock,
		random,
		logger,
		silenceMs: leaseMs / 2,
		epoch: () => lease.epoch,
		handler: {
			called: (...args) => cluster.called(...args),
			news: (...args) => cluster.news(...args),
			deed: (...args) => cluster.deed(...args),
			ended: (...args) => cluster.endedElsewhere(...args),
			lost: (link) => cluster.linkLost(link),
		},
	});
	const cluster: Cluster = new Cluster({
		store,
		rows,
		lease,
		links,
		clock,
		random,
		logger,
		httpBodyBytesMax: options.httpBodyBytesMax ?? DEFAULT_LIMITS.httpBodyBytesMax,
	});
	const host = node.host ?? "127.0.0.1";
	const port = await links.listen(host, node.port ?? 0);
	const address = node.address ?? `${addressFor(host)}:${port}`;
	return {
		store,
		clock,
		cluster,
		claims: {
			claimDue: async (names, limit) =>
				lease.epoch === undefined ? [] : rows.claimDue(lease.epoch, names, limit),
			postpone: (actorId, untilMs) => rows.postpone(actorId, untilMs),
			restingWithConnections: (limit, after) => rows.restingWithConnections(limit, after),
		},
		get isReady() {
			return lease.isHeld;
		},
		async start(local) {
			engine = local;
			cluster.attach(local);
			await lease.start();
			if (cluster.isAlone) {
				// What a cluster that is gone as a whole has left.
				local.nodesDied();
			}
		},
		async leave() {
			await lease.stop();
			await links.close();
		},
	};
}

/** Where others reach what listens on `host`. */
function addressFor(host: string): string {
	if (host !== "0.0.0.0" && host !== "::") {
		return host.includes(":") ? `[${host}]` : host;
	}
	const addresses = Object.values(networkInterfaces()).flat();
	const outside = addresses.find(
		(one) => one !== undefined && !one.internal && one.family === "IPv4",
	);
	return outside?.address ?? "127.0.0.1";
}
