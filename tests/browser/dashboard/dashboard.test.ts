// Against a running example (examples/shop, started by its own script): what somebody does with the dashboard.
import { startBrowser } from "example-support/chromium";
import { exampleServer } from "example-support/server";
import type { Browser, Page } from "playwright-core";
import { createClient } from "rivetkit/client";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { SHOP, type Shop } from "./shop.ts";
import { lead, openTab, type Tab } from "./support.ts";

const server = exampleServer(SHOP);
let browser: Browser;
let url: string;
let tab: Tab;
let page: Page;

beforeAll(async () => {
	url = server.url;
	browser = await startBrowser();
	tab = await openTab(browser, `${url}/ui`);
	page = tab.page;
});

afterAll(async () => {
	await browser?.close();
});

afterEach(async () => {
	await page.unrouteAll({ behavior: "ignoreErrors" });
	expect(tab.problems).toEqual([]);
	expect(tab.strangers).toEqual([]);
});

const client = () => createClient<Shop>(url);
const main = () => page.getByRole("main");
const button = (name: string) => page.getByRole("button", { name, exact: true });

const eventually = <T>(read: () => Promise<T>) => expect.poll(read);

const open = (path: string) => lead(page, url, path);

describe("what is seen of an actor", () => {
	const asked: string[] = [];
	const countOf = (path: string) =>
		asked.filter((url) => url.endsWith(`/inspector/${path}`)).length;

	it("is told by the server, and not asked for", async () => {
		page.on("request", (request) => asked.push(request.url()));
		const basket = client().basket.getOrCreate(["followed"]);
		const stream = page.waitForResponse((response) =>
			response.url().includes("/inspector/stream?"),
		);
		await open(`actor/${await basket.resolve()}/state`);
		expect((await stream).status()).toBe(200);
		await main().getByText("Groceries").waitFor();
		await basket.add(1);
		await main().getByText("4", { exact: true }).first().waitFor();
		// Why it is awake is asked for every few seconds: meanwhile a state that is polled would be, too.
		const lifeAsked = () =>
			page.waitForRequest((request) => request.url().endsWith("/inspector/lifecycle"));
		await lifeAsked();
		// The last change may still be on its way to a busy page.
		await expect
			.poll(async () => {
				const before = countOf("state");
				await lifeAsked();
				return countOf("state") - before;
			})
			.toBe(0);
	});

	it("is asked for as long as the stream is lost, and told again afterwards", async () => {
		const basket = client().basket.getOrCreate(["followed"]);
		await page.route("**/inspector/stream?*", (route) => route.abort());
		// Each tab has a stream of its own.
		const lost = page.waitForEvent("requestfailed", (request) =>
			request.url().includes("/inspector/stream?"),
		);
		await open(`actor/${await basket.resolve()}/connections`);
		await lost;
		await open(`actor/${await basket.resolve()}/state`);
		await basket.add(10);
		await main().getByText("14", { exact: true }).waitFor();
		const stream = page.waitForResponse((response) =>
			response.url().includes("/inspector/stream?"),
		);
		await page.unroute("**/inspector/stream?*");
		expect((await stream).status()).toBe(200);
		await basket.add(10);
		await main().getByText("24", { exact: true }).waitFor();
		// Aborted on purpose.
		tab.problems.splice(
			0,
			Number.POSITIVE_INFINITY,
			...tab.problems.filter((text) => !text.includes("ERR_FAILED")),
		);
	});
});

