import { ClientRaw } from "./client.ts";
import { type ClientConfigInput, resolveClientConfig } from "./config.ts";
import type { ClientEnvironment } from "./environment.ts";
import { clientProxy } from "./proxy.ts";
import { HttpTransport } from "./transport/http/http-transport.ts";
import { type Platform, runtimePlatform } from "./transport/http/platform.ts";
import type { Client, UntypedRegistry } from "./types/client.types.ts";

/**
 * A client of the registry whose type is given: `createClient<typeof registry>()`. Without a type any
 * actor and any action is accepted. Does no I/O but to ask the endpoint, once per process, where clients
 * should go. Throws a `ConfigError` with `issues` when the configuration is wrong.
 */
export function createClient<Registry = UntypedRegistry>(
	config?: string | ClientConfigInput,
): Client<Registry> {
	return createHttpClient(config);
}

/** {@link createClient} with parts of the platform replaced: for tests, benchmarks and adapters. */
export function createHttpClient<Registry = UntypedRegistry>(
	config?: string | ClientConfigInput,
	replaced?: Partial<Platform>,
): Client<Registry> {
	const platform = runtimePlatform(replaced);
	const transport = new HttpTransport(resolveClientConfig(config, platform), platform);
	const { clock, random, log } = platform;
	return createClientOver({ transport, clock, random, log });
}

/** A client over any transport. */
export function createClientOver<Registry = UntypedRegistry>(
	environment: ClientEnvironment,
): Client<Registry> {
	// The proxy supplies the members that the types promise.
	return clientProxy(new ClientRaw(environment)) as unknown as Client<Registry>;
}
