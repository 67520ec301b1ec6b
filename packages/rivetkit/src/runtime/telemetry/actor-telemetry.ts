import { type StorageBatch, serializeKey } from "@rivetkit/protocol";
import { currentSpan, runInSpan } from "../calls/call-scope.ts";
import type { OpenBatch } from "../commit/batch-part.ts";
import { CallShare } from "./call-share.ts";
import type { HostTelemetry } from "./host-telemetry.ts";
import type { ActorCounts } from "./metrics/actor-metrics.ts";
import type { TypeMetrics, WorkMetrics } from "./metrics/type-metrics.ts";
import { type Attributes, Span, type SpanParent, shortened, type Trace, Work } from "./span.ts";
import { SpanKeeper, type SpanOwner } from "./span-keeper.ts";
import { SPAN_KINDS, type SpanKind } from "./span-kinds.ts";
import type { TimedCalls } from "./timed-calls.ts";
import { formatTraceparent, RequestCaller } from "./trace-context.ts";
import type { Trail } from "./trail.ts";
import type { Wait } from "./waits.ts";

/** What something failed with; a wrapper, because anything can be thrown. */
export interface Thrown {
	readonly thrown: unknown;
}

/** A call of somebody else; without a span when that was left out. */
export interface OutgoingCall {
	readonly span: Span | null;
	readonly traceparent: string;
}

/** Statements of one span that get a span of their own; of the others only the number is kept. */
const STATEMENTS_MAX = 64;
/** What the attributes of a commit take, about. */
const COMMIT_BYTES = 100;
/** The flag of traces that begin here: recorded. */
const SAMPLED = 1;
/** Work that took longer than this is recorded even if its trace was left out (ms). */
const SLOW_MS = 1_000;

/** The incarnation that is recorded. */
export type TelemetryOwner = Pick<SpanOwner, "generation" | "timers" | "commitSpans">;

/** Whom spans are about. */
export interface TracedActor {
	readonly actorId: string;
	readonly name: string;
	readonly key: readonly string[];
	readonly region: string;
}

/**
 * What one incarnation records: the one interface of the runtime to traces and metrics. Where no spans are
 * recorded, and of what the budget of traces leaves out, it counts and measures calls, starts and commits
 * only, and nothing of that stays.
 */
export class ActorTelemetry extends CallShare {
	// What most calls and commits touch comes first, and lies together: of an actor that was not busy lately it is read from memory.
	readonly host: HostTelemetry;
	/** Null when nothing is counted. */
	readonly metrics: TypeMetrics | null;
	readonly #timed: TimedCalls;
	#succeeded = 0;
	/** What the last call had that left the stack. */
	#latestWait: Wait | null = null;
	/** Whether calls were left out that may have written something since the last commit. */
	#leftOutWriters = false;
	#writerCount = 0;
	/** The first span since the last commit that has written something. */
	#writer: Span | null = null;
	/** Whether it has spans for the next commits: most of those of a busy actor need not look at it. */
	#hasSpansToStore = false;
	/** Whether the batch that was cut last has some. */
	#storesSpans = false;
	/** Whether that batch holds nothing but spans. */
	#isOwnBatch = false;
	/** The commit that is under way; null for one that is left out with its calls. */
	#commit: Work | null = null;
	#commits = 0;
	#commitBytes = 0;
	#failed = 0;
	#failedCommits = 0;
	#isForgotten = false;
	#trail: Trail | null = null;
	/** Null when spans are not stored, and while there are none. */
	#keeper: SpanKeeper | null = null;
	readonly #actor: TracedActor;
	readonly #owner: TelemetryOwner;
	/** What was before is not of this incarnation. */
	readonly #bornMs: number;

	constructor(host: HostTelemetry, actor: TracedActor, owner: TelemetryOwner) {
		super();
		this.host = host;
		this.metrics = host.recordsMetrics ? host.metricsOf(actor.name) : null;
		this.#timed = host.timedCallsOf(actor.name);
		this.#actor = actor;
		this.#owner = owner;
		this.#bornMs = host.nowMs();
	}

	/** What it did since it began. */
	get counts(): ActorCounts {
		this.#timed.gather();
		return {
			succeeded: this.#succeeded,
			failed: this.#failed,
			commits: this.#commits,
			failedCommits: this.#failedCommits,
			commitBytes: this.#commitBytes,
		};
	}

