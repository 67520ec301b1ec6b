import {
	type ActorRouter,
	type AnyActorInstance,
	type AnyClient,
	actor,
	type Client,
	createClientWithDriver,
	createEngineDriver,
	type DriverConfig,
	type FetchHandler,
	type LegacyStartServerOutput,
	lookupInRegistry,
	setup,
} from "rivetkit";
import { createClient } from "rivetkit/client";
import type { ActorBackend, ActorDriver, ManagerDriver } from "rivetkit/driver-helpers";
import { type BackendUnderTest, testActorBackend } from "rivetkit/driver-test-suite";
import { testServing } from "rivetkit/serve-test-suite";
import { describe, expect, expectTypeOf, it } from "vitest";

const counter = actor({
	state: { count: 0 },
	actions: { add: (c, amount: number) => c.state.count + amount },
});
const registry = setup({ use: { counter } });
declare const manager: ManagerDriver;
declare const open: () => Promise<BackendUnderTest>;

describe("types of the entries (api 1.2, 19)", () => {
	it("a client of a registry is a Client of it, and AnyClient", () => {
		const client = createClient<typeof registry>();
		expectTypeOf(client).toEqualTypeOf<Client<typeof registry>>();
		expectTypeOf(client).toExtend<AnyClient>();
		expectTypeOf(createClient()).toExtend<AnyClient>();
		expectTypeOf(client.counter.getOrCreate().add(1)).resolves.toEqualTypeOf<number>();
	});

	it("a client over a manager is as typed", () => {
		const client = createClientWithDriver<typeof registry>(manager);
		expectTypeOf(client).toEqualTypeOf<Client<typeof registry>>();
	});

	it("a registry's handlers and start() have their names", () => {
		expectTypeOf<typeof registry.handler>().toExtend<FetchHandler>();
		expectTypeOf<ReturnType<typeof registry.start>>().toEqualTypeOf<
			LegacyStartServerOutput<typeof registry>
		>();
		expectTypeOf<ActorRouter["fetch"]>().toExtend<FetchHandler>();
		expectTypeOf(createEngineDriver()).toEqualTypeOf<DriverConfig>();
		expectTypeOf(lookupInRegistry(registry.parseConfig(), "counter")).toHaveProperty("config");
	});

	it("a driver is an ActorBackend; a live actor has its names", () => {
		expectTypeOf<ActorDriver>().toEqualTypeOf<ActorBackend>();
		expectTypeOf<AnyActorInstance["key"]>().toEqualTypeOf<readonly string[]>();
	});

	it("the suites take Vitest as it is", () => {
		expectTypeOf(testActorBackend).toBeCallableWith(
			{ describe, it, expect },
			{ name: "b", outlivesCrashes: false, open },
		);
		expectTypeOf(testServing).toBeCallableWith(
			{ describe, it, expect },
			{ name: "s", serve: () => ({ endpoint: "http://127.0.0.1:1", close: () => {} }) },
		);
	});
});
