// Each page of the dashboard, with the running example examples/shop behind it: how it looks, and who can use it.
import { startBrowser } from "example-support/chromium";
import { exampleServer } from "example-support/server";
import type { Browser, Page } from "playwright-core";
import { type Client, createClient } from "rivetkit/client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { fillShop } from "../../../examples/shop/src/fill.ts";
import { SHOP, type Shop } from "./shop.ts";
import { keepPicture, openTab, seriousProblems, type Tab } from "./support.ts";

const PHONE = { width: 360, height: 740 };
const DESK = { width: 1280, height: 800 };

const server = exampleServer(SHOP);
let browser: Browser;
let client: Client<Shop>;
let light: Tab;
let dark: Tab;
let ids: Readonly<Record<string, string>>;

beforeAll(async () => {
	const { url } = server;
	client = createClient<Shop>(url);
	// Asking has events and lines of every level recorded from here on, for a minute.
	const basket = await client.basket.getOrCreate(["weekly"], { params: { user: "ada" } }).resolve();
	for (const what of ["events", "logs"] as const) await ask(basket, what);
	ids = await fillShop(client);
	browser = await startBrowser();
	const options = { viewport: DESK, reducedMotion: "reduce" } as const;
	light = await openTab(browser, `${url}/ui/`, { ...options, colorScheme: "light" });
	dark = await openTab(browser, `${url}/ui/`, { ...options, colorScheme: "dark" });
});

afterAll(async () => {
	await browser?.close();
	await client?.dispose();
});

interface Look {
	readonly name: string;
	/** Behind `#/`; `{basket}` stands for an actor's id. */
	readonly path: string;
	/** What is there when the page is. */
	readonly shows: string;
	readonly prepare?: (page: Page) => Promise<void>;
}

const LOOKS: readonly Look[] = [
	{ name: "types", path: "", shows: "Basket" },
	{ name: "actors", path: "actors/basket", shows: "weekly" },
	{ name: "state", path: "actor/{basket}/state", shows: "Groceries" },
	{
		name: "actions",
		path: "actor/{basket}/actions",
		shows: "Call an action",
		prepare: async (page) => {
			await page.getByLabel("Arguments").fill("2");
			await page.getByRole("button", { name: "Call" }).click();
			await page.getByText("12345678901234567890n").waitFor();
		},
	},
	{ name: "connections", path: "actor/{basket}/connections", shows: "ada" },
	{ name: "events", path: "actor/{basket}/events", shows: "{ count: 4 }" },
	{
		name: "queue",
		path: "actor/{depot}/queue",
		shows: "Grace",
		prepare: (page) => page.getByRole("button", { name: "Open message 1", exact: true }).click(),
	},
	{
		name: "schedules",
		path: "actor/{depot}/schedules",
		shows: "0 6 * * *",
		prepare: (page) => page.getByRole("button", { name: "Open job tick" }).click(),
	},
	{ name: "database", path: "actor/{catalogue}/database", shows: "Book 17" },
	{ name: "kv", path: "actor/{depot}/kv", shows: "12 North Street" },
	{
		name: "workflow",
		path: "actor/{order}/workflow",
		shows: "waits for a message in payments",
		prepare: (page) => page.getByRole("button", { name: "Open step reserve" }).click(),
	},
	{
		name: "traces",
		path: "actor/{basket}/traces",
		shows: "actor.action.add",
		prepare: (page) => openFirst(page, /^Open trace actor\.action\.add/),
	},
	{
		name: "metrics",
		path: "actor/{basket}/metrics",
		shows: "Call time, median",
		prepare: async (page) => {
			// The lines of these calls are in the picture of the logs, however long it took to come here.
			await ask(ids.basket!, "logs");
			// A picture has lines; for the rest the first number will do.
			for (let sample = 0; sample < (process.env.SCREENSHOTS ? 8 : 1); sample++) {
				const calls = [5, 9, 4, 12, 7, 3, 10, 6][sample]!;
				for (let call = 0; call < calls; call++) await client.basket.getOrCreate(["weekly"]).add(1);
				await page.waitForResponse((response) => response.url().endsWith("/metrics"));
			}
			await page
				.getByText(/^up to [\d.]+\/s$/)
				.first()
				.waitFor();
		},
	},
	{
		name: "logs",
		path: "actor/{basket}/logs",
		shows: "pieces were added",
		prepare: (page) => openFirst(page, /^Open log line/),
	},
	{ name: "lifecycle", path: "actor/{basket}/lifecycle", shows: "Generation" },
];

describe.each(LOOKS)("$name", ({ name, path, shows, prepare }) => {
	it.each(["light", "dark"] as const)(
		"has no serious accessibility problem when it is %s",
		async (theme) => {
			const { page, problems } = theme === "light" ? light : dark;
			await go(page, path);
			await page.getByText(shows).first().waitFor();
			await prepare?.(page);
			await keepPicture(page, `${name}-${theme}`);
			expect(await seriousProblems(page)).toEqual([]);
			expect(problems).toEqual([]);
		},
	);

	it("fits a phone", async () => {
		const { page } = light;
		await page.setViewportSize(PHONE);
		await go(page, path);
		await page.getByText(shows).first().waitFor();
		await keepPicture(page, `${name}-phone`);
		// Strips of links move when the page has drawn itself as narrow as it is.
		await expect
			.poll(() => page.evaluate(badFit))
			.toEqual({ overflow: 0, linksToOpenPageOutside: [], linksCutAtTheLeft: [] });
		await page.setViewportSize(DESK);
	});
});

/** Runs in the page. */
function badFit() {
	const textsOf = (links: string, isMeant: (link: Element) => boolean) =>
		Array.from(document.querySelectorAll(links))
			.filter(isMeant)
			.map(({ textContent }) => textContent);
	return {
		overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
		linksToOpenPageOutside: textsOf("nav [aria-current=page]", (link) => {
			const { left, right } = link.getBoundingClientRect();
			return left < 0 || right > window.innerWidth;
		}),
		linksCutAtTheLeft: textsOf("nav a", (link) => {
			const strip = link.closest("nav")!.getBoundingClientRect();
			const { left, right } = link.getBoundingClientRect();
			return left < strip.left - 1 && right > strip.left + 1;
		}),
	};
}

async function ask(actorId: string, what: "events" | "logs"): Promise<void> {
	const { status } = await fetch(`${server.url}/gateway/${actorId}/inspector/${what}`);
	expect(status).toBe(200);
}

function openFirst(page: Page, name: RegExp): Promise<void> {
	return page.getByRole("button", { name }).first().click();
}

async function go(page: Page, path: string): Promise<void> {
	const hash = path.replace(/\{(\w+)\}/g, (_, name: string) => ids[name] ?? "");
	await page.evaluate((to) => {
		window.location.hash = to;
	}, `#/${hash}`);
}
