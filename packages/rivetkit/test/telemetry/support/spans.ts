import type { TestRuntime } from "../../support/test-runtime.ts";

export interface TestSpan {
	readonly traceId: string;
	readonly spanId: string;
	readonly parentSpanId?: string;
	readonly name: string;
	readonly kind: number;
	readonly startTimeUnixNano: string;
	readonly endTimeUnixNano: string;
	/** By name. */
	readonly attributes: Readonly<Record<string, string | number | boolean>>;
	readonly events: readonly { readonly name: string; readonly attributes: object }[];
	readonly droppedEventsCount: number;
	readonly status: { readonly code: number; readonly message?: string };
}

export interface TestTraces {
	readonly spans: readonly TestSpan[];
	readonly clamped: boolean;
	/** Pieces of work that no span is about. */
	readonly leftOut: number;
	/** The spans of one name. */
	named(name: string): TestSpan[];
	/** The only span of this name. */
	one(name: string): TestSpan;
}

interface OtlpAttribute {
	readonly key: string;
	readonly value: Readonly<Record<string, string | number | boolean>>;
}

function readAttributes(list: readonly OtlpAttribute[]): Record<string, string | number | boolean> {
	return Object.fromEntries(
		list.map(({ key, value }) => {
			const [[type, content]] = Object.entries(value) as [[string, string | number | boolean]];
			return [key, type === "intValue" ? Number(content) : content];
		}),
	);
}

/** A span of OTLP JSON with its attributes by name. */
export function readSpan(span: Record<string, unknown>): TestSpan {
	return {
		...span,
		attributes: readAttributes(span.attributes as OtlpAttribute[]),
		events: (span.events as { name: string; attributes: OtlpAttribute[] }[]).map((event) => ({
			name: event.name,
			attributes: readAttributes(event.attributes),
		})),
	} as unknown as TestSpan;
}

/** What `GET /inspector/traces` answers. */
export async function tracesOf(
	runtime: Pick<TestRuntime, "url">,
	actorId: string,
	query = "",
): Promise<TestTraces> {
	const response = await fetch(`${runtime.url}/gateway/${actorId}/inspector/traces${query}`);
	if (response.status !== 200) throw new Error(`${response.status} ${await response.text()}`);
	const { otlp, clamped } = (await response.json()) as {
		otlp: {
			resourceSpans: {
				resource?: { attributes: OtlpAttribute[] };
				scopeSpans: { spans: Record<string, unknown>[] }[];
			}[];
		};
		clamped: boolean;
	};
	const resource = readAttributes(otlp.resourceSpans[0]!.resource?.attributes ?? []);
	const spans = otlp.resourceSpans[0]!.scopeSpans[0]!.spans.map(readSpan);
	const named = (name: string) => spans.filter((span) => span.name === name);
	return {
		spans,
		clamped,
		leftOut: Number(resource["rivet.traces.left_out"] ?? 0),
		named,
		one(name) {
			const found = named(name);
			if (found.length === 1) return found[0]!;
			throw new Error(
				`${found.length} spans are named ${name}; there are ${spans.map((span) => span.name).join(", ")}`,
			);
		},
	};
}
