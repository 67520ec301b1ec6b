import { cpus } from "node:os";
import type { Outcome } from "./run.ts";
import type { Target } from "./scenarios/scenario.ts";
import { median } from "./statistics.ts";
import { type Subject, subjects } from "./subjects.ts";

type Name = Subject["name"];

/** Whether every target was met, undefined when there is nothing to compare. */
export interface Verdict {
	readonly text: string;
	readonly isMet: boolean | undefined;
}

export function medianOf(outcome: Outcome, name: Name): number | undefined {
	const samples = outcome.samples.get(name);
	return samples && samples.length > 0 ? median(samples.map(({ value }) => value)) : undefined;
}

/** The median over the rounds of ours divided by theirs in the same round. */
export function ratioOf(outcome: Outcome, against: Name): number | undefined {
	const ours = outcome.samples.get("ours");
	const theirs = outcome.samples.get(against);
	if (!ours?.length || !theirs?.length) return undefined;
	const ratios = ours.flatMap(({ value }, round) => {
		const other = theirs[round];
		return other === undefined ? [] : [value / other.value];
	});
	return median(ratios);
}

export function judge(outcome: Outcome): Verdict[] {
	return outcome.scenario.targets.map((target) => judgeTarget(outcome, target));
}

function judgeTarget(outcome: Outcome, target: Target): Verdict {
	if ("valueMax" in target) {
		const text = `at most ${number(target.valueMax)} ${outcome.scenario.unit}`;
		return atMost(text, medianOf(outcome, "ours"), target.valueMax);
	}
	if ("detailMax" in target) {
		const text = `${target.detail} at most ${number(target.detailMax)}`;
		return atMost(text, detailOf(outcome, "ours", target.detail), target.detailMax);
	}
	if ("valueMin" in target) {
		const value = medianOf(outcome, "ours");
		const text = `at least ${number(target.valueMin)} ${outcome.scenario.unit}`;
		return { text, isMet: value === undefined ? undefined : value >= target.valueMin };
	}
	const ratio = ratioOf(outcome, target.against);
	if ("ratioMax" in target) {
		return atMost(`at most ${target.ratioMax}x ${target.against}`, ratio, target.ratioMax);
	}
	const text = `at least ${target.ratioMin}x ${target.against}`;
	return { text, isMet: ratio === undefined ? undefined : ratio >= target.ratioMin };
}

function atMost(text: string, value: number | undefined, limit: number): Verdict {
	return { text, isMet: value === undefined ? undefined : value <= limit };
}

function detailOf(outcome: Outcome, name: Name, detail: string): number | undefined {
	const samples = outcome.samples.get(name);
	if (!samples || samples.length === 0) return undefined;
	return median(samples.map(({ details }) => details[detail] as number));
}

/** Markdown: the values, the ratios, what was to be reached, and what stands behind the values. */
export function report(outcomes: readonly Outcome[], settings: string): string {
	const rows = outcomes.map((outcome) => [
		outcome.scenario.title,
		...subjects.map(({ name }) => cell(medianOf(outcome, name))),
		outcome.scenario.unit,
		...(["bare", "grouped", "published"] as const).map((name) => {
			const ratio = ratioOf(outcome, name);
			return ratio === undefined ? "–" : `${ratio.toFixed(2)}x`;
		}),
		judge(outcome)
			.map(({ text, isMet }) => `${text}: ${isMet === undefined ? "?" : isMet ? "yes" : "**no**"}`)
			.join("; "),
	]);
	const details = outcomes.flatMap((outcome) =>
		[...outcome.samples].map(([name, samples]) => [
			outcome.scenario.name,
			name,
			samples.map(({ value }) => number(value)).join(", "),
			Object.keys(samples[0]?.details ?? {})
				.map(
					(key) =>
						`${key} ${number(median(samples.map((sample) => sample.details[key] as number)))}`,
				)
				.join(", "),
		]),
	);
	const failures = outcomes.flatMap((outcome) =>
		[...outcome.failures].map(
			([name, message]) => `- ${outcome.scenario.name}, ${name}: ${message}`,
		),
	);
	return [
		`Node ${process.version}, ${cpus().length} x ${cpus()[0]?.model.trim()}, ${settings}`,
		subjects.map(({ name, title }) => `- \`${name}\`: ${title}`).join("\n"),
		table(
			[
				"scenario",
				...subjects.map(({ name }) => name),
				"unit",
				"ours/bare",
				"ours/grouped",
				"ours/published",
				"to reach",
			],
			rows,
		),
		"Every round, and medians of what stands behind it: latency, server processor time per operation in µs.",
		table(["scenario", "server", "rounds", "details"], details),
		...profiled(outcomes),
		...(failures.length > 0 ? ["Failed:", failures.join("\n")] : []),
	].join("\n\n");
}

/** Where the event loop of `ours` spends its time: one column per scenario that was profiled. */
function profiled(outcomes: readonly Outcome[]): string[] {
	const all = outcomes.flatMap(({ scenario, profile }) =>
		profile === undefined ? [] : [{ name: scenario.name, ...profile }],
	);
	if (all.length === 0) return [];
	const sum = (part: string): number =>
		all.reduce((total, { parts, busyMicros }) => total + (parts[part] ?? 0) / busyMicros, 0);
	const names = [...new Set(all.flatMap(({ parts }) => Object.keys(parts)))].sort(
		(a, b) => sum(b) - sum(a),
	);
	const percent = (micros: number, of: number): string => `${((100 * micros) / of).toFixed(1)} %`;
	return [
		"Where the event loop of `ours` spends its time: self time by part, of one more sample under the profiler.",
		table(
			["part", ...all.map(({ name }) => name)],
			[
				[
					"busy, of all time",
					...all.map(({ busyMicros, idleMicros }) => percent(busyMicros, busyMicros + idleMicros)),
				],
				...names.map((part) => [
					part,
					...all.map(({ parts, busyMicros }) => percent(parts[part] ?? 0, busyMicros)),
				]),
			],
		),
	];
}

/** A page that is kept names no folders of the machine it was made on; messages of failures may. */
export function withoutPaths(text: string, names: ReadonlyMap<string, string>): string {
	// Longer paths first: one may be inside another.
	const paths = [...names.keys()].sort((a, b) => b.length - a.length);
	return paths.reduce((rest, path) => rest.replaceAll(path, names.get(path)!), text);
}

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
	const widths = head.map((title, column) =>
		Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)),
	);
	const line = (cells: readonly string[]): string =>
		`| ${cells.map((text, column) => text.padEnd(widths[column] ?? 0)).join(" | ")} |`;
	return [line(head), line(widths.map((width) => "-".repeat(width))), ...rows.map(line)].join("\n");
}

function cell(value: number | undefined): string {
	return value === undefined ? "–" : number(value);
}

/** Whole numbers from a thousand on, three significant digits below. */
export function number(value: number): string {
	if (!Number.isFinite(value)) return "–";
	const rounded = Math.abs(value) >= 1_000 ? Math.round(value) : Number(value.toPrecision(3));
	return rounded.toLocaleString("en-US", { maximumFractionDigits: 6 });
}
