import { systemClock, systemRandom } from "@rivetkit/protocol";
import { startEmbedded } from "../backends/embedded/embedded.ts";
import { createMemoryStore } from "../backends/embedded/engine.ts";
import { createClient } from "../client/create-client.ts";
import type { Client } from "../client/types/client.types.ts";
import { borrowLogging, getLogger } from "../log/base-logger.ts";
import { definitionsOf } from "../registry/definitions.ts";
import type { Registry } from "../registry/registry.ts";
import { VERSION } from "../utils/version.ts";
import { FakeTime, type FakeTimeOptions, type TestTime } from "./fake-time.ts";

/** Opens the inspector of a test's actors (api 18). */
const INSPECTOR_TOKEN = "token";

/** What `setupTest` needs of a test framework: Vitest's test context has it. */
export interface TestContext {
	onTestFinished(cleanUp: () => Promise<void> | void): void;
}

export interface SetupTestResult<R> {
	/** A typed client over HTTP and WebSockets. */
	readonly client: Client<R>;
	/** `http://127.0.0.1:<port>` of this test's own server. */
	readonly endpoint: string;
}

export interface SetupTestOptions {
	/**
	 * Whether time stands still until the test moves it with `time.advance`: months of schedules, cron jobs and
	 * sleep pass in moments, and each thing happens at its own time. An object says what the clock shows
	 * at the beginning. Default false: time is the process's.
	 */
	readonly fakeTime?: boolean | FakeTimeOptions | undefined;
}

/**
 * Runs the registry's actors for one test: a server on a free loopback port with an empty store in
 * memory. Tests do not see each other's actors, and the registry is left as it is. When the test is
 * finished the client is disposed, every actor stopped, and the server closed. The actors can be inspected
 * with the token `token`. Until then logs of this process go where `setup({ logging })` says.
 *
 * With `{ fakeTime: true }` the test moves the actors' time. Without, time is the process's: with
 * `vi.useFakeTimers({ toFake: ["setTimeout", "Date"] })` the actors' clock moves with
 * `vi.advanceTimersByTimeAsync`, which does not wait for what a timer began before it goes on to the next.
 */
export function setupTest<R extends Registry>(
	context: TestContext,
	registry: R,
	options: SetupTestOptions & { readonly fakeTime: true | FakeTimeOptions },
): Promise<SetupTestResult<R> & { readonly time: TestTime }>;
export function setupTest<R extends Registry>(
	context: TestContext,
	registry: R,
	options?: SetupTestOptions,
): Promise<SetupTestResult<R>>;
export async function setupTest<R extends Registry>(
	context: TestContext,
	registry: R,
	{ fakeTime = false }: SetupTestOptions = {},
): Promise<SetupTestResult<R> & { readonly time?: TestTime }> {
	const config = registry.parseConfig();
	const giveLoggingBack = borrowLogging(config.logging);
	const time = fakeTime === false ? null : new FakeTime(fakeTime === true ? {} : fakeTime);
	let endpoint = "";
	const embedded = startEmbedded({
		store: createMemoryStore(),
		definitions: definitionsOf(config.use),
		clock: time ?? systemClock(),
		random: systemRandom(),
		log: getLogger("test"),
		messageLimits: config,
		engineLimits: config.limits,
		version: VERSION,
		checksReplays: true,
		namespace: config.namespace,
		// The store ends with the test, and commits are those of the actors.
		telemetry: {
			traces: config.traces && { ...config.traces, store: false },
			metrics: config.metrics.enabled,
		},
		inspection: { enabled: true, token: () => INSPECTOR_TOKEN, isOpen: () => false },
		exposeErrors: () => process.env.RIVET_EXPOSE_ERRORS === "1",
		publicUrl: () => endpoint,
	});
	time?.attach(embedded.host);
	const server = await embedded.engine.listen({ port: 0 });
	endpoint = server.url;
	const client = createClient<R>({ endpoint });
	context.onTestFinished(async () => {
		try {
			await client.dispose();
			const closed = embedded.close();
			await (time ? time.passUntil(closed) : closed);
		} finally {
			giveLoggingBack();
		}
	});
	return { client, endpoint, ...(time ? { time } : undefined) };
}
