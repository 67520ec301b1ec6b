import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CronExpression, cronExpression } from "../../src/runtime/schedule/cron-expression.ts";
import { type Fields, scanMinutes } from "./minute-scan.ts";

const HOUR_MS = 3_600_000;
const iso = (times: readonly number[]) => times.map((ms) => new Date(ms).toISOString());

/** Every time an expression names in `(from, to]`. */
function timesOf(expression: string, zone: string, from: number, to: number): number[] {
	const times: number[] = [];
	const cron = new CronExpression(expression, zone);
	for (let ms = cron.next(from); ms !== null && ms <= to; ms = cron.next(ms)) times.push(ms);
	return times;
}

const between = (expression: string, zone: string, from: string, to: string) =>
	iso(timesOf(expression, zone, Date.parse(from), Date.parse(to)));

describe("when clocks go forward", () => {
	it("a fixed time in the gap runs at the first moment after it", () => {
		expect(
			between("30 2 * * *", "Europe/Berlin", "2025-03-29T12:00Z", "2025-03-31T12:00Z"),
		).toEqual(["2025-03-30T01:00:00.000Z", "2025-03-31T00:30:00.000Z"]);
	});

	it("several fixed times in one gap run once at its end", () => {
		expect(
			between("0,30 2 * * *", "America/New_York", "2025-03-08T12:00Z", "2025-03-09T20:00Z"),
		).toEqual(["2025-03-09T07:00:00.000Z"]);
	});

	it("an interval skips the gap and stays even in real time", () => {
		expect(
			between("*/30 * * * *", "Europe/Berlin", "2025-03-30T00:00Z", "2025-03-30T02:00Z"),
		).toEqual([
			"2025-03-30T00:30:00.000Z",
			"2025-03-30T01:00:00.000Z",
			"2025-03-30T01:30:00.000Z",
			"2025-03-30T02:00:00.000Z",
		]);
		expect(
			between("*/30 2 * * *", "Europe/Berlin", "2025-03-29T12:00Z", "2025-03-30T12:00Z"),
		).toEqual([]);
	});
});

describe("when clocks go back", () => {
	it("a fixed time that comes twice runs once, the first time", () => {
		expect(
			between("30 2 * * *", "Europe/Berlin", "2025-10-25T12:00Z", "2025-10-27T12:00Z"),
		).toEqual(["2025-10-26T00:30:00.000Z", "2025-10-27T01:30:00.000Z"]);
	});

	it("an interval goes on through the repeated hour", () => {
		expect(
			between("0 * * * *", "America/New_York", "2025-11-02T04:30Z", "2025-11-02T08:00Z"),
		).toEqual([
			"2025-11-02T05:00:00.000Z",
			"2025-11-02T06:00:00.000Z",
			"2025-11-02T07:00:00.000Z",
			"2025-11-02T08:00:00.000Z",
		]);
	});
});

/** Zones with changes of an hour, of half an hour, at midnight, in the south, and without any. */
const ZONES = [
	"UTC",
	"Europe/Berlin",
	"America/New_York",
	"America/St_Johns",
	"Australia/Lord_Howe",
	"Africa/Cairo",
	"America/Santiago",
	"Asia/Kolkata",
];

interface Generated {
	readonly text: string;
	readonly fields: Fields;
}

interface Part {
	readonly text: string;
	readonly values: readonly number[];
	readonly isOpen: boolean;
}

/** One field: everything, a step, a list, or a range. */
function part(min: number, max: number): fc.Arbitrary<Part> {
	const all = Array.from({ length: max - min + 1 }, (_, index) => min + index);
	return fc.oneof(
		fc.constant({ text: "*", values: all, isOpen: true }),
		fc.integer({ min: 1, max: Math.ceil((max - min) / 2) }).map((step) => ({
			text: `*/${step}`,
			values: all.filter((_, index) => index % step === 0),
			isOpen: true,
		})),
		fc.uniqueArray(fc.integer({ min, max }), { minLength: 1, maxLength: 3 }).map((values) => ({
			text: values.join(","),
			values,
			isOpen: false,
		})),
		fc.tuple(fc.integer({ min, max }), fc.integer({ min, max })).map(([a, b]) => {
			const [first, last] = [Math.min(a, b), Math.max(a, b)];
			return {
				text: `${first}-${last}`,
				values: all.filter((value) => value >= first && value <= last),
				isOpen: false,
			};
		}),
	);
}

