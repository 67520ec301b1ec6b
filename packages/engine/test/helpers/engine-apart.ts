import { expect } from "vitest";
import {
	type AttachRunnersOptions,
	createEngine,
	joinCluster,
	type RunnerLimits,
} from "../../src/index.ts";
import { createMemoryStore } from "../../src/store/memory/memory-store.ts";
import { until } from "./until.ts";

export interface EngineApart {
	/** Where it listens: each of its nodes. */
	readonly urls: readonly string[];
	close(): Promise<void>;
}

export interface EngineApartOptions {
	readonly token: string | undefined;
	readonly limits: Partial<RunnerLimits>;
	readonly options: AttachRunnersOptions;
}

const VERSION = "1.2.3";
const logger = { debug() {}, info() {}, warn() {}, error() {} };

/** How many nodes an engine of this process has; to be set before tests are declared. */
export let nodeCount = 1;
let start = onOneNode;

/** Engines of this process are so many nodes on a PostgreSQL from now on. Default: one, in memory. */
export function standOnNodes(count: number, database: () => Promise<string>): void {
	nodeCount = count;
	start = async (wanted) => {
		const url = await database();
		const nodes = await Promise.all(Array.from({ length: count }, () => startNode(url, wanted)));
		await until(() =>
			expect(nodes.map(({ links }) => links())).toEqual(nodes.map(() => count - 1)),
		);
		return {
			urls: nodes.map((one) => one.url),
			close: async () => void (await Promise.all(nodes.map((node) => node.close()))),
		};
	};
}

async function startNode(url: string, wanted: EngineApartOptions) {
	const node = await joinCluster({ url, version: VERSION, logger, node: { leaseMs: 20_000 } });
	const { store, clock } = node;
	const engine = engineWith(wanted, { store, node, clock });
	await engine.joined;
	return {
		url: (await engine.listen({ port: 0 })).url,
		links: () => node.cluster.links.open,
		close: () => engine.close().finally(() => store.close()),
	};
}

/** An engine apart from any application. */
export function startEngineApart(wanted: EngineApartOptions): Promise<EngineApart> {
	return start(wanted);
}

async function onOneNode(wanted: EngineApartOptions): Promise<EngineApart> {
	const store = createMemoryStore();
	const engine = engineWith(wanted, { store });
	const { url } = await engine.listen({ port: 0 });
	return { urls: [url], close: () => engine.close() };
}

function engineWith(
	{ token, limits, options }: EngineApartOptions,
	on: Pick<Parameters<typeof createEngine>[0], "store" | "node" | "clock">,
) {
	const engine = createEngine({
		...on,
		version: VERSION,
		logger,
		...(token === undefined ? {} : { token }),
	});
	engine.attachRunners(limits, options);
	return engine;
}
