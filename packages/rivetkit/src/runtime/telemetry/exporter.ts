import type { Attributes, ExportedSpan } from "./span.ts";
import type { SpanKind } from "./span-kinds.ts";
import type { RemoteParent } from "./trace-context.ts";

/** What a span is begun with elsewhere. */
export interface ExportedStart {
	readonly kind: SpanKind;
	readonly name: string;
	readonly startMs: number;
	readonly attributes: Attributes;
	readonly parent: RemoteParent | null;
	/** Whether the parent is a span of another process, as far as we know. */
	readonly isParentRemote: boolean;
}

/** Where spans go besides the inspector. */
export interface SpanExporter {
	/** Null when there is nowhere to go any more. */
	begin(start: ExportedStart): ExportedSpan | null;
	/** The span of the application that the code running now belongs to; null for none. */
	current(): RemoteParent | null;
}
