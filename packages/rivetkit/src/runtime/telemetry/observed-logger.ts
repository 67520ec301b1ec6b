import type { LogFunction, Logger } from "../../log/logger.ts";
import { currentSpan } from "../calls/call-scope.ts";
import { toPlainJson } from "../inspector/plain-json.ts";
import type { ActorTelemetry } from "./actor-telemetry.ts";
import { shortened } from "./span.ts";

const LEVELS = ["trace", "debug", "info", "warn", "error", "fatal"] as const;
type Level = (typeof LEVELS)[number];

/** Characters of the fields of one line; more are left out. */
const FIELDS_LENGTH_MAX = 8_192;
/** Levels of them: an answer, which has more around them, holds 1,024 in CBOR. */
const FIELDS_LEVELS_MAX = 1_000;
const ENTRY_BYTES = 150;

/**
 * An actor's logger whose lines inspectors see, too: those that it lets through, and all from `debug` on
 * while somebody watches. A line in a span is an event of it (contract: lifecycle 19).
 */
export function observedLogger(log: Logger, telemetry: ActorTelemetry): Logger {
	return new ObservedLogger(log, telemetry, {});
}

class ObservedLogger implements Logger {
	readonly #log: Logger;
	readonly #telemetry: ActorTelemetry;
	readonly #bindings: Readonly<Record<string, unknown>>;

	constructor(log: Logger, telemetry: ActorTelemetry, bindings: Readonly<Record<string, unknown>>) {
		this.#log = log;
		this.#telemetry = telemetry;
		this.#bindings = bindings;
	}

	get trace(): LogFunction {
		return this.#log.trace.bind(this.#log);
	}
	get debug(): LogFunction {
		return this.#function("debug");
	}
	get info(): LogFunction {
		return this.#function("info");
	}
	get warn(): LogFunction {
		return this.#function("warn");
	}
	get error(): LogFunction {
		return this.#function("error");
	}
	get fatal(): LogFunction {
		return this.#function("fatal");
	}

	get level(): string {
		return this.#log.level;
	}

	set level(level: string) {
		this.#log.level = level;
	}

	isLevelEnabled(level: string): boolean {
		return this.#log.isLevelEnabled(level);
	}

	child(bindings: Record<string, unknown>): Logger {
		const all = { ...this.#bindings, ...bindings };
		return new ObservedLogger(this.#log.child(bindings), this.#telemetry, all);
	}

	#function(level: Level): LogFunction {
		const log = this.#log;
		const isWritten = log.isLevelEnabled(level);
		if (!isWritten && !this.#isWanted()) return ignore;
		const write = log[level] as Write;
		return (...args: unknown[]) => {
			if (isWritten) write.apply(log, args);
			this.#record(level, args);
		};
	}

	/** Whether somebody wants lines that the logger does not let through. */
	#isWanted(): boolean {
		const { host } = this.#telemetry;
		if (host.recordsSpans && currentSpan() !== null) return true;
		return this.#telemetry.trailOrNone?.recordsLogs(host.wallMs()) ?? false;
	}

	#record(level: Level, args: readonly unknown[]): void {
		const { host } = this.#telemetry;
		const atMs = host.nowMs();
		const { message, fields } = lineOf(this.#bindings, args);
		const span = host.recordsSpans ? currentSpan() : null;
		span?.addEvent("log", atMs, { "log.level": level, "log.message": message });
		const { trail } = this.#telemetry;
		if (!this.#log.isLevelEnabled(level) && !trail.recordsLogs(host.wallMs())) return;
		const text = fieldsText(fields);
		trail.addLog({
			id: host.trails.next(),
			atMs: Math.floor(atMs),
			level,
			message,
			fields: text,
			span,
			bytes: ENTRY_BYTES + message.length + text.length,
			isDropped: false,
		});
	}
}

type Write = (...args: unknown[]) => void;

const ignore = (): void => {};

function lineOf(
	bindings: Readonly<Record<string, unknown>>,
	[first, ...rest]: readonly unknown[],
): { message: string; fields: Readonly<Record<string, unknown>> } {
	if (typeof first === "object" && first !== null) {
		const own = first instanceof Error ? { err: first } : first;
		return { message: filledIn(rest), fields: { ...bindings, ...own } };
	}
	return { message: filledIn([first, ...rest]), fields: bindings };
}

/** `%s`, `%d`, `%i`, `%f`, `%o`, `%O` and `%j`, as pino fills them in. */
function filledIn([text = "", ...values]: readonly unknown[]): string {
	let at = 0;
	const filled = String(text).replace(/%[sdifoOj%]/g, (place) => {
		if (place === "%%") return "%";
		if (at >= values.length) return place;
		const value = values[at++];
		return typeof value === "object" ? fieldsText(value) : String(value);
	});
	return shortened(filled);
}

function fieldsText(value: unknown): string {
	try {
		const text = toPlainJson(value, FIELDS_LEVELS_MAX);
		if (text.length <= FIELDS_LENGTH_MAX) return text;
		return JSON.stringify({ tooLong: `${text.slice(0, FIELDS_LENGTH_MAX)}…` });
	} catch {
		return JSON.stringify({ unreadable: "the fields of this line cannot be shown" });
	}
}
