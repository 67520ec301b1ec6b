interface RegisteredApi {
	readonly context?: { active(): unknown };
	readonly propagation?: {
		inject(
			context: unknown,
			carrier: Record<string, string>,
			setter: { set(carrier: Record<string, string>, name: string, value: string): void },
		): void;
	};
}

/**
 * Where in a trace the code that is running is, as the application's OpenTelemetry says it; undefined without
 * one. Reads what is registered instead of importing its API, which few applications have: under this symbol
 * it is the same in all of 1.x.
 */
export function activeTraceparent(): string | undefined {
	const api = (globalThis as Record<symbol, RegisteredApi | undefined>)[
		Symbol.for("opentelemetry.js.api.1")
	];
	const headers: Record<string, string> = {};
	if (api?.context) api.propagation?.inject(api.context.active(), headers, Reflect);
	return headers.traceparent;
}
