import type { LogFunction, Logger } from "./logger.ts";

/** Gives the logger of the moment; the one returned changes when the base logger is replaced. */
export type LoggerSource = () => Logger;

/**
 * A logger that costs nothing until a line is written: the pino child with its bindings is made on the
 * first line that is really logged, and made anew when the base logger was replaced. Logging a value that
 * cannot be serialized does not throw.
 */
export class BoundLogger implements Logger {
	readonly #source: LoggerSource;
	readonly #bindings: Record<string, unknown>;
	#parent: Logger | null = null;
	#child: Logger | null = null;
	#level: string | null = null;

	constructor(source: LoggerSource, bindings: Record<string, unknown>) {
		this.#source = source;
		this.#bindings = bindings;
	}

	get trace(): LogFunction {
		return this.#function("trace");
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
		return this.#level ?? this.#source().level;
	}

	/** For this logger only. */
	set level(level: string) {
		this.#level = level;
		this.#resolve().level = level;
	}

	isLevelEnabled(level: string): boolean {
		return (this.#level === null ? this.#source() : this.#resolve()).isLevelEnabled(level);
	}

	child(bindings: Record<string, unknown>): Logger {
		return new BoundLogger(() => this.#resolve(), bindings);
	}

	#function(level: LevelMethod): LogFunction {
		if (!this.isLevelEnabled(level)) return ignore;
		const logger = this.#resolve();
		return (...args: unknown[]) => writeSafely(logger, level, args);
	}

	#resolve(): Logger {
		const parent = this.#source();
		if (parent !== this.#parent || !this.#child) {
			this.#parent = parent;
			this.#child = parent.child(this.#bindings);
			if (this.#level !== null) this.#child.level = this.#level;
		}
		return this.#child;
	}
}

type Write = (...args: unknown[]) => void;

/**
 * A value that cannot be written (an error whose getter throws, a revoked proxy) costs its own text, not
 * the line, and never the code that reports it.
 */
function writeSafely(logger: Logger, level: LevelMethod, args: readonly unknown[]): void {
	try {
		(logger[level] as Write)(...args);
	} catch (obstacle) {
		const [fields, ...rest] = args.map((arg) => (isObject(arg) ? plainFields(arg) : arg));
		(logger[level] as Write)(
			isObject(fields) ? { ...fields, logObstacle: textOf(obstacle) } : fields,
			...rest,
		);
	}
}

function plainFields(fields: object): Record<string, string> {
	try {
		return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, textOf(value)]));
	} catch {
		return {};
	}
}

function textOf(value: unknown): string {
	try {
		return value instanceof Error ? `${value.name}: ${value.message}` : String(value);
	} catch {
		return "(a value that cannot be shown)";
	}
}

function isObject(value: unknown): value is object {
	return typeof value === "object" && value !== null;
}

type LevelMethod = "trace" | "debug" | "info" | "warn" | "error" | "fatal";

const ignore = (): void => {};
