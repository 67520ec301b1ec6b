import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { type ClusterNode, joinCluster } from "../cluster/join-cluster.ts";
import type { EngineLimits } from "../common/limits.ts";
import type { EngineLogger } from "../common/logger.ts";
import { createEngine } from "../engine.ts";
import type { Engine } from "../engine.types.ts";
import { bind, type ListeningServer } from "../server/listen.ts";
import { openPostgresStore } from "../store/postgres/open-postgres-store.ts";
import { openSqliteStore } from "../store/sqlite/open-sqlite-store.ts";
import type { Store } from "../store/store.ts";
import type { Address, EngineConfig } from "./config.ts";
import { fileLogger } from "./file-logger.ts";
import { engineMetrics } from "./metrics.ts";
import type { Service } from "./services.ts";

export interface RunningEngine {
	/** Undefined without that service. */
	readonly guard: ListeningServer | undefined;
	/** Lets every actor sleep, tells the runners, closes the store. */
	close(): Promise<void>;
}

/** Makes the store ready for engines: its tables are there, and those of this version. */
export async function bootstrap(config: EngineConfig): Promise<void> {
	const { postgres } = config.given;
	const store = postgres
		? await openPostgresStore(connectionOf(postgres))
		: await openSqliteStore({ directory: config.directory });
	await store.close();
}

/** An engine apart from any application: everything is hosted by runners. */
export async function runEngine(
	config: EngineConfig,
	services: ReadonlySet<Service>,
): Promise<RunningEngine> {
	const { given, token, datacenter } = config;
	const version = ownVersion();
	const directory = given.logs?.redirect_logs_dir;
	const logger = directory === undefined ? undefined : fileLogger(directory);
	const { store, node } = await openStore(config, version, logger);
	const engine: Engine = createEngine({
		store,
		...(node && { node, clock: node.clock }),
		...(logger && { logger }),
		version,
		region: datacenter.name,
		...(token === undefined ? {} : { token }),
		...(given.postgres ? {} : { dataDirectory: config.directory }),
		limits: limitsOf(config),
	});
	const stats = engine.attachRunners(
		defined({
			pingIntervalMs: given.pegboard?.runner_update_ping_interval_ms,
			runnerEligibleThresholdMs: given.pegboard?.runner_eligible_threshold,
			runnerLostThresholdMs: given.pegboard?.runner_lost_threshold,
			actorStartThresholdMs: given.pegboard?.actor_start_threshold,
			actorStopThresholdMs: given.pegboard?.actor_stop_threshold,
			messageAckTimeoutMs: given.pegboard?.gateway_hws_message_ack_timeout_ms,
			messageAckLookMs: given.pegboard?.gateway_gc_interval_ms,
			tunnelBacklogBytesMax: given.gateway?.tunnel_backlog_max_size,
			tunnelBacklogMessagesMax: given.gateway?.tunnel_backlog_max_messages,
			tunnelBacklogEndsMax: given.gateway?.tunnel_backlog_max_ends,
			slotWaitMs: given.guard?.actor_force_wake_pending_timeout_ms,
			retryBaseMs: given.pegboard?.base_retry_timeout,
			backoffExponentMax: given.pegboard?.reschedule_backoff_max_exponent,
			retryResetMs: given.pegboard?.retry_reset_duration,
		}),
		defined({
			publicUrl: datacenter.publicUrl,
			datacenterLabel: datacenter.label,
			opensCreation: given.auth?.open_actor_creation,
			requiresGatewayToken: given.gateway?.require_token,
			serverless: defined({
				retryBaseMs: given.pegboard?.serverless_base_retry_timeout,
				backoffExponentMax: given.pegboard?.serverless_backoff_max_exponent,
				retryResetMs: given.pegboard?.serverless_retry_reset_duration,
				metadataPollMs: given.pegboard?.default_metadata_poll_interval,
				metadataPollMinMs: given.pegboard?.min_metadata_poll_interval,
				successesToClear: given.pegboard?.runner_pool_consecutive_successes_to_clear_error,
				runnersMax: given.pegboard?.pool_desired_max_override,
			}),
		}),
	);
	const servers: Server[] = [];
	const close = async () => {
		for (const server of servers) server.close();
		try {
			await engine.close();
		} finally {
			await store.close();
			// Who has opened a connection and says nothing would keep the process.
			for (const server of servers) server.closeAllConnections();
		}
	};
	try {
		await engine.joined;
		const guard = services.has("guard")
			? await engine.listen({
					...config.guard,
					portSetting: "guard.port (RIVET__GUARD__PORT)",
					hostSetting: "guard.host (RIVET__GUARD__HOST)",
				})
			: undefined;
		const health = JSON.stringify({ status: "ok", runtime: "engine", version });
		const peer = (path: string) =>
			path === "/health" ? { text: health } : path === "/ready" ? readiness(engine) : null;
		const metrics = () => ({
			text: engineMetrics(stats(), engine.liveCount, engine.socketCount, node?.metrics() ?? []),
		});
		if (services.has("api_peer")) {
			servers.push(await serveText(config.peer, "api_peer", "application/json", peer));
		}
		if (services.has("metrics")) {
			const type = "text/plain; version=0.0.4";
			servers.push(await serveText(config.metrics, "metrics", type, metrics));
		}
		return { guard, close };
	} catch (error) {
		await close();
		throw error;
	}
}

