// The state of an actor as a tree that is edited and saved, also while others write.
import { startBrowser } from "example-support/chromium";
import type { Browser, Page } from "playwright-core";
import { createMemoryDriver } from "rivetkit";
import { createClient } from "rivetkit/client";
import { encodeCbor } from "rivetkit/inspector/client";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
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
const main = () => page.getByRole("main");
const button = (name: string) => page.getByRole("button", { name, exact: true });
const open = (path: string) => lead(page, url, path);
const eventually = <T>(read: () => Promise<T>) => expect.poll(read);

/** A save is stored, but until it may go on the page hears nothing of it: neither its answer nor what the actor has now. */
async function holdSave(): Promise<{ stored: Promise<void>; goOn(): void }> {
	let isStored = () => {};
	let goOn = () => {};
	const stored = new Promise<void>((resolve) => {
		isStored = resolve;
	});
	const held = new Promise<void>((resolve) => {
		goOn = resolve;
	});
	let isSaved = false;
	await page.route("**/inspector/state", async (route) => {
		const isSave = route.request().method() === "PATCH";
		isSaved ||= isSave;
		const response = isSave ? await route.fetch() : undefined;
		if (isSave) isStored();
		if (isSaved) await held;
		await (response === undefined ? route.continue() : route.fulfill({ response }));
	});
	return { stored, goOn };
}

it("is reached from the list of types, edited as a tree, taken back and saved", async () => {
	const basket = client().basket.getOrCreate(["weekly"]);
	expect((await basket.read()).count).toBe(3);
	await main().getByRole("link", { name: "Basket" }).click();
	await page.getByRole("link", { name: "weekly" }).click();

	await button("Edit count").click();
	const editor = page.getByLabel("Value of count");
	await editor.fill("nonsense");
	await page.getByText("is no value").waitFor();
	expect(await button("Apply").isDisabled()).toBe(true);
	await editor.fill("41");
	await editor.press("Control+Enter");
	await button("Remove title").click();
	await main().getByText("Groceries").waitFor({ state: "detached" });
	await button("Undo (Ctrl+Z)").click();
	await main().getByText("Groceries").waitFor();
	expect((await basket.read()).count).toBe(3);
	await button("Save").click();
	await eventually(async () => (await basket.read()).count).toBe(41);

	// What JSON cannot say came back as it was.
	const saved = await basket.read();
	expect(saved.total).toBe(12_345_678_901_234_567_890n);
	expect(saved.openedAt).toEqual(new Date("2026-03-01T09:30:00Z"));
	expect(saved.prices).toEqual(
		new Map([
			["apple", 0.5],
			["bread", 2.4],
		]),
	);
	expect(saved.photo).toEqual(new Uint8Array([1, 2, 3, 250]));
});

it("shows what the actor does meanwhile, and says so before it is overwritten", async () => {
	const basket = client().basket.getOrCreate(["weekly"]);
	await basket.add(1);
	await main().getByText("42", { exact: true }).waitFor();
	await button("Edit open").click();
	await page.getByLabel("Value of open").fill("false");
	await button("Apply").click();
	// What the actor changed beside it is seen at once, and stays when the edit is saved.
	await basket.add(1);
	await main().getByText("43", { exact: true }).waitFor();
	await page.getByText("not saved").waitFor();
	await button("Save").click();
	await eventually(async () => (await basket.read()).open).toBe(false);
	expect((await basket.read()).count).toBe(43);
	await button("Edit count").click();
	await page.getByLabel("Value of count").fill("0");
	await button("Apply").click();
	await basket.add(1);
	await page.getByText("changed what you are editing").waitFor();
	await button("Discard").click();
	await main().getByText("44", { exact: true }).waitFor();
	await basket.add(-1);
	await main().getByText("43", { exact: true }).waitFor();
});

