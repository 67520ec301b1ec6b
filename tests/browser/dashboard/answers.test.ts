// Answers of a server that nothing was done.
import { startBrowser } from "example-support/chromium";
import type { Browser, Page, Route } from "playwright-core";
import { actor, createMemoryDriver, queue, setup } from "rivetkit";
import { createClient } from "rivetkit/client";
import { workflow } from "rivetkit/workflow";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { lead, openTab, type Tab } from "./support.ts";

const desk = actor({
	options: { name: "Desk", sleepTimeout: 600_000 },
	state: { isOpen: false },
	queues: {
		letters: queue<string>(),
		parcels: queue<string>({ maxAttempts: 1, deadLetter: "returned" }),
		returned: queue<string>(),
	},
	run: async (c) => {
		for await (const { body } of c.queue.iter({ names: ["parcels"], completable: true })) {
			if (body === "large" && !c.state.isOpen) throw new Error("The door is closed");
			// It is in its hands for as long as it is awake.
			await new Promise((resolve) => c.abortSignal.addEventListener("abort", resolve));
		}
	},
	actions: {
		open: (c) => {
			c.state.isOpen = true;
		},
		plan: (c) => c.schedule.after(3_600_000, "open"),
	},
});

const errand = actor({
	options: { name: "Errand", sleepTimeout: 600_000 },
	queues: { words: queue<string>() },
	run: workflow(async (ctx) => {
		await ctx.queue.next("word", { names: ["words"] });
		return "done";
	}),
	actions: { state: (c) => c.workflow.status().state },
});

let browser: Browser;
let registry: ReturnType<typeof start>;
let url: string;
let tab: Tab;
let page: Page;

const start = () =>
	setup({
		use: { desk, errand },
		driver: createMemoryDriver(),
		managerPort: 0,
		noWelcome: true,
		logging: { level: "silent" },
	});

beforeAll(async () => {
	registry = start();
	url = (await registry.listen()).url;
	browser = await startBrowser();
	tab = await openTab(browser, `${url}/ui/`);
	page = tab.page;
});

afterAll(async () => {
	await browser?.close();
	await registry?.shutdown();
});

afterEach(async () => {
	await page.unrouteAll({ behavior: "ignoreErrors" });
	expect(tab.problems).toEqual([]);
	expect(tab.strangers).toEqual([]);
});

const client = () => createClient<typeof registry>(url);
const button = (name: string) => page.getByRole("button", { name, exact: true });
const told = () => page.getByRole("region", { name: "Notifications" });

/** Somebody else was faster, each time: what the page asks for with this method is done already. */
async function beFaster(path: RegExp, method: string): Promise<void> {
	await page.route(path, async (route) => {
		if (route.request().method() === method) await route.fetch();
		await route.continue();
	});
}

function refuse(route: Route): Promise<void> {
	const json = { group: "user", code: "busy", message: "Too busy" };
	return route.fulfill({ status: 429, json });
}

it("a message that is handled cannot be dropped, and one that is gone was not", async () => {
	const handle = client().desk.getOrCreate(["post"]);
	await handle.send("parcels", "held");
	await handle.send("letters", "ready");
	await lead(page, url, `actor/${await handle.resolve()}/queue`);
	const held = button("Message 1 is being handled");
	await held.waitFor();
	expect(await held.isDisabled()).toBe(true);
	await beFaster(/\/queue\/messages\/2$/, "DELETE");
	await button("Drop message 2").click();
	await told().getByText("Message 2 was not dropped").waitFor();
	await button("Drop message 2").waitFor({ state: "detached" });
});

it("a call that was made, or cancelled, before is not said to be cancelled now", async () => {
	const handle = client().desk.getOrCreate(["plan"]);
	await handle.plan();
	await lead(page, url, `actor/${await handle.resolve()}/schedules`);
	await beFaster(/\/inspector\/schedules\/[^/]+$/, "DELETE");
	await button("Cancel call").click();
	await page.getByRole("alertdialog").getByRole("button", { name: "Cancel call" }).click();
	await told().getByText("The call was not cancelled").waitFor();
	await page.getByText("Nothing is scheduled").waitFor();
	expect(await told().getByText("The call is cancelled").count()).toBe(0);
});

it("calls that were given up in the same millisecond are as many as they are", async () => {
	const call = (id: string, atMs: number) => ({
		id,
		action: id,
		scheduledAt: atMs,
		firedAt: atMs,
		finishedAt: atMs,
		result: "error",
		attempts: 1,
	});
	let failures = [call("first", 1_000), call("second", 1_000)];
	await page.route(/\/schedules\/failures$/, (route) => route.fulfill({ json: { failures } }));
	const handle = client().desk.getOrCreate(["failed"]);
	await lead(page, url, `actor/${await handle.resolve()}/schedules`);
	const region = page.getByRole("region", { name: "Calls that were given up" });
	const rows = async () =>
		(await region.getByRole("row").allInnerTexts())
			.slice(1)
			.map((row) => ["third", "second", "first"].find((name) => row.includes(name)));
	await expect.poll(rows).toEqual(["first", "second"]);
	failures = [call("third", 2_000), ...failures];
	await handle.plan();
	await expect.poll(async () => (await rows()).includes("third")).toBe(true);
	expect(await rows()).toEqual(["third", "first", "second"]);
});

it("dead letters that were moved before are not said to be moved now", async () => {
	const handle = client().desk.getOrCreate(["returns"]);
	await handle.send("parcels", "large");
	await lead(page, url, `actor/${await handle.resolve()}/queue`);
	await button("Redrive dead letter 1").waitFor();
	await handle.open();
	await beFaster(/\/queue\/redrive$/, "POST");
	await button("Redrive all").click();
	await told().getByText("No message was moved").waitFor();
	await page.getByText("Nothing was given up").waitFor();
});

it("what cannot be read is not taken for nothing", async () => {
	const actorId = await client().desk.getOrCreate(["busy"]).resolve();
	await page.route(/\/(dead-letters\?.*|schedules\/failures)$/, refuse);
	await lead(page, url, `actor/${actorId}/queue`);
	await page.getByRole("alert").getByText("Too busy").waitFor();
	await page.getByText("No message waits").waitFor();
	expect(await page.getByText("Nothing was given up").count()).toBe(0);
	await lead(page, url, `actor/${actorId}/schedules`);
	await page.getByText("Nothing is scheduled").waitFor();
	await page.getByRole("alert").getByText("Too busy").waitFor();
});

it("a workflow that has ended before it was paused is not said to be paused", async () => {
	const handle = client().errand.getOrCreate(["ended"]);
	await lead(page, url, `actor/${await handle.resolve()}/workflow`);
	await page.getByText("waits for a message in words").waitFor();
	await page.route(/\/workflow\/pause$/, async (route) => {
		await handle.send("words", "go");
		await expect.poll(() => handle.state()).toBe("completed");
		await route.continue();
	});
	await button("Pause").click();
	await told().getByText("The workflow was not changed").waitFor();
	expect(await told().getByText("The workflow is paused").count()).toBe(0);
});
