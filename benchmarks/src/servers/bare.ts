// Baseline (a): node:http and ws, nothing durable.

import { startBaseline } from "./baseline.ts";
import { announce } from "./child.ts";

const maps = new Map<string, Map<string, string>>();

function mapOf(id: string): Map<string, string> {
	let map = maps.get(id);
	if (map === undefined) {
		map = new Map();
		maps.set(id, map);
	}
	return map;
}

announce(
	await startBaseline((_counter, release) => release(), {
		put: ({ id }, key, value) => void mapOf(id).set(key, value),
		get: ({ id }, key) => mapOf(id).get(key),
		size: ({ id }) => mapOf(id).size,
	}),
);