it("puts an edit of a list's item where the item is, and nowhere when it is another", async () => {
	const basket = client().basket.getOrCreate(["listed"]);
	await open(`actor/${await basket.resolve()}/state`);
	// Another visitor of the page, who writes meanwhile.
	const setLines = async (products: string[]) => {
		const lines = products.map((product) => ({ product, pieces: 1 }));
		const state = { ...(await basket.read()), lines };
		const body = encodeCbor({ state }) as BodyInit;
		const headers = { "content-type": "application/cbor" };
		const path = `${url}/gateway/${await basket.resolve()}/inspector/state`;
		const { status } = await fetch(path, { method: "PATCH", headers, body });
		expect(status).toBe(200);
	};
	const products = async () => (await basket.read()).lines.map(({ product }) => product);
	await setLines(["apple", "bread"]);
	await button("Open 1").click();
	await button("Edit product").click();
	const editor = page.getByLabel("Value of product");
	await editor.fill('"rolls"');
	await setLines(["milk", "apple", "bread"]);
	await page.getByText("since you began to edit").waitFor();
	expect(await editor.inputValue()).toBe('"rolls"');
	await button("Apply").click();
	await button("Save").click();
	await eventually(products).toEqual(["milk", "apple", "rolls"]);

	await button("Edit product").click();
	await editor.fill('"cakes"');
	await setLines(["milk", "rolls"]);
	await page.getByText("since you began to edit").waitFor();
	await button("Apply").click();
	await page.getByText("or the same part of a list").waitFor();
	await page.keyboard.press("Control+s");
	expect(await products()).toEqual(["milk", "rolls"]);
	await basket.add(5);
	await button("Overwrite").click();
	await eventually(products).toEqual(["milk", "cakes", "rolls"]);
	// What it wrote beside the list is as it wrote it.
	expect((await basket.read()).count).toBe(8);
});

it("keeps what is edited while a save is on its way, with what can be taken back", async () => {
	const basket = client().basket.getOrCreate(["saved"]);
	await open(`actor/${await basket.resolve()}/state`);
	const set = async (name: string, value: string) => {
		await button(`Edit ${name}`).click();
		await page.getByLabel(`Value of ${name}`).fill(value);
		await button("Apply").click();
	};
	let save = await holdSave();
	await set("count", "42");
	await button("Save").click();
	await save.stored;
	await set("title", '"Vegetables"');
	expect(await button("Save").isDisabled()).toBe(true);
	save.goOn();
	await expect.poll(() => button("Save").isEnabled()).toBe(true);
	await page.getByText("not saved").waitFor();
	expect(await page.getByText("changed what you are editing").count()).toBe(0);
	await main().getByText("Vegetables").waitFor();
	await button("Undo (Ctrl+Z)").click();
	await main().getByText("Groceries").waitFor();
	expect(await button("Save").isDisabled()).toBe(true);
	await button("Redo (Ctrl+Y)").click();
	save = await holdSave();
	await button("Save").click();
	await save.stored;
	expect(await basket.read()).toMatchObject({ title: "Vegetables", count: 42 });
	// Back to what the page was told last, which is no longer what the actor has.
	await button("Undo (Ctrl+Z)").click();
	save.goOn();
	await button("Save").click();
	await eventually(async () => (await basket.read()).title).toBe("Groceries");
});

it("is saved, and can be taken back, while another page is looked at", async () => {
	const basket = client().basket.getOrCreate(["left"]);
	const actorId = await basket.resolve();
	await open(`actor/${actorId}/state`);
	await button("Edit count").click();
	await page.getByLabel("Value of count").fill("42");
	await button("Apply").click();
	const save = await holdSave();
	await button("Save").click();
	await save.stored;
	await open(`actor/${actorId}/connections`);
	await open(`actor/${actorId}/state`);
	await main().getByText("42", { exact: true }).waitFor();
	expect(await button("Save").isDisabled()).toBe(true);
	expect(await button("Discard").isDisabled()).toBe(true);
	await button("Undo (Ctrl+Z)").click();
	save.goOn();
	await button("Save").click();
	await eventually(async () => (await basket.read()).count).toBe(3);
	await page.getByText("live", { exact: true }).waitFor();
});