describe("the action console", () => {
	it("calls actions with any values, and shows results and refusals", async () => {
		await open(`actor/${await client().basket.getOrCreate(["weekly"]).resolve()}/state`);
		await page.getByRole("link", { name: "Actions" }).click();
		await page.getByLabel("Arguments").fill("oops");
		await page.getByText('"oops" is no value').waitFor();
		await page.getByLabel("Arguments").fill("-1");
		await page.getByLabel("Arguments").press("Control+Enter");
		await main().getByText("12345678901234567890n").waitFor();
		expect((await client().basket.getOrCreate(["weekly"]).read()).count).toBe(2);

		// One with a schema says what it takes, and begins with that.
		await page.getByLabel("Action", { exact: true }).selectOption("rename");
		await main().getByText("{ title: string, loud?: boolean }").waitFor();
		expect(await page.getByLabel("Arguments").inputValue()).toBe('{ title: "" }');
		await button("Call").click();
		await main().getByText("action.invalid_request").waitFor();

		await page.getByLabel("Action", { exact: true }).selectOption("refuse");
		await page.getByLabel("Arguments").fill("");
		await button("Call").click();
		await main().getByText("The basket is closed").waitFor();
		await main().getByText('user.basket_closed {"opensAt":"9:30"}').waitFor();
	});

	it("goes on while a call does not end, and need not wait for it", async () => {
		await page.route("**/inspector/action/read", () => {});
		const list = main().getByRole("listitem");
		const action = page.getByLabel("Action", { exact: true });
		await action.selectOption("read");
		await button("Call").click();
		await list.filter({ hasText: "read()" }).getByText("running").waitFor();
		await action.selectOption("refuse");
		const failed = list.filter({ hasText: "refuse()" }).getByText("failed");
		const before = await failed.count();
		await button("Call").click();
		await failed.nth(before).waitFor();
		await button("Stop waiting").click();
		await list.filter({ hasText: "read()" }).getByText("stopped").waitFor();
	});
});

describe("the event log", () => {
	it("shows what the actor broadcasts, as it happens, and the log and the trace of it", async () => {
		const basket = client().basket.getOrCreate(["weekly"]);
		const actorId = await basket.resolve();
		await open(`actor/${actorId}/events`);
		await page.getByText("recording while you look").waitFor();
		await basket.add(8);
		await main().getByText("{ count: 10 }").waitFor();
		await open(`actor/${actorId}/logs`);
		// The logger's level is above this line's, so it is recorded only from now on.
		await main().getByText("newest first").waitFor();
		await basket.add(1);
		await main().getByText("pieces were added").first().waitFor();
		await open(`actor/${actorId}/traces`);
		await page
			.getByRole("button", { name: /^Open trace actor\.action\.add/ })
			.first()
			.click();
		await page.getByRole("button", { name: /^actor\.action\.add/ }).waitFor();
		await open(`actor/${actorId}/metrics`);
		await main()
			.locator("figure", { hasText: "Awake" })
			.getByText(/^[1-9]\d*$/)
			.waitFor();
		await basket.add(1);
		const calls = page.getByText("Calls", { exact: true });
		await main()
			.locator("figure", { has: calls })
			.getByText(/^up to [\d.]+\/s$/)
			.waitFor();
	});
});

describe("the event log of an actor that does too much", () => {
	it("says where something is missing", async () => {
		const basket = client().basket.getOrCreate(["busy"]);
		await open(`actor/${await basket.resolve()}/events`);
		await page.getByText("recording while you look").waitFor();
		await basket.add(1);
		await main().getByText("{ count: 4 }").waitFor();
		expect(await main().getByText("Some may be missing here").count()).toBe(0);
		let goOn = () => {};
		const held = new Promise<void>((resolve) => {
			goOn = resolve;
		});
		let isHeld = false;
		await page.route("**/inspector/events?*", async (route) => {
			isHeld = true;
			await held;
			await route.continue();
		});
		// One that was asked before could have some of what follows.
		await basket.add(1);
		await expect.poll(() => isHeld).toBe(true);
		// More than the server keeps.
		await Promise.all(Array.from({ length: 300 }, () => basket.add(1)));
		goOn();
		await main().getByText("{ count: 305 }").waitFor();
		await page.getByRole("region", { name: "Events", exact: true }).focus();
		await page.keyboard.press("End");
		await main().getByText("Some may be missing here").waitFor();
		await main().getByText("{ count: 4 }").waitFor();
	});
});

