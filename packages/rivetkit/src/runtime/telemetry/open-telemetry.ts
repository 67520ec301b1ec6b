import type * as OpenTelemetry from "@opentelemetry/api";
import type { Clock, Random } from "@rivetkit/protocol";
import type { Logger } from "../../log/logger.ts";
import { VERSION } from "../../utils/version.ts";
import type { ExportedStart, SpanExporter } from "./exporter.ts";
import { HostTelemetry, type TelemetryConfig } from "./host-telemetry.ts";
import type { Attributes, AttributeValue, ExportedSpan, SpanFailure } from "./span.ts";
import type { RemoteParent } from "./trace-context.ts";

type Api = typeof OpenTelemetry;

/** Where an application registers its tracer provider, whatever copy of the API it has; the same in all of 1.x. */
const REGISTERED = Symbol.for("opentelemetry.js.api.1");
/** In a variable, so that bundlers do not look for a package that is optional. */
const PACKAGE = "@opentelemetry/api";

/** What a host records, and hands on to the application's OpenTelemetry. */
export function startTelemetry(
	config: TelemetryConfig,
	{ clock, random, log }: { readonly clock: Clock; readonly random: Random; readonly log: Logger },
): HostTelemetry {
	const telemetry = new HostTelemetry(config, { clock, random });
	if (telemetry.recordsSpans) exportSpans(telemetry, log);
	return telemetry;
}

/**
 * Has spans go to the application's OpenTelemetry, too, from when it registers a tracer provider. Until then
 * nothing of it is loaded.
 */
function exportSpans(telemetry: HostTelemetry, log: Logger): void {
	const look = (): void => {
		const registered = (globalThis as { [REGISTERED]?: { readonly trace?: object } })[REGISTERED];
		if (!registered?.trace) return;
		telemetry.lookForExporter = null;
		import(/* webpackIgnore: true */ /* @vite-ignore */ PACKAGE).then(
			(api: Api) => {
				telemetry.exporter = new OpenTelemetryExporter(api);
			},
			(error: unknown) => {
				log.warn(
					{ err: error },
					`the application uses OpenTelemetry, but ${PACKAGE} cannot be loaded from rivetkit: spans of actors are not exported`,
				);
			},
		);
	};
	telemetry.lookForExporter = look;
	look();
}

class OpenTelemetryExporter implements SpanExporter {
	readonly #api: Api;

	constructor(api: Api) {
		this.#api = api;
	}

	begin({
		kind,
		name,
		startMs,
		attributes,
		parent,
		isParentRemote,
	}: ExportedStart): ExportedSpan | null {
		const api = this.#api;
		const active = api.context.active();
		const running = api.trace.getSpanContext(active);
		let context: OpenTelemetry.Context;
		if (parent === null) {
			// What is called from inside the application is below what calls it; nothing else has a caller.
			context = kind.role === "server" ? active : api.ROOT_CONTEXT;
		} else if (!isParentRemote && running?.traceId === parent.traceId) {
			// Perhaps a span of the application's own, below ours.
			context = active;
		} else {
			const { traceId, spanId, flags: traceFlags } = parent;
			context = api.trace.setSpanContext(active, {
				traceId,
				spanId,
				traceFlags,
				isRemote: isParentRemote,
			});
		}
		const span = api.trace
			.getTracer("rivetkit", VERSION)
			.startSpan(
				name,
				{ kind: api.SpanKind[ROLES[kind.role]], startTime: timeOf(startMs), attributes },
				context,
			);
		if (!api.isSpanContextValid(span.spanContext())) return null;
		return new OpenTelemetrySpan(api, span, context);
	}

	current(): RemoteParent | null {
		const { context, trace } = this.#api;
		const running = trace.getSpanContext(context.active());
		if (!running) return null;
		const { traceId, spanId, traceFlags: flags } = running;
		return { traceId, spanId, flags };
	}
}

const ROLES = {
	internal: "INTERNAL",
	server: "SERVER",
	client: "CLIENT",
	consumer: "CONSUMER",
} as const;

class OpenTelemetrySpan implements ExportedSpan {
	readonly traceId: string;
	readonly spanId: string;
	readonly parentSpanId: string | null;
	readonly flags: number;
	readonly #api: Api;
	readonly #span: OpenTelemetry.Span;
	readonly #context: OpenTelemetry.Context;

	constructor(api: Api, span: OpenTelemetry.Span, outer: OpenTelemetry.Context) {
		this.#api = api;
		this.#span = span;
		this.#context = api.trace.setSpan(outer, span);
		const { traceId, spanId, traceFlags } = span.spanContext();
		this.traceId = traceId;
		this.spanId = spanId;
		this.flags = traceFlags;
		this.parentSpanId = api.trace.getSpanContext(outer)?.spanId ?? null;
	}

	set(name: string, value: AttributeValue): void {
		this.#span.setAttribute(name, value);
	}

	addEvent(name: string, atMs: number, attributes: Attributes | null): void {
		this.#span.addEvent(name, attributes ?? {}, timeOf(atMs));
	}

	end(atMs: number, failure: SpanFailure | null): void {
		const { SpanStatusCode } = this.#api;
		if (failure) {
			this.#span.setAttribute("error.type", failure.type);
			this.#span.setStatus({ code: SpanStatusCode.ERROR, message: failure.message });
		} else {
			this.#span.setStatus({ code: SpanStatusCode.OK });
		}
		this.#span.end(timeOf(atMs));
	}

	run<T>(work: () => T): T {
		return this.#api.context.with(this.#context, work);
	}
}

/** Seconds and nanoseconds: a plain number could be taken for a time since the process began. */
function timeOf(ms: number): [seconds: number, nanoseconds: number] {
	const seconds = Math.floor(ms / 1_000);
	return [seconds, Math.round((ms - seconds * 1_000) * 1_000_000)];
}