	/**
	 * Null when nothing is recorded of such work; one that is only measured when its trace is left out. What it
	 * returns goes into {@link end}.
	 */
	begin(kind: SpanKind, subject: string | null, parent: SpanParent): Work | null {
		const { host } = this;
		// Two looks at the clock are most of what a piece of work that is only measured costs.
		if (!host.recordsSpans && (this.metrics === null || kind.counted === null)) return null;
		return this.#beginAt(host.nowMs(), kind, subject, parent);
	}

	/** Of an action that somebody calls: whether {@link beginCall} need not be asked, and would begin nothing. */
	skipsCall(): boolean {
		if (this.skips === 0) return false;
		this.skips--;
		return true;
	}

	/**
	 * As {@link begin}, for an action that somebody calls. Null for one that is not timed, too ({@link TimedCalls}): when it
	 * has ended it is begun by {@link beginLate} if it has failed or waited for long, and else counted by {@link countUntimed}.
	 */
	beginCall(subject: string, parent: SpanParent): Work | null {
		const { host } = this;
		if (!host.recordsSpans && this.metrics === null) return null;
		const isSample = !this.#timed.skips();
		// Whatever the rate, there are as many traces as the budget has room for.
		if (!isSample && (!host.recordsSpans || host.budget.refuses(this))) {
			this.#timed.leftOut(this);
			return null;
		}
		const nowMs = host.nowMs();
		const work = this.#beginAt(nowMs, SPAN_KINDS.action, subject, parent);
		if (isSample) this.#timed.began(work, nowMs, this.#owner.timers);
		return work;
	}

	/** A call leaves the stack. Null when nothing is recorded. @param work - null for one that is not timed */
	leavesStack(work: Work | null): Wait | null {
		if (work === null) {
			// It may have written something that is committed before it ends.
			this.#leftOutWriters = true;
			if (this.#latestWait?.isEstimated) return this.#latestWait;
		}
		if (!this.host.recordsSpans && this.metrics === null) return null;
		this.#latestWait = this.#timed.leavesStack(work);
		return this.#latestWait;
	}

	/** A call that was not timed is, now that it ends; when it began is an estimate. @param wait - null when it has not left the stack */
	beginLate(subject: string, parent: SpanParent, wait: Wait | null): Work | null {
		const { host } = this;
		if (!host.recordsSpans && this.metrics === null) return null;
		const timed = this.#timed;
		const startMs = wait === null ? timed.startOf(host.nowMs()) : timed.waits.startOf(wait);
		return host.recordsSpans
			? this.#leaveOut(startMs, SPAN_KINDS.action, subject, parent)
			: new Work(SPAN_KINDS.action, subject, startMs, null);
	}

	/** For what is not measured where it is not recorded. */
	beginSpan(kind: SpanKind, subject: string | null, parent: SpanParent): Span | null {
		const { host } = this;
		if (!host.recordsSpans) return null;
		const isRoot = !(parent instanceof Span);
		if (isRoot && !host.turns.isOver(host.refusedIn) && host.budget.refuses(this)) {
			this.#leaveOut(0, kind, subject, parent);
			return null;
		}
		const work = this.#beginAt(host.nowMs(), kind, subject, parent);
		if (work instanceof Span) return work;
		host.refusedIn = host.turns.current;
		return null;
	}

	#beginAt(nowMs: number, kind: SpanKind, subject: string | null, parent: SpanParent): Work | null {
		const { host } = this;
		if (!host.recordsSpans) return new Work(kind, subject, nowMs, null);
		if (!this.#isAdmitted(parent, nowMs)) return this.#leaveOut(nowMs, kind, subject, parent);
		const span = this.#newSpan(kind, subject, parent, nowMs);
		if (!this.#isForgotten) this.trail.begin(span);
		return span;
	}

	#isAdmitted(parent: SpanParent, nowMs: number): boolean {
		const { budget } = this.host;
		return parent instanceof Span
			? budget.continues(parent.trace.admission, this, nowMs)
			: budget.admits(this, nowMs);
	}

	#leaveOut(
		nowMs: number,
		kind: SpanKind,
		subject: string | null,
		parent: SpanParent,
	): Work | null {
		// A hook goes with what it belongs to.
		if (kind !== SPAN_KINDS.hook) this.#countLeftOut();
		// A step's commit goes with it, too, and a `run` may end in a crash.
		if (kind === SPAN_KINDS.step) this.#leftOutWriters = true;
		// What is not counted is not measured, but for a `run`, which is recorded if it fails.
		if (kind.counted === null && kind !== SPAN_KINDS.run) return null;
		if (kind !== SPAN_KINDS.commit) this.#leftOutWriters = true;
		return new Work(kind, subject, nowMs, parent);
	}

