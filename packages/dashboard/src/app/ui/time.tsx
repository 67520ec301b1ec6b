import { useSyncExternalStore } from "react";

const TICK_MS = 1_000;
let now = Date.now();
const listeners = new Set<() => void>();
let timer: number | undefined;

function subscribe(listener: () => void): () => void {
	// Nobody may have looked at the clock for a while.
	if (listeners.size === 0) now = Date.now();
	listeners.add(listener);
	timer ??= window.setInterval(() => {
		now = Date.now();
		for (const hear of listeners) hear();
	}, TICK_MS);
	return () => {
		listeners.delete(listener);
		if (listeners.size > 0) return;
		window.clearInterval(timer);
		timer = undefined;
	};
}

/** The time, once a second: one clock for the whole page. */
export function useNow(): number {
	return useSyncExternalStore(subscribe, () => now);
}

/** How long ago, or how long until, with the exact time when the pointer rests on it. */
export function Ago({ ms }: { ms: number | null | undefined }) {
	const at = useNow();
	if (ms === null || ms === undefined || ms === 0) return <span className="muted">never</span>;
	return (
		<time className="nowrap numeric" dateTime={new Date(ms).toISOString()} title={exactTime(ms)}>
			{relativeTime(ms, at)}
		</time>
	);
}

export function relativeTime(ms: number, nowMs: number): string {
	const differenceMs = ms - nowMs;
	if (Math.abs(differenceMs) < 1_500) return "now";
	const text = duration(Math.abs(differenceMs));
	return differenceMs < 0 ? `${text} ago` : `in ${text}`;
}

/** In the two largest units that matter: `3 h 12 min`, `4.2 s`, `12 ms`. */
export function duration(ms: number): string {
	if (ms <= 0) return "< 1 ms";
	if (ms < 1) return `${ms.toFixed(2)} ms`;
	if (ms < 1_000) return `${Math.round(ms)} ms`;
	const seconds = ms / 1_000;
	if (seconds < 10) return `${(Math.round(seconds * 10) / 10).toString()} s`;
	if (seconds < 60) return `${Math.round(seconds)} s`;
	const minutes = Math.floor(seconds / 60);
	if (minutes < 60) return two(minutes, "min", Math.floor(seconds % 60), "s", minutes < 10);
	const hours = Math.floor(minutes / 60);
	if (hours < 24) return two(hours, "h", minutes % 60, "min", true);
	return two(Math.floor(hours / 24), "d", hours % 24, "h", hours < 24 * 10);
}

function two(a: number, unitA: string, b: number, unitB: string, both: boolean): string {
	return both && b > 0 ? `${a} ${unitA} ${b} ${unitB}` : `${a} ${unitA}`;
}

/** The milliseconds in a sentence of the server's, in units that people read: `10 s of 10 min`. */
export function withDurations(text: string): string {
	return text.replace(
		/\b(?:(\d+) of )?(\d+) ms\b/g,
		(_all, part: string | undefined, whole: string) =>
			part === undefined
				? duration(Number(whole))
				: `${duration(Number(part))} of ${duration(Number(whole))}`,
	);
}

export function exactTime(ms: number): string {
	return new Date(ms).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "medium" });
}

/** Hours to milliseconds: for lists of what happened lately. */
export function clockTime(ms: number): string {
	const time = new Date(ms);
	const pad = (value: number, digits = 2) => String(value).padStart(digits, "0");
	return `${pad(time.getHours())}:${pad(time.getMinutes())}:${pad(time.getSeconds())}.${pad(time.getMilliseconds(), 3)}`;
}
