import type { ActorNameMetadata, CrashPolicy } from "@rivetkit/protocol";
import {
	type ClusterNode,
	type JoinOptions,
	joinCluster,
} from "../../../src/cluster/join-cluster.ts";
import { createEngine } from "../../../src/engine.ts";
import type { Engine } from "../../../src/engine.types.ts";
import { FakeHost } from "../../helpers/fake-host.ts";

export interface NodeUnderTest extends AsyncDisposable {
	/** What its actors answer begins with it. */
	readonly name: string;
	readonly engine: Engine;
	readonly host: FakeHost;
	readonly node: ClusterNode;
	readonly url: string;
	readonly log: { level: string; fields: Record<string, unknown>; message: string }[];
	/** A GET to an actor through this node; status and body. */
	get(actorId: string, path?: string): Promise<string>;
	/** A new actor's id, or that of the one with this key. */
	create(key: string, crashPolicy?: CrashPolicy): Promise<string>;
}

export interface NodeSettings extends Partial<JoinOptions> {
	readonly url: string;
	readonly leaseMs?: number;
	readonly actorNames?: Readonly<Record<string, ActorNameMetadata>>;
}

let count = 0;

/** A whole node in this process: real store, real links, actors that are what a test says. */
export async function startNode(settings: NodeSettings): Promise<NodeUnderTest> {
	const { leaseMs = 4_000, actorNames = { counter: {} }, ...options } = settings;
	const log: NodeUnderTest["log"] = [];
	const logAt = (level: string) => (fields: Record<string, unknown>, message: string) => {
		log.push({ level, fields, message });
	};
	const logger = {
		debug: logAt("debug"),
		info: logAt("info"),
		warn: logAt("warn"),
		error: logAt("error"),
	};
	const name = `node-${++count}`;
	const node = await joinCluster({
		version: "0.0.0-test",
		logger,
		...options,
		node: { name, leaseMs, ...options.node },
	});
	const engine = createEngine({
		store: node.store,
		node,
		clock: node.clock,
		version: "0.0.0-test",
		logger,
		...(options.limits === undefined ? undefined : { limits: options.limits }),
	});
	const host = new FakeHost(node.store);
	host.onRequest = ({ method, path }) => ({
		status: 200,
		headers: {},
		body: `${name} ${method} ${path}`,
	});
	host.events = engine.attachHost(host, { actorNames });
	await engine.joined;
	const { url } = await engine.listen({ port: 0 });
	return {
		name,
		engine,
		host,
		node,
		url,
		log,
		async get(actorId, path = "/request/x") {
			const response = await fetch(`${url}/gateway/${actorId}${path}`);
			return `${response.status} ${await response.text()}`;
		},
		async create(key, crashPolicy = "sleep") {
			const query = {
				kind: "getOrCreate",
				name: "counter",
				key: [key],
				input: null,
				crashPolicy,
			} as const;
			return (await engine.resolve(query)).actor.actorId;
		},
		async [Symbol.asyncDispose]() {
			await engine.close();
			await node.store.close();
		},
	};
}
