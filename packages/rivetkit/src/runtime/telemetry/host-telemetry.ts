import type { Clock, Random } from "@rivetkit/protocol";
import type { SpanExporter } from "./exporter.ts";
import { Habits } from "./habits.ts";
import { chunksPerSecond, KEPT_CHUNKS_BYTES_MAX, KeptChunks } from "./kept-chunks.ts";
import { TypeMetrics } from "./metrics/type-metrics.ts";
import type { Span, Trace } from "./span.ts";
import { TimedCalls } from "./timed-calls.ts";
import { TraceBudget } from "./trace-budget.ts";
import { type TrailLimits, Trails } from "./trail.ts";
import { Turns } from "./turns.ts";

/** How much is recorded, and how much of it is kept. */
export interface TraceLimits extends TrailLimits {
	/** Traces that the actors of a host begin in a second. */
	readonly maxPerSecond: number;
	/** Milliseconds after their end for which spans are shown. */
	readonly maxAge: number;
	/** Whether spans are written to the store of their actor. */
	readonly store: boolean;
}

/** What a host records about its actors. */
export interface TelemetryConfig {
	/** Null: no spans are recorded. */
	readonly traces: TraceLimits | null;
	/** Whether calls, commits and lives are counted. */
	readonly metrics: boolean;
}

/** Defaults of `setup({ traces })`. */
export const TRACE_LIMITS: TraceLimits = {
	maxPerSecond: 100,
	maxAge: 7 * 86_400_000,
	store: true,
	maxSpans: 512,
	maxBytes: 256 * 1_024,
	maxTotalBytes: 16 * 1_024 * 1_024,
};

/** How often the wall clock is asked, for spans that are timed by the monotonic one (ms). */
const CLOCK_EVERY_MS = 1_000;

const monotonicMs = performance.now.bind(performance);

/** What the actors of one host record together: their trails, and the counts of each type. */
export class HostTelemetry {
	readonly recordsSpans: boolean;
	/** Of the spans. */
	readonly budget: TraceBudget;
	readonly recordsMetrics: boolean;
	/** Bytes of the spans of one incarnation in its actor's store; 0 when they are not stored. */
	readonly storedBytes: number;
	/** See {@link TraceLimits.maxAge}. */
	readonly maxAgeMs: number;
	readonly chunks: KeptChunks;
	readonly trails: Trails;
	readonly habits = new Habits();
	readonly turns = new Turns();
	/** Of the event loop, in which the budget refused something last: what comes in it still need not look at the clock. */
	refusedIn = -1;
	/** Null while there is nowhere to export to. */
	exporter: SpanExporter | null = null;
	/** Looks for something to export to; called now and then. Null when there is nothing to look for. */
	lookForExporter: (() => void) | null = null;
	readonly #clock: Clock;
	readonly #random: Random;
	readonly #types = new Map<string, TypeMetrics>();
	readonly #timed = new Map<string, TimedCalls>();
	/** The first half of the ids of this host's spans. */
	readonly #idPrefix: string;
	#nextId = 1;
	/** What the monotonic time is added to. */
	#epochMs = 0;
	#askClockMs = 0;

	constructor(
		{ traces, metrics }: TelemetryConfig,
		{ clock, random }: { readonly clock: Clock; readonly random: Random },
	) {
		this.recordsSpans = traces !== null;
		this.recordsMetrics = metrics;
		this.storedBytes = traces?.store ? traces.maxBytes : 0;
		this.maxAgeMs = (traces ?? TRACE_LIMITS).maxAge;
		const { maxPerSecond } = traces ?? TRACE_LIMITS;
		this.budget = new TraceBudget(maxPerSecond);
		this.chunks = new KeptChunks(KEPT_CHUNKS_BYTES_MAX, chunksPerSecond(maxPerSecond));
		// Events and lines are recorded for who watches, also where no spans are.
		// Who goes on after an id of the process before this one misses nothing: a process has less than a thousand
		// entries in a millisecond.
		this.trails = new Trails(traces ?? TRACE_LIMITS, clock.now() * 1_000);
		this.#clock = clock;
		this.#random = random;
		this.#idPrefix = hex(random.bytes(4));
		this.#askClock(monotonicMs());
	}

	/** Milliseconds since the epoch with fractions; moves on evenly. */
	nowMs(): number {
		const now = monotonicMs();
		if (now >= this.#askClockMs) this.#askClock(now);
		return this.timeOf(now);
	}

	/** What {@link nowMs} was at a time of the process (`performance.now`) that somebody has looked at already. */
	timeOf(thenMs: number): number {
		return this.#epochMs + thenMs;
	}

	#askClock(now: number): void {
		this.#askClockMs = now + CLOCK_EVERY_MS;
		const epoch = this.#clock.now() - now;
		// The wall clock has whole milliseconds: only what is more than that is a change of it.
		if (Math.abs(epoch - this.#epochMs) > 2) this.#epochMs = epoch;
	}

	/** Milliseconds since the epoch, as the actors' clock has it. */
	wallMs(): number {
		return this.#clock.now();
	}

	nextSpanId(): number {
		return this.#nextId++;
	}

	/** 16 hexadecimal digits. */
	spanId(id: number | string): string {
		if (typeof id === "string") return id;
		return this.#idPrefix + (id % 2 ** 32).toString(16).padStart(8, "0");
	}

	/** 32 hexadecimal digits. */
	traceId(trace: Trace): string {
		trace.id ??= hex(this.#random.bytes(16));
		return trace.id;
	}

	/** Where a span is, for whoever is called from it. */
	contextOf(span: Span): { traceId: string; spanId: string; flags: number } {
		const { exported } = span;
		if (exported) return exported;
		return {
			traceId: this.traceId(span.trace),
			spanId: this.spanId(span.id),
			flags: span.trace.flags,
		};
	}

	metricsOf(type: string): TypeMetrics {
		let metrics = this.#types.get(type);
		if (!metrics) {
			metrics = new TypeMetrics();
			this.#types.set(type, metrics);
		}
		return metrics;
	}

	timedCallsOf(type: string): TimedCalls {
		let timed = this.#timed.get(type);
		if (!timed) {
			const metrics = this.recordsMetrics ? this.metricsOf(type) : null;
			timed = new TimedCalls(this.#random, this, (tookMs, calls) => {
				metrics?.calls.action.add(tookMs / 1_000, calls);
				if (this.recordsSpans) this.budget.leftOut += calls;
			});
			this.#timed.set(type, timed);
		}
		return timed;
	}

	/** By type of actor, as of now. */
	get types(): ReadonlyMap<string, TypeMetrics> {
		this.#tell();
		return this.#types;
	}

	/** Pieces of work that no span is about, as there was too much of it. */
	get leftOut(): number {
		this.#tell();
		return this.budget.leftOut;
	}

	#tell(): void {
		for (const timed of this.#timed.values()) timed.tell();
	}
}

function hex(bytes: Uint8Array): string {
	let text = "";
	for (const byte of bytes) text += byte.toString(16).padStart(2, "0");
	return text;
}
