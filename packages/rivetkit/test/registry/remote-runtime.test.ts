import { afterEach, beforeEach, expect, it } from "vitest";
import { actor } from "../../src/actor/definition.ts";
import { parseRegistryConfig } from "../../src/registry/config/registry-config.ts";
import { RemoteRuntime } from "../../src/registry/remote-runtime.ts";
import { ScriptedEngine } from "../support/scripted-engine.ts";
import { recordingLogger } from "../support/test-runtime.ts";

/** A host behind an engine elsewhere, as a stop signal finds it: the application's server still listens. */

let engine: ScriptedEngine;
let runtime: RemoteRuntime;

beforeEach(async () => {
	engine = await ScriptedEngine.start();
	const config = parseRegistryConfig(
		{
			use: { counter: actor({ actions: {} }) },
			endpoint: engine.endpoint,
			namespace: "lab",
			handleSignals: false,
		},
		{},
	);
	const remote = { endpoint: engine.endpoint, namespace: "lab", token: undefined };
	runtime = new RemoteRuntime(config, remote, recordingLogger([]));
});

afterEach(async () => {
	await runtime.shutdown();
	await engine.close();
});

const asked = (path: string) =>
	runtime.fetch(
		new Request(`http://app.example/api/rivet${path}`, {
			headers: {
				"x-rivet-endpoint": engine.endpoint,
				"x-rivet-total-slots": "1",
				"x-rivet-runner-name": "default",
				"x-rivet-namespace-name": "lab",
			},
		}),
	);

it("starts a runner while it runs, and none from the moment on that it shuts down", async () => {
	const served = await asked("/start");
	expect(served.status).toBe(200);
	await engine.socket(1);
	const closing = runtime.shutdown();
	for (const path of ["/start", "/health", "/metadata"]) {
		const refused = await asked(path);
		expect([path, refused.status]).toEqual([path, 503]);
		expect(await refused.json()).toMatchObject({ group: "guard", code: "service_unavailable" });
	}
	expect(() => runtime.startRunner()).toThrow("shut down");
	await closing;
	expect((await asked("/start")).status).toBe(503);
	expect(engine.sockets).toHaveLength(1);
});