const restricted = ({ text, values }: Part) => (text === "*" ? null : new Set(values));

const expressions: fc.Arbitrary<Generated> = fc
	.tuple(part(0, 59), part(0, 23), part(1, 31), part(1, 12), part(0, 6))
	.map(([minutes, hours, days, months, weekdays]) => ({
		text: [minutes, hours, days, months, weekdays].map(({ text }) => text).join(" "),
		fields: {
			minutes: new Set(minutes.values),
			hours: new Set(hours.values),
			days: restricted(days),
			months: restricted(months),
			weekdays: restricted(weekdays),
			isFixed: !minutes.isOpen && !hours.isOpen,
		},
	}));

/** The start of a day and a half: around a change of the clocks of the zone, or any. */
function windows(zone: string): fc.Arbitrary<number> {
	const changes = changesOf(zone);
	const anywhere = fc.integer({ min: Date.UTC(2023, 0), max: Date.UTC(2026, 11) });
	if (changes.length === 0) return anywhere;
	const around = fc
		.tuple(fc.constantFrom(...changes), fc.integer({ min: -30, max: 0 }))
		.map(([change, hours]) => change + hours * HOUR_MS);
	return fc.oneof({ weight: 5, arbitrary: around }, { weight: 1, arbitrary: anywhere });
}

function changesOf(zone: string): number[] {
	const offset = new Intl.DateTimeFormat("en", { timeZone: zone, timeZoneName: "longOffset" });
	const shown = (ms: number) => offset.format(ms).split(",").at(-1)!.replace(/.*GMT/, "");
	const changes: number[] = [];
	for (let ms = Date.UTC(2023, 0); ms < Date.UTC(2027, 0); ms += HOUR_MS) {
		if (shown(ms) !== shown(ms - HOUR_MS)) changes.push(ms);
	}
	return changes;
}

describe.each(ZONES)("next times in %s", (zone) => {
	it("are those that a look at every minute finds, and going back meets the same ones", () => {
		fc.assert(
			fc.property(expressions, windows(zone), ({ text, fields }, fromMs) => {
				const toMs = fromMs + 36 * HOUR_MS;
				const expected = scanMinutes(fields, zone, fromMs, toMs);
				expect(iso(timesOf(text, zone, fromMs, toMs)), text).toEqual(iso(expected));
				const back = new CronExpression(text, zone).latest(toMs, expected.length);
				expect(iso(back.toReversed()), `${text} backwards`).toEqual(iso(expected));
			}),
			{ numRuns: 20 },
		);
	});
});

it("seconds are the first of six fields", () => {
	expect(between("*/20 30 9 * * *", "UTC", "2025-01-01T00:00Z", "2025-01-01T12:00Z")).toEqual([
		"2025-01-01T09:30:00.000Z",
		"2025-01-01T09:30:20.000Z",
		"2025-01-01T09:30:40.000Z",
	]);
});

it.each([
	["* * * *", "it has 4 fields"],
	["* * * * * * 2030", "it has 7 fields"],
	["2030-01-01T00:00:00", "it has 1 field"],
	["61 * * * *", "minute"],
	["0 0 30 2 *", "it never comes true"],
	["@reboot", "@reboot"],
])("%s is refused, and the error says why", (expression, why) => {
	expect(() => cronExpression(expression, "UTC")).toThrow(TypeError);
	expect(() => cronExpression(expression, "UTC")).toThrow(why);
	expect(() => cronExpression(expression, "UTC")).toThrow(JSON.stringify(expression));
});

it("an unknown time zone is refused by name", () => {
	expect(() => cronExpression("* * * * *", "Mars/Olympus")).toThrow(
		/Unknown time zone "Mars\/Olympus"/,
	);
});
