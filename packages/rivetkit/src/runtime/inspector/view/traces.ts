/** What there is while no spans are recorded (contract: protocol 7.2). */
export const NO_TRACES = {
	otlp: { resourceSpans: [{ scopeSpans: [{ spans: [] }] }] },
	clamped: false,
} as const;
