import { startBrowser } from "example-support/chromium";
import type { Browser, Page } from "playwright-core";
import { createMemoryDriver } from "rivetkit";
import { createClient } from "rivetkit/client";
import { decodeCbor, encodeCbor } from "rivetkit/inspector/client";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Shop, shopWith } from "./shop.ts";
import { openTab } from "./support.ts";

const COUNT = 10_000;
const AT_ONCE = 250;
/** Rows in the page at the same time: those that are seen, and some around them. */
const ROWS_MAX = 120;

let browser: Browser;
let registry: Shop;
let url: string;
let page: Page;

beforeAll(async () => {
	registry = shopWith({ driver: createMemoryDriver() });
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
	const client = createClient<Shop>(url);
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

it("goes through 10,000 messages of a queue to the last one, from either end", async () => {
	const depot = createClient<Shop>(url).depot.getOrCreate(["busy"]);
	await depot.plan(COUNT);
	await page.goto(`${url}/ui/#/actor/${await depot.resolve()}/queue`);
	await page.getByText("10,000 of at most 20,000").waitFor();
	await page.getByText("{ number: 0 }", { exact: true }).waitFor();
	expect(await rows()).toBeLessThan(ROWS_MAX);
	const list = page.getByRole("region", { name: "Messages", exact: true });
	await list.focus();
	await expect
		.poll(async () => {
			await page.keyboard.press("End");
			return list.getByText("{ number: 9999 }", { exact: true }).count();
		})
		.toBe(1);
	expect(await rows()).toBeLessThan(ROWS_MAX);
	await page.keyboard.press("Home");
	await page.getByText("{ number: 0 }", { exact: true }).waitFor();
	await page.getByLabel("Order").selectOption("newest");
	await page.getByText("{ number: 9999 }", { exact: true }).waitFor();
	expect(await list.getByText("{ number: 0 }", { exact: true }).count()).toBe(0);
});

it("goes on with a list that changes while its next page is on its way", async () => {
	const depot = createClient<Shop>(url).depot.getOrCreate(["growing"]);
	await depot.plan(300);
	await page.goto(`${url}/ui/#/actor/${await depot.resolve()}/queue`);
	await page.getByText("300 of at most").waitFor();
	let goOn = () => {};
	const held = new Promise<void>((resolve) => {
		goOn = resolve;
	});
	const isAsked = page.waitForRequest((request) => /messages\?.*after=[1-9]/.test(request.url()));
	await page.route(/messages\?.*after=[1-9]/, async (route) => {
		await held;
		await route.continue();
	});
	const list = page.getByRole("region", { name: "Messages", exact: true });
	await list.focus();
	await page.keyboard.press("End");
	await isAsked;
	await depot.plan(1);
	await page.getByText("301 of at most").waitFor();
	goOn();
	await expect
		.poll(async () => {
			await page.keyboard.press("End");
			return list.getByText("{ number: 299 }", { exact: true }).count();
		})
		.toBe(1);
	await page.unrouteAll({ behavior: "ignoreErrors" });
});

it("shows a state of a megabyte, and saves an edit of it with all else as it was", async () => {
	const id = await createClient<Shop>(url).basket.getOrCreate(["large"]).resolve();
	const address = `${url}/gateway/${id}/inspector/state`;
	const type = "application/cbor";
	const read = async () => {
		const response = await fetch(address, { headers: { accept: type } });
		const bytes = new Uint8Array(await response.arrayBuffer());
		return { bytes, state: (decodeCbor(bytes) as { state: Record<string, unknown> }).state };
	};
	const lines = Array.from({ length: 22_000 }, (_, pieces) => ({
		product: `product ${pieces} of a long list`,
		pieces,
	}));
	const large = { ...(await read()).state, lines };
	const body = encodeCbor({ state: large }) as BodyInit;
	await fetch(address, { method: "PATCH", headers: { "content-type": type }, body });
	expect((await read()).bytes.byteLength).toBeGreaterThan(1_000_000);
	await page.goto(`${url}/ui/#/actor/${id}/state`);
	await page.getByText("list · 22000").waitFor();
	await page.getByRole("button", { name: "Open lines" }).click();
	await page.getByRole("region", { name: "State", exact: true }).last().focus();
	await page.keyboard.press("End");
	await page.getByText("21999", { exact: true }).first().waitFor();
	expect(await rows()).toBeLessThan(ROWS_MAX);
	await page.keyboard.press("Home");
	await page.getByRole("button", { name: "Edit count", exact: true }).click();
	await page.getByLabel("Value of count").fill("7");
	await page.getByRole("button", { name: "Apply" }).click();
	await page.getByRole("button", { name: "Save" }).click();
	await page.getByText("live", { exact: true }).waitFor();
	expect((await read()).state).toEqual({ ...large, count: 7 });
});
