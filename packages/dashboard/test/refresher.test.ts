import { InfiniteQueryObserver, QueryClient, QueryObserver } from "@tanstack/react-query";
import { afterEach, expect, it } from "vitest";
import { actorKey } from "../src/app/api/keys.ts";
import { REFRESH_EVERY_MS, Refresher } from "../src/app/api/refresher.ts";

const cleanups: (() => void)[] = [];

afterEach(() => {
	for (const cleanup of cleanups.splice(0)) cleanup();
});

/** A server that answers when it is told to: with what it had when it was asked. */
class FakeServer {
	value = 1;
	readonly asked: { readonly page: number; answer(): void; fail(): void }[] = [];

	read(page: number): Promise<Page> {
		const { value } = this;
		return new Promise((resolve, reject) => {
			this.asked.push({
				page,
				answer: () => resolve({ page, value, next: page < 3 ? page + 1 : null }),
				fail: () => reject(new Error("refused")),
			});
		});
	}

	/** Waits for a question, and takes it. */
	async next() {
		await expect.poll(() => this.asked.length).toBeGreaterThan(0);
		return this.asked.shift()!;
	}
}

interface Page {
	readonly page: number;
	readonly value: number;
	readonly next: number | null;
}

function setUp() {
	const client = new QueryClient({ defaultOptions: { queries: { retry: false } } });
	cleanups.push(() => client.clear());
	return {
		client,
		server: new FakeServer(),
		refresher: new Refresher(client, "a1", "queue"),
		keyOf: (head: string, of = "a1") => [...actorKey(of), "session", head, "messages"],
	};
}

function watchList({ client, server, keyOf }: ReturnType<typeof setUp>) {
	const list = new InfiniteQueryObserver(client, {
		queryKey: keyOf("queue"),
		queryFn: ({ pageParam }) => server.read(pageParam),
		initialPageParam: 1,
		getNextPageParam: ({ next }: Page) => next,
	});
	cleanups.push(list.subscribe(() => {}));
	return {
		list,
		seen: () =>
			list.getCurrentResult().data?.pages.map(({ page, value }) => `${page}: ${value}`) ?? [],
	};
}

function watchValue(
	{ client, server, keyOf }: ReturnType<typeof setUp>,
	head = "queue",
	of = "a1",
): () => number | undefined {
	const observer = new QueryObserver(client, {
		queryKey: keyOf(head, of),
		queryFn: () => server.read(0),
	});
	cleanups.push(observer.subscribe(() => {}));
	return () => observer.getCurrentResult().data?.value;
}

it("a change that is told during the first read is read after it", async () => {
	const all = setUp();
	const seen = watchValue(all);
	const first = await all.server.next();
	all.server.value = 2;
	all.refresher.request();
	first.answer();
	await expect.poll(seen).toBe(1);
	(await all.server.next()).answer();
	await expect.poll(seen).toBe(2);
});

it("however much is told during a read, one more follows it", async () => {
	const all = setUp();
	const seen = watchValue(all);
	(await all.server.next()).answer();
	await expect.poll(seen).toBe(1);
	all.refresher.request();
	const second = await all.server.next();
	for (all.server.value = 2; all.server.value < 9; all.server.value++) all.refresher.request();
	expect(all.server.asked).toEqual([]);
	second.answer();
	(await all.server.next()).answer();
	await expect.poll(seen).toBe(9);
	// What is not to come needs time to come in.
	await new Promise((resolve) => setTimeout(resolve, 3 * REFRESH_EVERY_MS));
	expect(all.server.asked).toEqual([]);
});

it("a change that is told while the second page is on its way is read when that page fails", async () => {
	const all = setUp();
	const { list, seen } = watchList(all);
	(await all.server.next()).answer();
	await expect.poll(seen).toEqual(["1: 1"]);
	void list.fetchNextPage();
	const second = await all.server.next();
	all.server.value = 2;
	all.refresher.request();
	// Read at once it would break off the page that is on its way.
	expect(all.server.asked).toEqual([]);
	second.fail();
	const again = await all.server.next();
	expect(again.page).toBe(1);
	again.answer();
	await expect.poll(seen).toEqual(["1: 2"]);
	expect(list.getCurrentResult().isError).toBe(false);
});

it("a list that has got its second page stays as it is until somebody asks", async () => {
	const all = setUp();
	const { list, seen } = watchList(all);
	(await all.server.next()).answer();
	await expect.poll(seen).toEqual(["1: 1"]);
	void list.fetchNextPage();
	const second = await all.server.next();
	all.server.value = 2;
	all.refresher.request();
	second.answer();
	await expect.poll(seen).toEqual(["1: 1", "2: 1"]);
	// What is read of the same part beside it shows that the change has been heard.
	const beside = watchValue({ ...all, keyOf: (...of) => [...all.keyOf(...of), "beside"] });
	(await all.server.next()).answer();
	await expect.poll(beside).toBe(2);
	all.refresher.request();
	expect((await all.server.next()).page).toBe(0);
	expect([all.server.asked, seen()]).toEqual([[], ["1: 1", "2: 1"]]);
});

it("other parts, and other actors, are not read again", async () => {
	const all = setUp();
	const mine = watchValue(all);
	(await all.server.next()).answer();
	await expect.poll(mine).toBe(1);
	for (const [head, of] of [
		["state", "a1"],
		["queue", "a2"],
	] as const) {
		const other = watchValue(all, head, of);
		(await all.server.next()).answer();
		await expect.poll(other).toBe(1);
	}
	all.server.value = 2;
	all.refresher.request();
	const again = await all.server.next();
	expect(all.server.asked).toEqual([]);
	again.answer();
	await expect.poll(mine).toBe(2);
});