describe("queues", () => {
	it("bring a dead letter back to its queue, where it is handled", async () => {
		const depot = client().depot.getOrCreate(["north"]);
		// Its jobs have run when a later test looks.
		await depot.furnish();
		await depot.send("parcels", { to: "Ada" });
		await open(`actor/${await depot.resolve()}/queue`);
		await page.getByRole("region", { name: "Dead letters" }).getByText("Ada").waitFor();
		await depot.openRoad();
		await button("Redrive dead letter 1").click();
		await page.getByText("Nothing was given up").waitFor();
		await eventually(async () => (await depot.delivered()).join()).toBe("Ada");
	});

	it("take a message that is typed, show its body, and drop it", async () => {
		await page.getByLabel("Queue", { exact: true }).fill("tours");
		await page.getByLabel("Body", { exact: true }).fill("{ number: 7n }");
		await button("Send").click();
		await page.getByRole("region", { name: "Messages" }).getByText("{ number: 7n }").waitFor();
		const typed = page.getByRole("region", { name: "Messages" }).getByRole("listitem");
		await typed
			.filter({ hasText: "number: 7n" })
			.getByRole("button", { name: /^Drop message/ })
			.click();
		await page.getByText("No message waits").waitFor();
	});
});

describe("a workflow", () => {
	it("is followed to its end", async () => {
		const order = client().order.getOrCreate(["0042"]);
		await open(`actor/${await order.resolve()}/workflow`);
		await page.getByText("waits for a message in payments").waitFor();
		await main().getByText("try 3").waitFor();
		await page.getByRole("region", { name: "label" }).getByText('"printed"').waitFor();
		// Branches stand side by side, together as wide as the entry that they belong to.
		const edges = async (selector: string) => {
			const box = await main().locator(selector).boundingBox();
			return [Math.round(box!.x), Math.round(box!.x + box!.width)];
		};
		const [left, right] = await edges(".flow-card:has-text('prepare')");
		const [pack, label] = [await edges("[aria-label=pack]"), await edges("[aria-label=label]")];
		expect([pack[0], label[1], pack[1]! < label[0]!]).toEqual([left, right, true]);
		await order.send("payments", { amount: 30 });
		await page.getByText('It returned "done"').waitFor();
		await button("Open step ship").waitFor();
		expect(await order.status()).toBe("shipped for 30");
		expect(await page.getByText("waits for a message").count()).toBe(0);
	});

	it("is taken back to a step, paused, resumed and cancelled", async () => {
		const order = client().order.getOrCreate(["0043"]);
		await open(`actor/${await order.resolve()}/workflow`);
		await page.getByText("waits for a message in payments").waitFor();
		await button("Open step reserve").click();
		await button("Replay from here").click();
		await page.getByRole("alertdialog").getByRole("button", { name: "Replay from here" }).click();
		await main().getByText("replayed once").waitFor();
		await page.getByText("waits for a message in payments").waitFor();
		await button("Pause").click();
		await page.getByText("It is paused").waitFor();
		await button("Resume").click();
		await button("Pause").waitFor();
		await button("Cancel workflow").click();
		await page.getByRole("alertdialog").getByRole("button", { name: "Cancel workflow" }).click();
		await main().getByText("cancelled", { exact: true }).first().waitFor();
	});
});

describe("a database", () => {
	it("is paged through, and answers SQL that is typed", async () => {
		const catalogue = client().catalogue.getOrCreate(["city"]);
		await catalogue.fill();
		await open(`actor/${await catalogue.resolve()}/database`);
		await page.getByText("Rows 1 to 100 of 250").waitFor();
		await button("Next").click();
		await page.getByText("Rows 101 to 200 of 250").waitFor();
		await main().getByText('"Book 101"').waitFor();
		await button("Next").click();
		await page.getByText("Rows 201 to 250 of 250").waitFor();
		expect(await button("Next").isDisabled()).toBe(true);
		expect(page.url()).toContain("offset=200");
		await page.goBack();
		await page.getByText("Rows 101 to 200 of 250").waitFor();
		await page.getByLabel("SQL").fill("SELECT sum(pages) AS pages FROM books WHERE id <= ?");
		await page.getByLabel("Parameters").fill("3");
		await button("Run").click();
		await page.getByRole("region", { name: "Result" }).getByText("18").waitFor();
		await page.getByLabel("SQL").fill("SELECT nothing");
		await page.getByLabel("Parameters").fill("");
		await button("Run").click();
		await main().getByText('near "nothing": syntax error').waitFor();
		await page.getByLabel("SQL").fill("SELECT 1 AS one; SELECT 2 AS two");
		await button("Run").click();
		const result = page.getByRole("region", { name: "Result" });
		await result.getByRole("columnheader", { name: "two" }).waitFor();
		expect(await result.getByRole("cell").allInnerTexts()).toEqual(["1", "", "", "2"]);
		await page.getByLabel("SQL").fill("DELETE FROM readers");
		await button("Run").click();
		await main().getByText("Done, no row came back,").waitFor();
		const broken = "CREATE TABLE lent (a); CREATE VIEW lost AS SELECT a FROM lent; DROP TABLE lent";
		await page.getByLabel("SQL").fill(broken);
		await button("Run").click();
		await main().getByText("view, cannot be read").click();
		await main().getByText("no such table: main.lent").waitFor();
	});
});

