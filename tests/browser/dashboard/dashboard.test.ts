import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser } from "playwright-core";
import { createClient } from "rivetkit/client";
import { afterAll, beforeAll, expect, it } from "vitest";
import { startRegistry } from "./registry.ts";
import { openTab, startBrowser, type Tab } from "./support.ts";

let data: string;
let browser: Browser;
let registry: ReturnType<typeof startRegistry>;
let url: string;
let tab: Tab;

beforeAll(async () => {
	data = await mkdtemp(join(tmpdir(), "dashboard-"));
	registry = startRegistry({ storagePath: data });
	url = (await registry.listen()).url;
	browser = await startBrowser();
	tab = await openTab(browser, `${url}/ui`);
});

afterAll(async () => {
	await browser?.close();
	await registry?.shutdown();
	await rm(data, { recursive: true, force: true });
});

it("leads from the list of types to an actor, whose state is edited and whose actions are called", async () => {
	const client = createClient<ReturnType<typeof startRegistry>>(url);
	const basket = client.basket.getOrCreate(["weekly"]);
	expect(await basket.read()).toBe(3);
	const { page } = tab;
	await page.getByRole("main").getByRole("link", { name: "Basket" }).click();
	await page.getByRole("link", { name: "weekly" }).click();

	await page.getByRole("button", { name: "Edit count" }).click();
	const editor = page.getByLabel("Value of count");
	await editor.fill("nonsense");
	await expect.poll(() => page.getByText("is no value").count()).toBe(1);
	await editor.fill("41");
	await page.getByRole("button", { name: "Apply" }).click();
	await page.getByRole("button", { name: "Save" }).click();
	await expect.poll(() => basket.read()).toBe(41);

	await page.getByRole("link", { name: "Actions" }).click();
	await page.getByLabel("Arguments").fill("1");
	await page.getByRole("button", { name: "Call" }).click();
	await page.getByText("12345678901234567890n").waitFor();
	expect(await basket.read()).toBe(42);
	expect(tab.problems).toEqual([]);
	expect(tab.strangers).toEqual([]);
});
