import type { StorageRange } from "@rivetkit/protocol";
import type { SuiteContext } from "./backend-under-test.ts";
import { contents, EVERYTHING, put, puts, textOf, utf8 } from "./bytes.ts";

/** Keys in their byte order, with neighbours that only bytes tell apart. */
const KEYS: readonly (readonly number[])[] = [
	[],
	[0],
	[0, 0],
	[1],
	[1, 255],
	[127],
	[128],
	[255],
	[255, 255],
];
const READS_AT_ONCE = 20;
const LARGE_VALUE_BYTES = 3 * 1024 * 1024;

/** What is read of an actor: order, bounds, and whose the bytes are. */
export function readingTests({ expect, test }: SuiteContext): void {
	test("a new actor holds nothing and is not initialised", async ({ backend, newActor }) => {
		const actor = await newActor();
		expect(await backend.load(actor, EVERYTHING)).toBe(null);
		expect(await contents(backend, actor)).toEqual({});
		expect(await backend.get(actor, [utf8("a")])).toEqual([null]);
	});

	test("a wake loads the entries of its range, of an actor that was initialised", async (subject) => {
		const { backend } = subject;
		const first = await subject.newActor();
		await backend.commit(first, puts({ a: "1", b: "2", c: "3" }));
		const second = await subject.takeOver(first.actorId);
		expect(await backend.load(second, EVERYTHING)).toBe(null);
		await backend.commit(second, { ops: [], record: { initialised: true } });
		const third = await subject.takeOver(first.actorId);
		const loaded = await backend.load(third, { start: utf8("b"), end: utf8("c") });
		expect(loaded?.map(([key, value]) => [textOf(key), textOf(value)])).toEqual([["b", "2"]]);
	});

	test("values come in the order of the keys, null for what is missing", async (subject) => {
		const { backend } = subject;
		const actor = await subject.newActor();
		await backend.commit(actor, puts({ a: "1", b: "2" }));
		const values = await backend.get(actor, [utf8("b"), utf8("x"), utf8("a"), utf8("b")]);
		expect(values.map(textOf)).toEqual(["2", null, "1", "2"]);
		expect(await backend.get(actor, [])).toEqual([]);
	});

	test("B3: a read sees the commits that were called before it, and none after it", async (subject) => {
		const { backend } = subject;
		const actor = await subject.newActor();
		const commits: Promise<void>[] = [];
		const gets: Promise<(Uint8Array | null)[]>[] = [];
		const scans: Promise<[Uint8Array, Uint8Array][]>[] = [];
		for (let index = 0; index < READS_AT_ONCE; index++) {
			commits.push(backend.commit(actor, puts({ a: String(index), [`b ${index}`]: "" })));
			gets.push(backend.get(actor, [utf8("a"), utf8(`b ${index + 1}`)]));
			scans.push(backend.scan(actor, { start: utf8("b"), end: utf8("c") }));
		}
		await Promise.all(commits);
		for (const [index, values] of (await Promise.all(gets)).entries()) {
			expect(values.map(textOf)).toEqual([String(index), null]);
		}
		const seen = (await Promise.all(scans)).map((entries) => entries.length);
		expect(seen).toEqual(seen.map((_, index) => index + 1));
	});

	test("a scan is in byte order, from start to before end, limited, and backwards", async (subject) => {
		const { backend } = subject;
		const actor = await subject.newActor();
		const ops = [...KEYS].reverse().map((key) => {
			const bytes = Uint8Array.from(key);
			return { op: "put", key: bytes, value: bytes.slice() } as const;
		});
		await backend.commit(actor, { ops });
		const scan = async (
			start: readonly number[],
			end: readonly number[] | null,
			rest: Omit<StorageRange, "start" | "end"> = {},
		) => {
			const range = {
				start: Uint8Array.from(start),
				end: end === null ? null : Uint8Array.from(end),
				...rest,
			};
			return (await backend.scan(actor, range)).map(([key, value]) => {
				expect([...value]).toEqual([...key]);
				return [...key];
			});
		};
		expect(await scan([], null)).toEqual(KEYS);
		expect(await scan([], null, { reverse: true })).toEqual([...KEYS].reverse());
		expect(await scan([0, 0], [128])).toEqual([[0, 0], [1], [1, 255], [127]]);
		expect(await scan([0, 0], [128], { limit: 2 })).toEqual([[0, 0], [1]]);
		expect(await scan([0, 0], [128], { limit: 2, reverse: true })).toEqual([[127], [1, 255]]);
		expect(await scan([1, 0], [1, 255])).toEqual([]);
		expect(await scan([9], [1])).toEqual([]);
		expect(await scan([], null, { limit: 0 })).toEqual([]);
	});

	test("actors do not see each other's entries", async (subject) => {
		const { backend } = subject;
		const [one, other] = [await subject.newActor(), await subject.newActor()];
		await backend.commit(one, puts({ a: "of one" }));
		await backend.commit(other, {
			ops: [{ op: "deleteRange", start: new Uint8Array(0), end: null }, put("b", "of other")],
		});
		expect(await contents(backend, one)).toEqual({ a: "of one" });
		expect(await contents(backend, other)).toEqual({ b: "of other" });
	});

	test("empty values and a value of 3 MiB are kept byte for byte", async (subject) => {
		const { backend } = subject;
		const actor = await subject.newActor();
		const large = new Uint8Array(LARGE_VALUE_BYTES);
		for (let at = 0; at < large.length; at += 7) large[at] = at % 251;
		await backend.commit(actor, {
			ops: [put("empty", ""), { op: "put", key: utf8("large"), value: large.slice() }],
		});
		const [empty, read] = await backend.get(actor, [utf8("empty"), utf8("large")]);
		expect(empty?.byteLength).toBe(0);
		expect(read?.byteLength).toBe(LARGE_VALUE_BYTES);
		expect(read?.every((byte, index) => byte === large[index])).toBe(true);
	});

	test("bytes are the caller's again after a commit, and those handed out are its own", async (subject) => {
		const { backend } = subject;
		const actor = await subject.newActor();
		const [key, value] = [utf8("k"), utf8("abc")];
		await backend.commit(actor, { ops: [{ op: "put", key, value }] });
		key.fill(0);
		value.fill(0);
		const [first] = await backend.get(actor, [utf8("k")]);
		expect(textOf(first)).toBe("abc");
		first!.fill(0);
		const scanned = await backend.scan(actor, { start: utf8("k"), end: null });
		expect(scanned.map(([name, bytes]) => [textOf(name), textOf(bytes)])).toEqual([["k", "abc"]]);
		scanned[0]![1].fill(0);
		expect(await contents(backend, actor)).toEqual({ k: "abc" });
	});
}