	#countLeftOut(): void {
		this.host.budget.leftOut++;
		this.untold++;
	}

	/**
	 * A span of something that has turned out to be worth a look: its own, or one that is made now. Null when too much was
	 * recorded late.
	 */
	recorded(work: Work): Span | null {
		if (work instanceof Span) return work;
		const { host } = this;
		return host.recordsSpans && host.budget.admitsLate(host.nowMs())
			? this.#recordLate(work)
			: null;
	}

	#recordLate({ kind, subject, leftOutBelow, startMs, failure }: Work): Span {
		const span = this.#newSpan(kind, subject, leftOutBelow, startMs);
		span.failure = failure;
		span.set("rivet.trace.left_out", true);
		if (!this.#isForgotten) this.trail.begin(span);
		return span;
	}

	#newSpan(kind: SpanKind, subject: string | null, origin: SpanParent, startMs: number): Span {
		const { host } = this;
		const parent = origin instanceof RequestCaller ? origin.read() : origin;
		const admission = parent instanceof Span ? parent.trace.admission : host.budget.admission();
		if (host.exporter !== null) {
			const exported = host.exporter.begin({
				kind,
				name: spanName(kind, subject),
				startMs,
				attributes: spanAttributes(this.#actor, kind, subject),
				parent: parent instanceof Span ? host.contextOf(parent) : parent,
				isParentRemote: parent !== null && !(parent instanceof Span),
			});
			if (exported !== null) {
				const { traceId, spanId, parentSpanId, flags } = exported;
				const trace = { id: traceId, flags, admission };
				return new Span(kind, subject, trace, parentSpanId, spanId, startMs, exported);
			}
		}
		const id = host.nextSpanId();
		if (parent === null) {
			const trace: Trace = { id: null, flags: SAMPLED, admission };
			return new Span(kind, subject, trace, null, id, startMs, null);
		}
		if (parent instanceof Span) {
			return new Span(kind, subject, parent.trace, parent.id, id, startMs, null);
		}
		const { traceId, spanId, flags } = parent;
		return new Span(kind, subject, { id: traceId, flags, admission }, spanId, id, startMs, null);
	}

	end(work: Work, failure?: Thrown): void {
		this.#endAt(this.host.nowMs(), work, failure);
	}

	/** @param wait - null when it has never left the stack */
	endCall(work: Work, wait: Wait | null): void {
		const endMs = this.host.nowMs();
		this.#timed.ended(work, work.failure === null ? endMs - work.startMs : null, wait);
		this.#endAt(endMs, work);
	}

	/**
	 * A call that was not timed has ended well.
	 *
	 * @param wait - {@link Wait.isEstimated}; null when it has never left the stack
	 * @param hasWritten - it is in the next commit
	 */
	countUntimed(wait: Wait | null, hasWritten: boolean): void {
		if (wait === null) this.stayed++;
		else this.waited++;
		if (hasWritten) this.#writerCount++;
		if (!this.isListed) this.#timed.list(this);
	}

	protected gathered(calls: number): void {
		if (this.metrics !== null) this.#succeeded += calls;
		if (this.host.recordsSpans) this.untold += calls;
	}

	#endAt(endMs: number, work: Work, failure?: Thrown): void {
		work.endMs = endMs;
		if (failure !== undefined) work.fail(failure.thrown);
		const { counted } = work.kind;
		if (this.metrics !== null && counted !== null) {
			this.#count(this.metrics, counted, work.failure !== null, endMs - work.startMs);
		}
		if (work instanceof Span) this.#ended(work);
		else if (work.failure !== null || endMs - work.startMs >= SLOW_MS) this.#endLate(endMs, work);
	}

	/** What was left out has turned out to be worth a span. */
	#endLate(endMs: number, work: Work): void {
		const { host } = this;
		if (!host.recordsSpans || !host.budget.admitsLate(endMs)) return;
		const late = this.#recordLate(work);
		late.endMs = endMs;
		this.#ended(late);
	}

	#count(
		metrics: TypeMetrics,
		counted: NonNullable<SpanKind["counted"]>,
		hasFailed: boolean,
		tookMs: number,
	): void {
		let outcomes: WorkMetrics;
		if (counted === "commit") {
			outcomes = metrics.commits;
			if (hasFailed) this.#failedCommits++;
			else this.#commits++;
		} else if (counted === "start") {
			outcomes = metrics.starts;
		} else {
			outcomes = metrics.calls[counted];
			if (hasFailed) this.#failed++;
			else this.#succeeded++;
		}
		if (hasFailed) outcomes.failed++;
		else outcomes.succeeded++;
		outcomes.duration.observe(tookMs / 1_000);
	}

	#ended(span: Span): void {
		const { host } = this;
		if (span.statements > STATEMENTS_MAX) span.set("rivet.db.statements", span.statements);
		span.exported?.end(span.endMs, span.failure);
		if (this.#isForgotten) return;
		span.sequence = host.trails.next();
		this.trail.ended(span);
		if (host.storedBytes === 0) return;
		this.#keeper ??= this.#newKeeper();
		this.#keeper.ended(span);
		this.#hasSpansToStore = true;
	}

	#newKeeper(): SpanKeeper {
		const { host } = this;
		const { generation, timers } = this.#owner;
		const owner = {
			generation,
			timers,
			commitSpans: () => this.#owner.commitSpans(),
			openSpans: () => this.#openSpans(),
		};
		return new SpanKeeper(owner, host, host.storedBytes, host.chunks);
	}

	*#openSpans(): Generator<Span> {
		for (const span of this.#trail?.spans ?? []) {
			if (span.isOpen && span.startMs >= this.#bornMs) yield span;
		}
	}

	/**
	 * A batch is cut: spans may go with it.
	 *
	 * @param cut - `begunMs` is `performance.now` when it was; `isLast`, whether it is the last of the incarnation
	 */
	take(
		batch: OpenBatch,
		isEmpty: boolean,
		cut: { readonly begunMs: number; readonly isLast: boolean },
	): void {
		if (this.#hasSpansToStore || (cut.isLast && this.#keeper !== null)) {
			const nowMs = this.host.timeOf(cut.begunMs);
			this.#storesSpans = this.#keeper!.take(batch, isEmpty, { nowMs, isLast: cut.isLast });
		}
		this.#isOwnBatch = isEmpty && batch.ops.length > 0;
	}

	/** The incarnation is over. */
	stopped(): void {
		this.#keeper?.end();
		this.#timed.end();
		// One that has made room for others is not begun anew for that.
		if (this.host.trails.of(this.#actor.actorId)) this.tell();
	}

	/** Runs something as a span below what runs now, or below `parent`. It ends when what it returns settles. */
	traced<T>(
		kind: SpanKind,
		subject: string | null,
		work: () => T,
		parent: SpanParent | undefined = undefined,
	): T {
		if (!this.host.recordsSpans && (this.metrics === null || kind.counted === null)) return work();
		const begun = this.begin(kind, subject, parent === undefined ? currentSpan() : parent);
		return begun === null ? work() : this.runTraced(begun, work);
	}

	/** The same of what was begun. */
	runTraced<T>(begun: Work, work: () => T): T {
		let result: T;
		try {
			result = begun instanceof Span ? runInSpan(begun, work) : work();
		} catch (thrown) {
			this.end(begun, { thrown });
			throw thrown;
		}
		if (isPromise(result)) {
			result.then(
				() => this.end(begun),
				(thrown) => this.end(begun, { thrown }),
			);
		} else {
			this.end(begun);
		}
		return result;
	}

	/** Something that happened in what runs now; nothing when no span is about that. */
	event(name: string, attributes: Attributes | null): void {
		if (!this.host.recordsSpans) return;
		currentSpan()?.addEvent(name, this.host.nowMs(), attributes);
	}

	/** A statement of a database; null when nothing that is traced runs it, or it has run too many. */
	beginStatement(sql: string): Span | null {
		if (!this.host.recordsSpans) return null;
		const parent = currentSpan();
		if (parent === null || ++parent.statements > STATEMENTS_MAX) return null;
		const text = shortened(sql);
		const span = this.beginSpan(SPAN_KINDS.statement, text, parent);
		if (span !== null) span.growth += text.length;
		return span;
	}

	/** What it has written goes with the next commit. */
	wrote(work: Work): void {
		if (work instanceof Span) this.#writer ??= work;
		this.#writerCount++;
	}

	/** What was written since the last commit came to nothing, or was taken back. */
	dropWriters(): void {
		this.#writer = null;
		this.#writerCount = 0;
		this.#leftOutWriters = false;
	}

	/** @param begunMs - `performance.now` when the batch was cut */
	beginCommit(batch: StorageBatch, begunMs: number): void {
		const parent = this.#writer;
		const writers = this.#writerCount;
		// The commit of calls that are left out is left out with them; that of spans alone is nothing of the actor's.
		const isLeftOut = parent === null && (writers > 0 || this.#leftOutWriters || this.#isOwnBatch);
		this.dropWriters();
		const { host, metrics } = this;
		if (metrics === null && !host.recordsSpans) return;
		const bytes = sizeOf(batch);
		metrics?.commitBytes.observe(bytes);
		this.#commitBytes += bytes;
		if (isLeftOut || !host.recordsSpans) return;
		const work = this.#beginAt(host.timeOf(begunMs), SPAN_KINDS.commit, null, parent);
		this.#commit = work;
		if (!(work instanceof Span)) return;
		work.begin(
			{
				"rivet.commit.bytes": bytes,
				"rivet.commit.operations": batch.ops.length,
				"rivet.commit.calls": writers,
			},
			COMMIT_BYTES,
		);
	}

	/** Times are of `performance.now`: when the batch was cut, and when it was durable or had failed. */
	endCommit(begunMs: number, endedMs: number, failure?: Thrown): void {
		const begun = this.#commit;
		this.#commit = null;
		if (this.#storesSpans) this.#spansStored(failure === undefined);
		const { host, metrics } = this;
		if (begun !== null) {
			this.#endAt(host.timeOf(endedMs), begun, failure);
			return;
		}
		if (metrics === null && !host.recordsSpans) return;
		const tookMs = endedMs - begunMs;
		if (metrics !== null) this.#count(metrics, "commit", failure !== undefined, tookMs);
		if (!host.recordsSpans || (failure === undefined && tookMs < SLOW_MS)) return;
		const work = new Work(SPAN_KINDS.commit, null, host.timeOf(begunMs), null);
		if (failure !== undefined) work.fail(failure.thrown);
		this.#endLate(host.timeOf(endedMs), work);
	}

	#spansStored(isDurable: boolean): void {
		const keeper = this.#keeper!;
		if (isDurable) keeper.committed();
		else keeper.rollBack();
		this.#storesSpans = false;
		this.#hasSpansToStore = !keeper.isIdle;
	}

	/** A call that goes out from here, to be told where it comes from; null when it comes from no trace. */
	beginOutgoing(subject: string): OutgoingCall | null {
		const { host } = this;
		if (!host.recordsSpans) return null;
		const parent = host.exporter?.current() ?? currentSpan();
		const span = this.beginSpan(SPAN_KINDS.outgoing, subject, parent);
		// Without a span of its own it still comes from where its caller is.
		const from = span ?? parent;
		if (from === null) return null;
		const context = from instanceof Span ? host.contextOf(from) : from;
		return { span, traceparent: formatTraceparent(context) };
	}

	endOutgoing({ span }: OutgoingCall, failure?: Thrown): void {
		if (span !== null) this.end(span, failure);
	}

	/** The actor is gone for good, and what it did with it. */
	forget(): void {
		this.#isForgotten = true;
		this.host.trails.remove(this.#actor.actorId);
	}

	/** The trail, if there is one already. */
	get trailOrNone(): Trail | null {
		return this.#trail ?? this.host.trails.of(this.#actor.actorId) ?? null;
	}

	/** What inspectors see of the actor's past. */
	get trail(): Trail {
		if (this.#trail === null || this.#trail.isGone) {
			this.#trail = this.host.trails.open(this.#actor.actorId);
		}
		return this.#trail;
	}

	/** Has the trail say how much was left out. */
	tell(): void {
		this.#timed.gather();
		if (this.untold === 0 || this.#isForgotten) return;
		this.trail.leftOut += this.untold;
		this.untold = 0;
	}
}

export function spanName({ name, isNamed }: SpanKind, subject: string | null): string {
	return isNamed ? name + subject : name;
}

/** Contract: lifecycle 19. */
export function spanAttributes(
	{ actorId, name, key, region }: TracedActor,
	kind: SpanKind,
	subject: string | null,
): Attributes {
	const attributes: Attributes = {
		"rivet.actor.id": actorId,
		"rivet.actor.name": name,
		"rivet.actor.key": serializeKey(key),
		"rivet.actor.region": region,
	};
	if (kind.subjectKey !== null && subject !== null) attributes[kind.subjectKey] = subject;
	if (kind === SPAN_KINDS.scheduled) attributes["rivet.action.scheduled"] = true;
	return attributes;
}

function sizeOf({ ops }: StorageBatch): number {
	let bytes = 0;
	for (const op of ops) {
		if (op.op === "put") bytes += op.key.byteLength + op.value.byteLength;
		else if (op.op === "delete") bytes += op.key.byteLength;
	}
	return bytes;
}

function isPromise(value: unknown): value is PromiseLike<unknown> {
	return (
		typeof value === "object" &&
		value !== null &&
		typeof (value as { then?: unknown }).then === "function"
	);
}
