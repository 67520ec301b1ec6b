import type { LogFunction, Logger } from "./logger.ts";

/** Gives the logger of the moment; the one returned changes when the base logger is replaced. */
export type LoggerSource = () => Logger;

/**
 * A logger that costs nothing until a line is written: the pino child with its bindings is made on the
 * first line that is really logged, and made anew when the base logger was replaced.
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
		return (logger[level] as (...args: unknown[]) => void).bind(logger);
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

type LevelMethod = "trace" | "debug" | "info" | "warn" | "error" | "fatal";

const ignore = (): void => {};
