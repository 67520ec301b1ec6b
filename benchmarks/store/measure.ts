import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { monitorEventLoopDelay, performance } from "node:perf_hooks";
import type { Store } from "@rivetkit/engine";

export interface Result {
	readonly name: string;
	/** Completed operations per second. */
	readonly perSecond: number;
	readonly p50Ms: number;
	readonly p99Ms: number;
	/** Longest time the event loop was not free, measured at 1 ms. */
	readonly loopBlockedMs: number;
	readonly syncs: number;
}

/** Runs `operation` in closed loops, `writers` at a time, after a warm-up of a fifth of the time. */
export async function measure(
	name: string,
	options: { writers: number; seconds: number; syncs: () => number },
	operation: (writer: number) => Promise<void>,
): Promise<Result> {
	const latencies: number[] = [];
	let measuring = false;
	let running = true;
	const loops = Array.from({ length: options.writers }, async (_, writer) => {
		while (running) {
			const startMs = performance.now();
			await operation(writer);
			if (measuring) {
				latencies.push(performance.now() - startMs);
			}
		}
	});
	await new Promise((resolve) => setTimeout(resolve, options.seconds * 200));
	const delay = monitorEventLoopDelay({ resolution: 1 });
	delay.enable();
	const syncsBefore = options.syncs();
	const startMs = performance.now();
	measuring = true;
	await new Promise((resolve) => setTimeout(resolve, options.seconds * 1000));
	const elapsedMs = performance.now() - startMs;
	measuring = false;
	delay.disable();
	running = false;
	const syncs = options.syncs() - syncsBefore;
	await Promise.all(loops);
	latencies.sort((a, b) => a - b);
	const quantile = (q: number) => latencies[Math.floor(latencies.length * q)] ?? Number.NaN;
	return {
		name,
		perSecond: (latencies.length / elapsedMs) * 1000,
		p50Ms: quantile(0.5),
		p99Ms: quantile(0.99),
		loopBlockedMs: delay.max / 1e6,
		syncs: (syncs / elapsedMs) * 1000,
	};
}

/** Actors that were acquired once. */
export async function acquiredActors(store: Store, count: number): Promise<string[]> {
	const ids = Array.from({ length: count }, (_, index) => actorId(index));
	for (let from = 0; from < count; from += 1000) {
		await Promise.all(
			ids.slice(from, from + 1000).map(async (id, index) => {
				await store.insertActor(newActor(id, `key-${from + index}`));
				await store.acquire(id);
			}),
		);
	}
	await store.sync();
	return ids;
}

/** Looks like the ids the engine makes: random, so that index pages are visited at random. */
export function actorId(index: number): string {
	const mixed = Math.imul(index + 1, 0x9e3779b1) >>> 0;
	return `${mixed.toString(36).padStart(7, "0")}-${index.toString(36).padStart(22, "0")}`;
}

export function newActor(id: string, key: string) {
	return {
		actorId: id,
		namespace: "default",
		name: "counter",
		key,
		runnerNameSelector: "default",
		crashPolicy: "sleep",
		datacenter: "local",
		input: null,
		createTs: Date.now(),
	};
}

export function scratchDirectory(): { path: string; remove(): void } {
	const directory = fs.mkdtempSync(path.join(os.tmpdir(), "rivetkit-bench-"));
	return {
		path: directory,
		remove: () => fs.rmSync(directory, { recursive: true, force: true }),
	};
}

export function printTable(results: readonly Result[]): void {
	const rows = results.map((result) => [
		result.name,
		Math.round(result.perSecond).toLocaleString("en"),
		result.p50Ms.toFixed(2),
		result.p99Ms.toFixed(2),
		result.loopBlockedMs.toFixed(1),
		Math.round(result.syncs).toLocaleString("en"),
	]);
	const head = ["", "per second", "p50 ms", "p99 ms", "loop blocked ms", "syncs/s"];
	const widths = head.map((title, column) =>
		Math.max(title.length, ...rows.map((row) => row[column]!.length)),
	);
	for (const row of [head, widths.map((width) => "-".repeat(width)), ...rows]) {
		const cells = row.map((cell, column) =>
			column === 0 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!),
		);
		console.log(`| ${cells.join(" | ")} |`);
	}
}
