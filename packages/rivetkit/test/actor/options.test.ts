import { actor } from "rivetkit";
import { describe, expect, it } from "vitest";
import { OPTION_NAMES, OPTION_TABLE } from "../../src/actor/options.ts";

describe("options (A4)", () => {
	it("have the defaults of the contract, with the ruling on stateSaveInterval", () => {
		expect(actor({}).config.options).toEqual({
			name: undefined,
			icon: undefined,
			createVarsTimeout: 5_000,
			createConnStateTimeout: 5_000,
			onConnectTimeout: 5_000,
			onSleepTimeout: 5_000,
			onDestroyTimeout: 5_000,
			stateSaveInterval: 1_000,
			actionTimeout: 60_000,
			waitUntilTimeout: 15_000,
			runStopTimeout: 15_000,
			connectionLivenessTimeout: 2_500,
			connectionLivenessInterval: 5_000,
			noSleep: false,
			sleepTimeout: 30_000,
			maxQueueSize: 1_000,
			maxQueueMessageSize: 65_536,
			canHibernateWebSocket: false,
			onBeforeConnectTimeout: 5_000,
			onMigrateTimeout: 30_000,
			sleepGracePeriod: 15_000,
			maxSchedules: 1_000,
			maxDatabaseSize: 10 * 1024 ** 3,
			maxDatabaseCommitSize: 256 * 1024 ** 2,
			maxQueryRows: 1_000_000,
			maxQueryBytes: 64 * 1024 ** 2,
			queryTimeout: 30_000,
			slowQueryThreshold: 500,
			confirmWrites: true,
			rollbackOnError: false,
			connectionConcurrency: 1,
			maxStateSize: 16 * 1024 * 1024,
			maxConnectionBufferSize: 16 * 1024 * 1024,
			maxConnectionSubscriptions: 1_000,
			resumeWindow: 30_000,
			maxResumeEvents: 1_000,
			maxResumeBytes: 1_048_576,
			maxUncommittedKvSize: 64 * 1024 * 1024,
			startTimeout: 30_000,
		});
	});

	const numeric = OPTION_NAMES.filter((name) =>
		["duration", "count", "bytes"].includes(OPTION_TABLE[name].kind),
	);

	it.each(numeric)("%s refuses what is not finite and greater than 0", (name) => {
		for (const value of [0, -1, Number.NaN, Number.POSITIVE_INFINITY, "5", null]) {
			expect(() => actor({ options: { [name]: value } })).toThrow(`options.${name}: expected`);
		}
		expect(actor({ options: { [name]: 1 } }).config.options[name]).toBe(1);
	});

	it("point from an endless sleepTimeout to noSleep", () => {
		expect(() => actor({ options: { sleepTimeout: Number.POSITIVE_INFINITY } })).toThrow(
			"to never sleep, use noSleep: true",
		);
	});

	it.each(["noSleep", "confirmWrites", "rollbackOnError"])("%s is true or false", (name) => {
		expect(() => actor({ options: { [name]: "yes" } })).toThrow("expected true or false");
	});

	it("canHibernateWebSocket is a flag or a function", () => {
		const decide = () => true;
		const { options } = actor({ options: { canHibernateWebSocket: decide } }).config;
		expect(options.canHibernateWebSocket).toBe(decide);
		expect(() => actor({ options: { canHibernateWebSocket: 1 as never } })).toThrow(
			"expected true, false, or a function",
		);
	});

	it("undefined is the same as absent", () => {
		expect(actor({ options: { actionTimeout: undefined } }).config.options.actionTimeout).toBe(
			60_000,
		);
	});

	it("one grace period replaces the limits of the steps that are not set", () => {
		const { options } = actor({
			options: { sleepGracePeriod: 40_000, onSleepTimeout: 2_000 },
		}).config;
		expect(options).toMatchObject({
			sleepGracePeriod: 40_000,
			runStopTimeout: 40_000,
			waitUntilTimeout: 40_000,
			onDestroyTimeout: 40_000,
			onSleepTimeout: 2_000,
		});
	});

	it("steps that ask for more than the default grace period get it", () => {
		const { options } = actor({
			options: { runStopTimeout: 20_000, waitUntilTimeout: 10_000 },
		}).config;
		expect(options.sleepGracePeriod).toBe(30_000);
		expect(actor({ options: { onSleepTimeout: 1_000 } }).config.options.sleepGracePeriod).toBe(
			15_000,
		);
	});

	it("cannot be changed afterwards", () => {
		expect(Object.isFrozen(actor({}).config.options)).toBe(true);
	});
});