it("is saved also where it cannot be read afterwards", async () => {
	const basket = client().basket.getOrCreate(["unread"]);
	await open(`actor/${await basket.resolve()}/state`);
	await button("Edit count").click();
	await page.getByLabel("Value of count").fill("42");
	await button("Apply").click();
	let isSaved = false;
	await page.route("**/inspector/state", async (route) => {
		if (route.request().method() === "PATCH") {
			const response = await route.fetch();
			isSaved = true;
			await route.fulfill({ response });
		} else if (isSaved) {
			const body = JSON.stringify({ group: "user", code: "busy", message: "Too busy to read" });
			await route.fulfill({ status: 429, contentType: "application/json", body });
		} else {
			await route.continue();
		}
	});
	await button("Save").click();
	await main().getByText("Too busy to read").waitFor();
	await main().getByText("42", { exact: true }).waitFor();
	expect(await page.getByText("not saved").count()).toBe(0);
	await button("Undo (Ctrl+Z)").click();
	await page.getByText("not saved").waitFor();
	await page.unrouteAll({ behavior: "ignoreErrors" });
	await button("Save").click();
	await eventually(async () => (await basket.read()).count).toBe(3);
	await page.getByText("live", { exact: true }).waitFor();
});

it("is saved on top of what is written between the read and the save", async () => {
	const basket = client().basket.getOrCreate(["raced"]);
	await open(`actor/${await basket.resolve()}/state`);
	const answers: number[] = [];
	await page.route("**/inspector/state", async (route) => {
		if (route.request().method() !== "PATCH") return route.continue();
		if (answers.length === 0) await basket.add(5);
		const response = await route.fetch();
		answers.push(response.status());
		await route.fulfill({ response });
	});
	await button("Edit title").click();
	await page.getByLabel("Value of title").fill('"Fruit"');
	await button("Apply").click();
	await button("Save").click();
	await page.getByText("live", { exact: true }).waitFor();
	await page.unroute("**/inspector/state");
	expect(answers).toEqual([412, 200]);
	expect(await basket.read()).toMatchObject({ count: 8, title: "Fruit" });
});

it("is edited with the keyboard alone", async () => {
	const basket = client().basket.getOrCreate(["typed"]);
	await open(`actor/${await basket.resolve()}/state`);
	const focused = () =>
		page.evaluate(() => document.activeElement?.getAttribute("aria-label") ?? null);
	await button("Add to the whole value").focus();
	await page.keyboard.press("Enter");
	// Letter by letter: what is typed stays in its field.
	await page.keyboard.type("place");
	await page.keyboard.press("Tab");
	await page.keyboard.press("ControlOrMeta+a");
	await page.keyboard.type('"shop"');
	await page.keyboard.press("Control+Enter");
	await main().getByText('"shop"').waitFor();
	expect(await focused()).toBe("Add to the whole value");
	await button("Edit count").focus();
	await page.keyboard.press("Enter");
	await page.keyboard.type("7");
	await page.keyboard.press("Control+Enter");
	expect(await focused()).toBe("Edit count");
	await page.keyboard.press("Control+z");
	await main().getByText("3", { exact: true }).first().waitFor();
	await page.keyboard.press("Control+Shift+z");
	await button("Remove title").focus();
	await page.keyboard.press("Enter");
	await main().getByText("Groceries").waitFor({ state: "detached" });
	expect(await focused()).toBe("Edit the whole value");
	await page.keyboard.press("Control+s");
	await eventually(async () => (await basket.read()).count).toBe(7);
	expect(await basket.read()).toMatchObject({ place: "shop" });
	expect(await basket.read()).not.toHaveProperty("title");
});

it("keeps what is not saved while another page is looked at, and says why it cannot be saved", async () => {
	const basket = client().basket.getOrCreate(["typed"]);
	const actorId = await basket.resolve();
	await open(`actor/${actorId}/state`);
	await button("Edit count").click();
	await page.getByLabel("Value of count").fill("[1, NaN]");
	await button("Apply").click();
	await open("actors/basket");
	await page.getByRole("region", { name: "Actors", exact: true }).waitFor();
	await open(`actor/${actorId}/state`);
	await page.getByText("not saved").waitFor();
	await button("Save").click();
	await main().getByText("at path `state.count[1]`: NaN cannot be stored").waitFor();
	await button("Discard").click();
	await page.getByText("live", { exact: true }).waitFor();
});