describe("schedules and entries", () => {
	it("are listed with their runs, and jobs are deleted", async () => {
		const depot = client().depot.getOrCreate(["north"]);
		const actorId = await depot.resolve();
		await open(`actor/${actorId}/schedules`);
		await button("Open job tick").click();
		await page.getByRole("region", { name: "Runs" }).getByText("ok").first().waitFor();
		const collect = page.locator(".disclosure", { hasText: "0 6 * * *" });
		await collect.getByRole("button", { name: "Delete" }).click();
		await page.getByRole("alertdialog").getByRole("button", { name: "Delete" }).click();
		await main().getByText("0 6 * * *").waitFor({ state: "detached" });

		await open(`actor/${actorId}/kv`);
		await main().getByText("12 North Street").waitFor();
		await page.getByLabel("Keys that begin with").fill("shelf/03");
		await main().getByText("shelf/030").waitFor();
		expect(await main().getByText("12 North Street").count()).toBe(0);
	});
});

describe("an actor", () => {
	it("is destroyed only by those who mean it, with the keyboard alone", async () => {
		const depot = client().depot.getOrCreate(["gone"]);
		await depot.openRoad();
		const actorId = await depot.resolve();
		await open(`actor/${actorId}/lifecycle`);
		await button("Destroy").focus();
		await page.keyboard.press("Enter");
		await page.getByRole("alertdialog").waitFor();
		await page.keyboard.press("Escape");
		await page.getByRole("alertdialog").waitFor({ state: "detached" });
		expect(await button("Destroy").evaluate((element) => element === document.activeElement)).toBe(
			true,
		);
		await page.keyboard.press("Enter");
		await page.getByRole("alertdialog").getByRole("button", { name: "Destroy" }).focus();
		await page.keyboard.press("Enter");
		await main().getByRole("heading", { level: 1, name: "depot" }).waitFor();
		await page.goto(`${url}/ui/#/actor/${actorId}/state`);
		await page.getByText("This actor does not exist").waitFor();
	});

	it("has the name of its type where it has no key", async () => {
		await client().depot.getOrCreate([]).resolve();
		await open("actors/depot");
		await main().getByText("no key", { exact: true }).click();
		await page.getByRole("heading", { name: "depot (no key)" }).waitFor();
	});

	it("is opened from the list with the keyboard, and the theme is kept", async () => {
		await open("actors/basket");
		await page.getByLabel("Search by key or id").fill("week");
		await page.getByText("1 actor", { exact: true }).or(page.getByText("1 of")).first().waitFor();
		await page.getByRole("region", { name: "Actors", exact: true }).focus();
		await page.keyboard.press("Tab");
		await page.keyboard.press("Enter");
		await page.getByRole("heading", { name: "weekly" }).waitFor();
		await button("Theme: as the system").click();
		await button("Theme: light").click();
		const theme = () => page.evaluate(() => document.documentElement.dataset.theme);
		expect(await theme()).toBe("dark");
		await page.reload();
		await button("Theme: dark").click();
		expect(await theme()).toBeUndefined();
	});
});
