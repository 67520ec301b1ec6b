import { Cron } from "croner";

/** Expressions that stay compiled in a process. */
const COMPILED_MAX = 1_000;
/** Longest expression (characters). */
const EXPRESSION_LENGTH_MAX = 256;

/**
 * The times a cron expression names: five fields (minute, hour, day of month, month, day of week), or six
 * with seconds first, or one of `@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly`. When day of month and day of
 * week are both restricted, either is enough; a `+` before the day of week asks for both.
 *
 * When clocks change:
 *
 * - **Fixed times** (neither `*` nor a step in seconds, minutes and hours, like `30 2 * * *`): a time that
 *   does not exist that day runs at the first valid moment after the gap; one that occurs twice runs once,
 *   at its first occurrence.
 * - **Intervals** (all others, like `0 * * * *`): go on evenly in real time. Times in a gap do not exist
 *   and are skipped, an hour that occurs twice is run through twice.
 */
export class CronExpression {
	readonly #cron: Cron;
	/** The step asked for last: actors with the same expression fire together and ask the same. */
	#known: { readonly after: number; readonly next: number | null } | null = null;

	/** Throws what `croner` says about expression and zone. */
	constructor(expression: string, timezone: string) {
		this.#cron = new Cron(expression, {
			paused: true,
			mode: "5-or-6-parts",
			timezone,
			fixedTimeRule: "no-wildcard",
		});
	}

	/** The first time after `afterMs`, null when there is none. */
	next(afterMs: number): number | null {
		if (this.#known?.after !== afterMs) {
			const next = this.#cron.nextRun(new Date(afterMs))?.getTime() ?? null;
			this.#known = { after: afterMs, next };
		}
		return this.#known.next;
	}

	/** The last `count` times up to `untilMs`, that one included, latest first. */
	latest(untilMs: number, count: number): number[] {
		return this.#cron.previousRuns(count, new Date(untilMs + 1)).map((date) => date.getTime());
	}
}

const compiled = new Map<string, CronExpression>();

/**
 * The compiled form of an expression. Throws a `TypeError` that quotes what is wrong with it, or with the
 * time zone, and one when it never comes true (31 February).
 */
export function cronExpression(expression: string, timezone: string): CronExpression {
	const key = `${timezone}\n${expression}`;
	const known = compiled.get(key);
	if (known) return known;
	const fresh = compile(expression, timezone);
	if (compiled.size >= COMPILED_MAX) compiled.delete(compiled.keys().next().value!);
	compiled.set(key, fresh);
	return fresh;
}

function compile(expression: string, timezone: string): CronExpression {
	if (expression.length > EXPRESSION_LENGTH_MAX) {
		throw new TypeError(`Cron expressions have at most ${EXPRESSION_LENGTH_MAX} characters`);
	}
	if (!isTimeZone(timezone)) {
		throw new TypeError(
			`Unknown time zone ${JSON.stringify(timezone)}: expected an IANA name like "Europe/Berlin"`,
		);
	}
	const fields = expression.trim().split(/\s+/).length;
	if (fields !== 5 && fields !== 6 && !expression.startsWith("@")) {
		throw invalid(expression, `it has ${fields} ${fields === 1 ? "field" : "fields"}`);
	}
	let fresh: CronExpression;
	try {
		fresh = new CronExpression(expression, timezone);
	} catch (error) {
		const what = (error as Error).message.replace(/^CronPattern: /, "").replace(/\.$/, "");
		throw invalid(expression, what, error);
	}
	if (fresh.next(Date.UTC(2000, 0)) === null) throw invalid(expression, "it never comes true");
	return fresh;
}

function invalid(expression: string, what: string, cause?: unknown): TypeError {
	return new TypeError(
		`Invalid cron expression ${JSON.stringify(expression)}: ${what}. Expected five fields (minute hour day-of-month month day-of-week), or six with seconds first, for example "0 9 * * MON-FRI"`,
		{ cause },
	);
}

function isTimeZone(name: string): boolean {
	try {
		new Intl.DateTimeFormat("en", { timeZone: name });
		return true;
	} catch {
		return false;
	}
}