function limitsOf({ given, guardShutdownMs }: EngineConfig): Partial<EngineLimits> {
	return defined({
		closeGraceMs: guardShutdownMs,
		httpBodyBytesMax: given.guard?.http_max_request_body_size,
		webSocketMessageBytesMax: given.guard?.websocket_max_message_size,
		readyTimeoutMs: given.guard?.actor_ready_timeout_ms,
		routeTimeoutMs: given.guard?.actor_force_wake_pending_timeout_ms,
		webSocketOpenTimeoutMs: given.pegboard?.gateway_websocket_open_timeout_ms,
		requestTimeoutMs: given.pegboard?.gateway_response_start_timeout_ms,
		webSocketPendingBytesMax: given.pegboard?.gateway_hws_max_pending_size,
	});
}

/** With PostgreSQL, this process is one of the nodes that share it. */
async function openStore(
	config: EngineConfig,
	version: string,
	logger: EngineLogger | undefined,
): Promise<{ readonly store: Store; readonly node?: ClusterNode }> {
	const { postgres, node = {} } = config.given;
	if (!postgres) return { store: await openSqliteStore({ directory: config.directory }) };
	const joined = await joinCluster({
		...connectionOf(postgres),
		version,
		...(logger && { logger }),
		node: defined({ ...node, lease_ms: undefined, leaseMs: node.lease_ms }),
		limits: limitsOf(config),
	});
	return { store: joined.store, node: joined };
}

/** How the PostgreSQL is reached. */
export function connectionOf({ url, ssl }: NonNullable<EngineConfig["given"]["postgres"]>) {
	return {
		url,
		...(ssl && {
			ssl: defined({
				rootCertPath: ssl.root_cert_path,
				clientCertPath: ssl.client_cert_path,
				clientKeyPath: ssl.client_key_path,
			}),
		}),
	};
}

/** Whether calls should be sent here, and if not, why (contract: engine 8). */
function readiness({ notReady }: Engine): Answer {
	return notReady === null
		? { text: JSON.stringify({ status: "ready" }) }
		: { status: 503, text: JSON.stringify({ status: "unavailable", reason: notReady }) };
}

interface Answer {
	/** Default 200. */
	readonly status?: number;
	readonly text: string;
}

/** Null is not found. Throws a `ListenError`. */
async function serveText(
	address: Address,
	setting: "api_peer" | "metrics",
	contentType: string,
	answer: (path: string) => Answer | null,
): Promise<Server> {
	const server = createServer(({ url }, response) => {
		const { status = 200, text } = answer(url!.replace(/\?.*/, "")) ?? { status: 404, text: "" };
		response.writeHead(status, { "content-type": contentType });
		response.end(text);
	});
	const name = (key: string) =>
		`${setting}.${key} (RIVET__${setting.toUpperCase()}__${key.toUpperCase()})`;
	await bind(
		server,
		{ ...address, basePath: "", portSetting: name("port"), hostSetting: name("host") },
		{},
	);
	return server;
}

function ownVersion(): string {
	const manifest = new URL("../../package.json", import.meta.url);
	return (JSON.parse(readFileSync(manifest, "utf8")) as { version: string }).version;
}

function defined<T extends object>(values: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
	const set = Object.entries(values).filter(([, value]) => value !== undefined);
	return Object.fromEntries(set) as { [K in keyof T]?: Exclude<T[K], undefined> };
}
