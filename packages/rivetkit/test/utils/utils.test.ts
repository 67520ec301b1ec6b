import { readFileSync } from "node:fs";
import fc from "fast-check";
import * as utils from "rivetkit/utils";
import { describe, expect, it, vi } from "vitest";
import { interval, sleep } from "../../src/utils/time.ts";
import { FakeClock } from "../support/fake-clock.ts";

describe("rivetkit/utils (api 19)", () => {
	it("exports what the contract lists", () => {
		expect(Object.keys(utils).sort()).toEqual([
			"EXTRA_ERROR_LOG",
			"SinglePromiseQueue",
			"VERSION",
			"arrayBuffersEqual",
			"assertUnreachable",
			"bufferToArrayBuffer",
			"combineUrlPath",
			"dbg",
			"detectRuntime",
			"getEnvUniversal",
			"httpUserAgent",
			"interval",
			"joinSignals",
			"promiseWithResolvers",
			"setLongTimeout",
			"sleep",
			"stringifyError",
			"toUint8Array",
		]);
	});

	it("VERSION is the version of the package", () => {
		const manifest = new URL("../../package.json", import.meta.url);
		expect(utils.VERSION).toBe(JSON.parse(readFileSync(manifest, "utf8")).version);
		expect(utils.httpUserAgent()).toMatch(new RegExp(`^RivetKit/${utils.VERSION}( |$)`));
	});

	it("detectRuntime names the one it runs on", () => {
		expect(utils.detectRuntime()).toBe("node");
	});

	it("getEnvUniversal reads the environment", () => {
		vi.stubEnv("RIVET_TEST_VARIABLE", "x");
		expect(utils.getEnvUniversal("RIVET_TEST_VARIABLE")).toBe("x");
		vi.unstubAllEnvs();
		expect(utils.getEnvUniversal("RIVET_TEST_VARIABLE")).toBeUndefined();
	});
});

describe("interval", () => {
	it("ticks at fixed times, whatever the work between them takes", async () => {
		const clock = new FakeClock();
		const start = clock.now();
		const tick = interval(100, clock);
		const ticks: number[] = [];
		for (const work of [30, 99, 0, 250, 10]) {
			let ticked = false;
			const due = tick().then(() => {
				ticked = true;
			});
			while (!ticked) await clock.advance(1);
			await due;
			ticks.push(clock.now() - start);
			await clock.advance(work);
		}
		// The work of 250 ms made the ticks at 500 and 600 go by.
		expect(ticks).toEqual([100, 200, 300, 400, 700]);
	});

	it("refuses periods that are none", () => {
		for (const ms of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
			expect(() => utils.interval(ms)).toThrow(TypeError);
		}
	});
});

describe("sleep and setLongTimeout", () => {
	it("wait for times that setTimeout cannot", async () => {
		const clock = new FakeClock();
		let awake = false;
		const done = sleep(2 ** 32, clock).then(() => {
			awake = true;
		});
		await clock.advance(2 ** 32 - 1);
		expect(awake).toBe(false);
		await clock.advance(1);
		await done;
		expect(awake).toBe(true);
	});

	it("a long timeout can be aborted, before and after it fired", async () => {
		vi.useFakeTimers();
		try {
			const fired = vi.fn();
			const aborted = utils.setLongTimeout(fired, 2 ** 32);
			const kept = utils.setLongTimeout(fired, 2 ** 32);
			aborted.abort();
			await vi.advanceTimersByTimeAsync(2 ** 32);
			expect(fired).toHaveBeenCalledTimes(1);
			kept.abort();
		} finally {
			vi.useRealTimers();
		}
	});
});

describe("joinSignals", () => {
	it("aborts with the first of them and its reason, leaving out missing ones", () => {
		const [a, b] = [new AbortController(), new AbortController()];
		const joined = utils.joinSignals(null, a.signal, undefined, b.signal);
		expect(joined.aborted).toBe(false);
		b.abort("because");
		expect(joined.reason).toBe("because");
		a.abort("too late");
		expect(joined.reason).toBe("because");
	});

	it("is aborted at once when one already is, and never without any", () => {
		expect(utils.joinSignals(AbortSignal.abort("gone")).reason).toBe("gone");
		expect(utils.joinSignals().aborted).toBe(false);
		expect(utils.joinSignals(null, undefined).aborted).toBe(false);
	});
});

describe("bytes", () => {
	it("shows the bytes of buffers and views without copying", () => {
		const buffer = new Uint8Array([1, 2, 3, 4]).buffer;
		expect(utils.toUint8Array(buffer)).toEqual(new Uint8Array([1, 2, 3, 4]));
		const view = utils.toUint8Array(new DataView(buffer, 1, 2));
		expect(view).toEqual(new Uint8Array([2, 3]));
		expect(view.buffer).toBe(buffer);
		expect(utils.toUint8Array(new SharedArrayBuffer(2))).toEqual(new Uint8Array(2));
		expect(() => utils.toUint8Array("text" as never)).toThrow(
			new TypeError("Input must be ArrayBuffer or ArrayBufferView"),
		);
	});

	it("copies exactly what a view shows", () => {
		fc.assert(
			fc.property(fc.uint8Array(), fc.nat(8), (bytes, offset) => {
				const view = bytes.subarray(Math.min(offset, bytes.length));
				const copy = utils.bufferToArrayBuffer(view);
				expect(new Uint8Array(copy)).toEqual(new Uint8Array(view));
				expect(utils.arrayBuffersEqual(copy, utils.bufferToArrayBuffer(view))).toBe(true);
			}),
		);
	});

	it("compares by content", () => {
		const of = (...bytes: number[]) => new Uint8Array(bytes).buffer;
		expect(utils.arrayBuffersEqual(of(1, 2), of(1, 2))).toBe(true);
		expect(utils.arrayBuffersEqual(of(1, 2), of(1, 3))).toBe(false);
		expect(utils.arrayBuffersEqual(of(1, 2), of(1))).toBe(false);
		expect(utils.arrayBuffersEqual(of(), of())).toBe(true);
	});
});

