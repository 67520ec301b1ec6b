import type { Browser, Page } from "playwright-core";
import { createMemoryDriver } from "rivetkit";
import { createClient } from "rivetkit/client";
import { afterAll, beforeAll, expect, it } from "vitest";
import { startRegistry, type TestRegistry } from "./registry.ts";
import { openTab, startBrowser } from "./support.ts";

const COUNT = 10_000;
const AT_ONCE = 250;
/** Rows in the page at the same time: those that are seen, and some around them. */
const ROWS_MAX = 120;

let browser: Browser;
let registry: TestRegistry;
let url: string;
let page: Page;

beforeAll(async () => {
	registry = startRegistry({ driver: createMemoryDriver() });
	url = (await registry.listen()).url;
	browser = await startBrowser();
	({ page } = await openTab(browser, `${url}/ui/`));
});

afterAll(async () => {
	await browser?.close();
	await registry?.shutdown();
});

const rows = () => page.locator(".virtual-row").count();

it("finds one of 10,000 actors", async () => {
	const client = createClient<TestRegistry>(url);
	for (let from = 0; from < COUNT; from += AT_ONCE) {
		await Promise.all(
			Array.from({ length: AT_ONCE }, (_, at) =>
				client.basket.getOrCreate([`customer-${from + at}`]).resolve(),
			),
		);
	}
	await page.goto(`${url}/ui/#/actors/basket`);
	await page.getByText("10,000 actors", { exact: true }).waitFor();
	expect(await rows()).toBeLessThan(ROWS_MAX);
	await page.getByRole("region", { name: "Actors", exact: true }).focus();
	await page.keyboard.press("End");
	await page.getByText("customer-0", { exact: true }).waitFor();
	expect(await rows()).toBeLessThan(ROWS_MAX);
	await page.getByLabel("Search by key or id").fill("customer-4711");
	await page.getByText("1 of 10,000 actors").waitFor();
	await page.getByRole("link", { name: "customer-4711" }).click();
	await page.getByText("Groceries").waitFor();
});

it("goes through 10,000 messages of a queue", async () => {
	const parcel = createClient<TestRegistry>(url).parcel.getOrCreate(["busy"]);
	await parcel.fill(COUNT);
	await page.goto(`${url}/ui/#/actor/${await parcel.resolve()}/queue`);
	await page.getByText("10,000 of at most 20,000").waitFor();
	await page.getByText("{ number: 0 }").waitFor();
	expect(await rows()).toBeLessThan(ROWS_MAX);
	const list = page.getByRole("region", { name: "Messages", exact: true });
	await list.focus();
	for (const last of ["{ number: 199 }", "{ number: 399 }", "{ number: 599 }"]) {
		await expect
			.poll(
				async () => {
					await page.keyboard.press("End");
					return list.getByText(last).count();
				},
				{ timeout: 20_000 },
			)
			.toBe(1);
		expect(await rows()).toBeLessThan(ROWS_MAX);
	}
});
