// `setup({ traces, metrics })` and what the environment says of it (contract: lifecycle 19).
import { expect, it } from "vitest";
import { actor } from "../../src/index.ts";
import { parseRegistryConfig } from "../../src/registry/config/registry-config.ts";

const use = { counter: actor({}) };
const DEFAULTS = {
	maxPerSecond: 100,
	maxSpans: 512,
	maxBytes: 262_144,
	maxTotalBytes: 16_777_216,
	maxAge: 604_800_000,
	store: true,
};

const traces = (input: object, env: Record<string, string> = {}) =>
	parseRegistryConfig({ use, ...input }, env).traces;

it("records spans outside production, and elsewhere when asked to", () => {
	expect(traces({})).toEqual(DEFAULTS);
	expect(traces({}, { NODE_ENV: "development" })).toEqual(DEFAULTS);
	expect(traces({}, { NODE_ENV: "production" })).toBeNull();
	expect(traces({}, { NODE_ENV: "production", RIVET_EXPERIMENTAL_OTEL: "1" })).toEqual(DEFAULTS);
	expect(traces({ traces: { enabled: true } }, { NODE_ENV: "production" })).toEqual(DEFAULTS);
	expect(traces({ traces: { enabled: false } }, { RIVET_EXPERIMENTAL_OTEL: "1" })).toBeNull();
	const limits = { maxPerSecond: 4, maxSpans: 5, maxBytes: 6, maxTotalBytes: 7, maxAge: 8 };
	expect(traces({ traces: { ...limits, store: false } })).toEqual({
		maxPerSecond: 4,
		maxSpans: 5,
		maxBytes: 6,
		maxTotalBytes: 7,
		maxAge: 8,
		store: false,
	});
});

it("measures unless told not to, and refuses what makes no sense", () => {
	const config = (input: object) => parseRegistryConfig({ use, ...input }, {});
	expect(config({}).metrics).toEqual({ enabled: true });
	expect(config({ metrics: { enabled: false } }).metrics).toEqual({ enabled: false });
	expect(() => config({ traces: { maxSpans: 0 } })).toThrow("traces");
	expect(() => config({ traces: { maxPerSecond: 0 } })).toThrow("maxPerSecond");
	expect(() => config({ traces: { maxBytes: "many" } })).toThrow("maxBytes");
	expect(() => config({ metrics: { enabled: 1 } })).toThrow("metrics");
	expect(config({ traces: { maxSpam: 1 } }).warnings).toEqual([
		expect.stringContaining('did you mean "traces.maxSpans"'),
	]);
});