describe("promiseWithResolvers", () => {
	it("resolves, and tells of a rejection that nobody waits for", async () => {
		const onReject = vi.fn();
		const good = utils.promiseWithResolvers<number>(onReject);
		good.resolve(1);
		await expect(good.promise).resolves.toBe(1);
		const bad = utils.promiseWithResolvers<number>(onReject);
		bad.reject("no");
		await expect(bad.promise).rejects.toBe("no");
		expect(onReject.mock.calls).toEqual([["no"]]);
	});
});

describe("SinglePromiseQueue", () => {
	it("runs one operation at a time and only the newest that waits", async () => {
		const queue = new utils.SinglePromiseQueue();
		const log: string[] = [];
		const gates: (() => void)[] = [];
		const operation = (name: string) => () =>
			new Promise<void>((resolve) => {
				log.push(name);
				gates.push(resolve);
			});
		const first = queue.enqueue(operation("first"));
		const second = queue.enqueue(operation("second"));
		const third = queue.enqueue(operation("third"));
		expect(queue.running).toBe(true);
		gates[0]!();
		await first;
		await expect.poll(() => log).toEqual(["first", "third"]);
		gates[1]!();
		await Promise.all([second, third]);
		expect(queue.running).toBe(false);
	});

	it("never runs two at once, whenever they are added, and always runs the last", async () => {
		await fc.assert(
			fc.asyncProperty(fc.scheduler(), fc.integer({ min: 1, max: 8 }), async (s, count) => {
				const queue = new utils.SinglePromiseQueue();
				let running = 0;
				let last = -1;
				const done: Promise<void>[] = [];
				const adds = Array.from({ length: count }, (_, index) =>
					s.schedule(Promise.resolve(index), `add ${index}`).then((n) => {
						done.push(
							queue.enqueue(async () => {
								running++;
								expect(running).toBe(1);
								await s.schedule(Promise.resolve(), `work ${n}`);
								running--;
								last = n;
							}),
						);
						return n;
					}),
				);
				const order: number[] = [];
				for (const add of adds) add.then((n) => order.push(n));
				await s.waitFor(Promise.all(adds));
				await s.waitFor(Promise.all(done));
				expect(last).toBe(order.at(-1));
			}),
		);
	});

	it("goes on after an operation that failed", async () => {
		const queue = new utils.SinglePromiseQueue();
		const failed = queue.enqueue(async () => {
			throw new Error("no");
		});
		const next = queue.enqueue(async () => {});
		await expect(failed).rejects.toThrow("no");
		await expect(next).resolves.toBeUndefined();
		await expect(queue.enqueue(async () => {})).resolves.toBeUndefined();
	});
});

describe("combineUrlPath", () => {
	it.each([
		["http://h/p/", "/a//b?x=1", { y: "2 3", z: undefined }, "http://h/p/a/b?x=1&y=2%203"],
		["http://h", "a", undefined, "http://h/a"],
		["https://h:1/base", "/", {}, "https://h:1/base/"],
	])("%s and %s", (base, path, query, url) => {
		expect(utils.combineUrlPath(base, path, query)).toBe(url);
	});
});

describe("stringifyError", () => {
	it.each([
		[new TypeError("x"), "TypeError: x"],
		["text", "text"],
		[{ a: 1 }, '{"a":1}'],
		[undefined, "Unknown error: undefined"],
		[1n, "Unknown error: 1"],
		[Object.create(null), "{}"],
	])("%o", (error, text) => {
		expect(utils.stringifyError(error)).toBe(text);
	});

	it("never throws", () => {
		const hostile = {
			toJSON() {
				throw new Error("no");
			},
			toString() {
				throw new Error("no");
			},
		};
		expect(utils.stringifyError(hostile)).toBe("Unknown error");
		fc.assert(
			fc.property(fc.anything({ withBigInt: true, withNullPrototype: true }), (value) => {
				expect(typeof utils.stringifyError(value)).toBe("string");
			}),
		);
	});

	it("assertUnreachable throws what it was given", () => {
		expect(() => utils.assertUnreachable("q" as never)).toThrow("Unreachable case: q");
	});

	it("dbg prints and returns its argument", () => {
		const trace = vi.spyOn(console, "trace").mockImplementation(() => {});
		const value = { a: 1 };
		expect(utils.dbg(value)).toBe(value);
		expect(trace).toHaveBeenCalledWith("=== DEBUG ===", value);
		trace.mockRestore();
	});
});
