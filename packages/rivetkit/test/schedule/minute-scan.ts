/** What a five-field expression says, in a form that can be tried on every minute. */
export interface Fields {
	readonly minutes: ReadonlySet<number>;
	readonly hours: ReadonlySet<number>;
	readonly days: ReadonlySet<number> | null;
	readonly months: ReadonlySet<number> | null;
	readonly weekdays: ReadonlySet<number> | null;
	/** Whether minute and hour are written without `*` and without a step. */
	readonly isFixed: boolean;
}

const MINUTE_MS = 60_000;
const QUARTER_MS = 15 * MINUTE_MS;

/** Times an expression names in `(fromMs, toMs]`, found by looking at every minute of the zone's own clock. */
export function scanMinutes(fields: Fields, zone: string, fromMs: number, toMs: number): number[] {
	const local = localClock(zone);
	const found: number[] = [];
	// Far enough back to know whether the first minutes are repeated ones.
	const startMs = Math.floor(fromMs / MINUTE_MS) * MINUTE_MS - 26 * 60 * MINUTE_MS;
	let before = local(startMs);
	let latest = before;
	for (let ms = startMs + MINUTE_MS; ms <= toMs; ms += MINUTE_MS) {
		const shown = local(ms);
		let isDue = matches(fields, shown);
		if (fields.isFixed) {
			isDue &&= shown > latest;
			for (let gone = before + MINUTE_MS; gone < shown; gone += MINUTE_MS) {
				isDue ||= matches(fields, gone);
			}
		}
		if (isDue && ms > fromMs) found.push(ms);
		before = shown;
		latest = Math.max(latest, shown);
	}
	return found;
}

/** `shown` is what the clock on the wall shows, as if it were UTC. */
function matches({ minutes, hours, days, months, weekdays }: Fields, shown: number): boolean {
	const date = new Date(shown);
	if (!minutes.has(date.getUTCMinutes()) || !hours.has(date.getUTCHours())) return false;
	if (months && !months.has(date.getUTCMonth() + 1)) return false;
	const isDay = days?.has(date.getUTCDate());
	const isWeekday = weekdays?.has(date.getUTCDay());
	if (days && weekdays) return isDay! || isWeekday!;
	return (isDay ?? true) && (isWeekday ?? true);
}

/** What the clock on the wall shows. Offsets are looked up once per quarter: they change on one. */
function localClock(zone: string): (ms: number) => number {
	const format = new Intl.DateTimeFormat("en-US", {
		timeZone: zone,
		hourCycle: "h23",
		year: "numeric",
		month: "numeric",
		day: "numeric",
		hour: "numeric",
		minute: "numeric",
	});
	const shownAt = (ms: number): number => {
		const parts: Record<string, number> = {};
		for (const { type, value } of format.formatToParts(ms)) parts[type] = Number(value);
		const { year, month, day, hour, minute } = parts;
		return Date.UTC(year!, month! - 1, day!, hour!, minute!);
	};
	const offsets = new Map<number, number>();
	return (ms) => {
		const quarter = Math.floor(ms / QUARTER_MS) * QUARTER_MS;
		let offset = offsets.get(quarter);
		if (offset === undefined) {
			offset = shownAt(quarter) - quarter;
			offsets.set(quarter, offset);
		}
		return ms + offset;
	};
}
