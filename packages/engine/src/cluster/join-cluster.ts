import { hostname, networkInterfaces } from "node:os";
import { type Random, systemRandom } from "@rivetkit/protocol";
import type { AlarmClaims } from "../alarms/claimed-alarms.ts";
import { type EngineLimits, engineLimits } from "../common/limits.ts";
import { type EngineLogger, stderrLogger } from "../common/logger.ts";
import { addressOf, clientConfig } from "../store/postgres/connection-settings.ts";
import { NodeRows } from "../store/postgres/node-rows.ts";
import {
	openPostgresStore,
	type PostgresStoreOptions,
} from "../store/postgres/open-postgres-store.ts";
import type { PostgresStore } from "../store/postgres/postgres-store.ts";
import { Cluster } from "./cluster.ts";
import { ClusterClock } from "./cluster-clock.ts";
import { ClusterCounters } from "./cluster-counters.ts";
import { type ClusterMetric, clusterMetrics } from "./cluster-metrics.ts";
import { LeftRunning, type LeftRunningOptions } from "./left-running.ts";
import { Links } from "./links.ts";
import type { LocalEngine } from "./local-engine.ts";
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
	/** Those of the engine: they bound what is forwarded, too. Default {@link engineLimits}. */
	readonly limits?: Partial<EngineLimits>;
}

export const LEASE_MS = 10_000;
const LEASE_MS_MIN = 1_000;

/** What a node needs of its engine. */
export interface JoinedEngine extends LocalEngine {
	/** Others have died, and this one is to look after what they left. */
	nodesDied(): void;
	/**
	 * Others are gone, in whatever way, or let go of what they had, or what this node was before it lost its lease is gone: each
	 * node that lives is told.
	 */
	actorsLeft(): void;
	/** Alarms may be due that another node does not take. */
	alarmsHinted(): void;
	/** Names of the actors that run here. */
	names(): readonly string[];
}

/** This process as a node of the cluster on its PostgreSQL, to be given to one engine. */
export interface ClusterNode {
	readonly store: PostgresStore;
	/** The database's time, the same on all nodes. */
	readonly clock: ClusterClock;
	readonly cluster: Cluster;
	readonly claims: AlarmClaims;
	/** Takes part from now on: the engine can take calls. */
	start(engine: JoinedEngine): Promise<void>;
	/** Gives back the lease and closes the links; the store stays open. */
	leave(): Promise<void>;
	/** Why this node cannot take calls now, in words; null when it can. */
	readonly notReady: string | null;
	/** What is measured of this node, for `/metrics`. */
	metrics(): ClusterMetric[];
	/** The names of the actors that run here have changed. */
	namesChanged(): Promise<void>;
	/** See {@link LeftRunning}. */
	leftRunning(options: Omit<LeftRunningOptions, "rows">): LeftRunning;
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
	let rows: NodeRows | undefined;
	try {
		rows = new NodeRows(store, {
			config: await clientConfig(options),
			address: addressOf(options.url),
			applicationName: `rivetkit ${name} lease`,
			statementTimeoutMs: Math.ceil(leaseMs / 2),
		});
		const all = { ...options, logger, random, leaseMs, name };
		return await openNode(store, rows, all, clock, version);
	} catch (error) {
		await rows?.close();
		await store.close();
		throw error;
	}
}

async function openNode(
	store: PostgresStore,
	rows: NodeRows,
	options: JoinOptions & { logger: EngineLogger; random: Random; leaseMs: number; name: string },
	clock: ClusterClock,
	version: string,
): Promise<ClusterNode> {
	const { node = {}, logger, random, leaseMs, name } = options;
	const counters = new ClusterCounters();
	let engine: JoinedEngine | undefined;
	/** Epochs of the others that live, and of what this node was before it lost its lease, until that is known to be gone. */
	let known: readonly number[] = [];
	const lease: NodeLease = new NodeLease({
		rows,
		clock,
		logger,
		leaseMs,
		describe: () => ({ name, address, version, names: engine?.names() ?? [] }),
		actors: () => engine?.placement.liveCount ?? 0,
		onHeld: (epoch) => {
			if (store.owner !== null) {
				known = [...known, store.owner];
			}
			store.owner = epoch;
		},
		onLost: () => cluster.lost(),
		onNodes: (nodes) => {
			const living = new Set(nodes.map(({ epoch }) => epoch));
			const isGone = known.some((epoch) => !living.has(epoch));
			known = [...living];
			cluster.know(nodes);
			if (isGone) {
				engine?.actorsLeft();
			}
		},
		onReaped: () => engine?.nodesDied(),
	});
	const links: Links = new Links({
		secret: await rows.secret(),
		clock,
		random,
		logger,
		counters,
		silenceMs: leaseMs / 2,
		epoch: () => lease.epoch,
		handler: {
			called: (...args) => cluster.called(...args),
			news: (...args) => cluster.news(...args),
			deed: (...args) => cluster.deed(...args),
			ended: (...args) => cluster.endedElsewhere(...args),
			lost: (link) => cluster.linkLost(link),
		},
		onOpen: (link) => cluster.linkOpened(link),
	});
	const cluster: Cluster = new Cluster({
		store,
		rows,
		lease,
		links,
		clock,
		logger,
		limits: engineLimits(options.limits),
		counters,
	});
	rows.onHint = (hint) => {
		switch (hint) {
			case "nodes":
				lease.renewSoon();
				break;
			case "alarms":
				engine?.alarmsHinted();
				break;
			case "left":
				engine?.actorsLeft();
				break;
			default:
				hint satisfies never;
		}
	};
	const host = node.host ?? "127.0.0.1";
	const port = await links.listen(host, node.port ?? 0);
	const address = node.address ?? `${addressFor(host)}:${port}`;
	return {
		store,
		clock,
		cluster,
		claims: {
			async claimDue(...wanted) {
				if (lease.epoch === undefined) {
					return [];
				}
				const { actors, takeOvers } = await rows.claimDue(lease.epoch, ...wanted);
				counters.takeOvers += takeOvers;
				return actors;
			},
			nextDue: (names, withinMs) => rows.nextDue(names, withinMs),
			giveBack: ({ actorId, generation }) => store.release(actorId, generation),
			async ownedDue() {
				const { epoch } = lease;
				if (epoch === undefined) {
					return [];
				}
				const owned = await rows.dueOf(epoch);
				// An acquisition among them may be on its way back.
				await store.sync();
				return owned;
			},
			postpone: (...postponed) => rows.postpone(...postponed),
			restingWithConnections: (limit, after) => rows.restingWithConnections(limit, after),
		},
		get notReady() {
			if (!lease.isHeld) {
				return "this node does not hold its lease";
			}
			if (lease.isCutOff) {
				return "PostgreSQL cannot be reached";
			}
			return cluster.isDraining ? "this node is being drained" : null;
		},
		metrics: () =>
			clusterMetrics({
				nodes: cluster.nodes,
				lease,
				owned: engine?.placement.liveCount ?? 0,
				links: cluster.links,
				counters,
				roundTrips: { ...store.roundTrips, lease: rows.roundTrips },
			}),
		namesChanged: () => lease.announce(),
		leftRunning: (wanted) => new LeftRunning({ ...wanted, rows }),
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
