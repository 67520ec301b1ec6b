// What comes between a question of the page and its answer.
import { startBrowser } from "example-support/chromium";
import type { Browser, Page, Route } from "playwright-core";
import { createMemoryDriver } from "rivetkit";
import { createClient } from "rivetkit/client";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type Shop, shopWith } from "./shop.ts";
import { lead, openTab, type Tab } from "./support.ts";

let browser: Browser;
let registry: Shop;
let url: string;
let tab: Tab;
let page: Page;

beforeAll(async () => {
	registry = shopWith({ driver: createMemoryDriver() });
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

const client = () => createClient<Shop>(url);
const open = (path: string) => lead(page, url, path);
const button = (name: string) => page.getByRole("button", { name, exact: true });

const NEXT_PAGE = /\/queue\/messages\?.*after=[1-9]/;

function refuse(route: Route): Promise<void> {
	const body = JSON.stringify({ group: "user", code: "busy", message: "Too busy" });
	return route.fulfill({ status: 429, contentType: "application/json", body });
}

/** Requests of this kind wait at `handle`, from when the first is `asked`, until they may go on. */
async function hold(
	pattern: RegExp,
	handle: (route: Route, held: Promise<void>) => Promise<void>,
): Promise<{ asked: Promise<void>; goOn(): void }> {
	const asked = gate();
	const held = gate();
	await page.route(pattern, (route) => {
		asked.open();
		return handle(route, held.passed);
	});
	return { asked: asked.passed, goOn: held.open };
}

function gate(): { passed: Promise<void>; open(): void } {
	let open = () => {};
	const passed = new Promise<void>((resolve) => {
		open = resolve;
	});
	return { passed, open };
}

describe("a further page of a list", () => {
	const messages = () => page.getByRole("region", { name: "Messages", exact: true });
	const message = (number: number) =>
		messages().getByText(`{ number: ${number} }`, { exact: true });
	const appears = (number: number, key: "Home" | "End") =>
		expect
			.poll(async () => {
				await page.keyboard.press(key);
				return message(number).count();
			})
			.toBe(1);

	it("that is refused is told, and asked for again when somebody wants it", async () => {
		const depot = client().depot.getOrCreate(["refused"]);
		await depot.plan(300);
		let asked = 0;
		await page.route(NEXT_PAGE, (route) => {
			asked++;
			return refuse(route);
		});
		await open(`actor/${await depot.resolve()}/queue`);
		await message(0).waitFor();
		await messages().focus();
		await page.keyboard.press("End");
		await page.getByRole("alert").getByText("Too busy").waitFor();
		await appears(199, "End");
		// The first page is read again for it.
		await depot.plan(1);
		await page.getByText("301 of at most").waitFor();
		await page.getByRole("alert").getByText("Too busy").waitFor();
		await appears(0, "Home");
		await appears(199, "End");
		expect(asked).toBe(1);
		await page.unroute(NEXT_PAGE);
		await button("Try again").click();
		await page.getByRole("alert").waitFor({ state: "detached" });
		await messages().focus();
		await appears(299, "End");
	});
});

it("a change between the first read of a page and its answer is seen", async () => {
	const depot = client().depot.getOrCreate(["read"]);
	const actorId = await depot.resolve();
	// A stream that begins tells of the state, too; of queues it tells nothing but that it has begun.
	const stream = await hold(/\/inspector\/stream\?.*topics=[^&]*changed/, async (route, held) => {
		await held;
		await route.continue();
	});
	const changed = gate();
	let reads = 0;
	const read = await hold(/\/inspector\/queue\/messages\?/, async (route, held) => {
		if (reads++ > 0) return route.continue();
		const response = await route.fetch();
		// Before anybody listens.
		await depot.plan(1);
		changed.open();
		await held;
		await route.fulfill({ response });
	});
	await open(`actor/${actorId}/queue`);
	await Promise.all([changed.passed, stream.asked]);
	const order: string[] = [];
	page.on("response", (response) => {
		if (/\/inspector\/stream\?/.test(response.url())) order.push("stream");
	});
	page.on("request", (request) => {
		if (/\/inspector\/lifecycle$/.test(request.url())) order.push("lifecycle");
	});
	stream.goOn();
	// It is asked for again, too, when the stream begins.
	await expect
		.poll(
			() => order.includes("stream") && order.lastIndexOf("lifecycle") > order.indexOf("stream"),
		)
		.toBe(true);
	expect(reads).toBe(1);
	read.goOn();
	await page
		.getByRole("region", { name: "Messages", exact: true })
		.getByText("{ number: 0 }", { exact: true })
		.waitFor();
});

describe("what runs while other pages are looked at", () => {
	it("is an action whose result is seen when its tab is opened again", async () => {
		const ADD = /\/inspector\/action\/add$/;
		const actorId = await client().basket.getOrCreate(["called"]).resolve();
		await open(`actor/${actorId}/actions`);
		const answer = await hold(ADD, async (route, held) => {
			await held;
			await route.continue();
		});
		await page.getByLabel("Arguments").fill("2");
		await button("Call").click();
		await answer.asked;
		await open(`actor/${actorId}/lifecycle`);
		const answered = page.waitForResponse(ADD);
		answer.goOn();
		await (await answered).finished();
		await open(`actor/${actorId}/actions`);
		const call = page.getByRole("listitem").filter({ hasText: "add(2)" });
		await call.getByText("ok", { exact: true }).waitFor();
		await call.getByText("12345678901234567890n").waitFor();
		// Of this actor only.
		const other = await client().basket.getOrCreate(["not called"]).resolve();
		await open(`actor/${other}/actions`);
		await button("Call").waitFor();
		expect(await call.count()).toBe(0);
	});

	it("is a query, which is there with its result when its tab is opened again", async () => {
		const catalogue = client().catalogue.getOrCreate(["asked"]);
		await catalogue.fill();
		const actorId = await catalogue.resolve();
		await open(`actor/${actorId}/database`);
		const answer = await hold(/\/inspector\/database\/execute$/, async (route, held) => {
			await held;
			await route.continue();
		});
		await page.getByLabel("SQL").fill("SELECT 41 + ? AS answer");
		await page.getByLabel("Parameters").fill("1");
		await button("Run").click();
		await answer.asked;
		await open(`actor/${actorId}/lifecycle`);
		await open(`actor/${actorId}/database`);
		await button("Running…").waitFor();
		expect(await page.getByLabel("SQL").inputValue()).toBe("SELECT 41 + ? AS answer");
		answer.goOn();
		await page.getByText(/^1 row in /).waitFor();
		await page.getByRole("region", { name: "Result" }).getByText("42", { exact: true }).waitFor();
		await button("Run").waitFor();
	});
});

describe("a dialog that is closed before its answer", () => {
	const DESTROY = /\/actors\/[^/?]+$/;
	const dialog = () => page.getByRole("alertdialog");
	const told = () => page.getByRole("region", { name: "Notifications" });
	const destroy = async () => {
		await button("Destroy").click();
		const confirm = dialog().getByRole("button", { name: "Destroy" });
		await confirm.waitFor();
		expect(await dialog().getByText("Too busy").count(), "failures of before").toBe(0);
		await confirm.click();
	};
	const close = async () => {
		await page.keyboard.press("Escape");
		await dialog().waitFor({ state: "detached" });
	};

	it("has its failure told elsewhere, and nothing of it when it is opened again", async () => {
		const basket = client().basket.getOrCreate(["kept"]);
		await open(`actor/${await basket.resolve()}/lifecycle`);
		// One that is open says so itself.
		await page.route(DESTROY, refuse);
		await destroy();
		await dialog().getByText("Too busy").waitFor();
		await close();
		await page.unroute(DESTROY);
		const answer = await hold(DESTROY, async (route, held) => {
			await held;
			await refuse(route);
		});
		await destroy();
		await answer.asked;
		await close();
		answer.goOn();
		await told().getByText("Destroy failed").waitFor();
		await told().getByText("Too busy").waitFor();
		expect(await dialog().count()).toBe(0);
		await button("Destroy").click();
		await dialog().getByRole("button", { name: "Destroy" }).waitFor();
		expect(await dialog().getByText("Too busy").count()).toBe(0);
		await close();
	});

	it("leads nobody away from the page that was opened meanwhile", async () => {
		const [left, other] = ["left", "other"].map((key) => client().basket.getOrCreate([key]));
		await open(`actor/${await left!.resolve()}/lifecycle`);
		const answer = await hold(DESTROY, async (route, held) => {
			await held;
			await route.continue();
		});
		await destroy();
		await answer.asked;
		await close();
		await open(`actor/${await other!.resolve()}/state`);
		answer.goOn();
		await told().getByText("basket left is destroyed").waitFor();
		await page.getByRole("heading", { level: 1, name: "other" }).waitFor();
		expect(page.url()).toContain(await other!.resolve());
	});
});

describe("on the way to another address", () => {
	it("rows of a table are headed as what they are", async () => {
		const catalogue = client().catalogue.getOrCreate(["city"]);
		await catalogue.fill();
		await open(`actor/${await catalogue.resolve()}/database`);
		await page.getByText("Rows 1 to 100 of 250").waitFor();
		const next = await hold(/\/database\/rows\?.*offset=100/, async (route, held) => {
			await held;
			await route.continue();
		});
		await button("Next").click();
		await next.asked;
		await page.getByText("Loading rows from 101 on").waitFor();
		await page.getByText('"Book 1"', { exact: true }).waitFor();
		expect(await button("Next").isDisabled()).toBe(true);
		next.goOn();
		await page.getByText("Rows 101 to 200 of 250").waitFor();
		await page.getByText('"Book 101"', { exact: true }).waitFor();
	});

	it("a page is not headed as the one before", async () => {
		const basket = client().basket.getOrCreate(["before"]);
		const depot = client().depot.getOrCreate(["after"]);
		await open(`actor/${await basket.resolve()}/state`);
		await page.getByRole("heading", { level: 1, name: "before" }).waitFor();
		const current = () =>
			page
				.getByRole("navigation", { name: "Actor types" })
				.locator("[aria-current=page]")
				.allInnerTexts();
		await expect.poll(() => page.title()).toBe("before · basket · state · RivetKit");
		expect(await current()).toEqual(["Basket"]);
		const actorId = await depot.resolve();
		const life = await hold(new RegExp(`${actorId}/inspector/lifecycle$`), async (route, held) => {
			await held;
			await route.continue();
		});
		await page.goto(`${url}/ui/#/actor/${actorId}/kv`);
		await life.asked;
		await page.getByText("Loading the actor").waitFor();
		expect(await page.title()).toBe("actor · kv · RivetKit");
		expect(await page.getByRole("heading", { level: 1 }).count()).toBe(0);
		expect(await current()).toEqual([]);
		life.goOn();
		await page.getByRole("heading", { level: 1, name: "after" }).waitFor();
		await expect.poll(() => page.title()).toBe("after · depot · kv · RivetKit");
		expect(await current()).toEqual(["Depot"]);
	});
});
