import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { AxeResults, RunOptions } from "axe-core";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { fillRegistry, startRegistry } from "./registry.ts";
import { openTab, startBrowser, type Tab } from "./support.ts";

/** Where to keep what the pages look like: `npm run screenshots`. */
const screenshots = process.env.SCREENSHOTS;
const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
/** What axe calls serious or critical, and its best practices for landmarks and headings. */
const SERIOUS = ["serious", "critical"];

const PHONE = { width: 360, height: 740 };
const DESK = { width: 1280, height: 800 };

let data: string;
let browser: Browser;
let registry: ReturnType<typeof startRegistry>;
let url: string;
let light: Tab;
let dark: Tab;
let axe: string;
let ids: Readonly<Record<string, string>>;

beforeAll(async () => {
	data = await mkdtemp(join(tmpdir(), "dashboard-pages-"));
	registry = startRegistry({ storagePath: data });
	url = (await registry.listen()).url;
	ids = await fillRegistry(url);
	axe = await readFile(AXE, "utf8");
	browser = await startBrowser();
	const options = { viewport: DESK, reducedMotion: "reduce" } as const;
	light = await openTab(browser, `${url}/ui/`, { ...options, colorScheme: "light" });
	dark = await openTab(browser, `${url}/ui/`, { ...options, colorScheme: "dark" });
});

afterAll(async () => {
	await browser?.close();
	await registry?.shutdown();
	await rm(data, { recursive: true, force: true });
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
		path: "actor/{parcel}/queue",
		shows: "Grace",
		prepare: (page) => page.getByRole("button", { name: "Open message 1", exact: true }).click(),
	},
	{
		name: "schedules",
		path: "actor/{parcel}/schedules",
		shows: "0 6 * * *",
		prepare: (page) => page.getByRole("button", { name: "Open job tick" }).click(),
	},
	{ name: "database", path: "actor/{library}/database", shows: "Book 17" },
	{ name: "kv", path: "actor/{parcel}/kv", shows: "12 North Street" },
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
	{ name: "metrics", path: "actor/{basket}/metrics", shows: "Call time, median" },
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
		const overflow = await page.evaluate(
			() => document.documentElement.scrollWidth - document.documentElement.clientWidth,
		);
		const outside = await page.evaluate(() =>
			Array.from(document.querySelectorAll("nav [aria-current=page]"))
				.filter((link) => {
					const { left, right } = link.getBoundingClientRect();
					return left < 0 || right > window.innerWidth;
				})
				.map(({ textContent }) => textContent),
		);
		await page.setViewportSize(DESK);
		expect(overflow).toBe(0);
		expect(outside, "links to the open page").toEqual([]);
	});
});

function openFirst(page: Page, name: RegExp): Promise<void> {
	return page.getByRole("button", { name }).first().click();
}

async function keepPicture(page: Page, name: string): Promise<void> {
	if (!screenshots) return;
	await page.mouse.move(0, 0);
	await page.screenshot({ path: join(screenshots, `${name}.png`), animations: "disabled" });
}

async function go(page: Page, path: string): Promise<void> {
	const hash = path.replace(/\{(\w+)\}/g, (_, name: string) => ids[name] ?? "");
	await page.evaluate((to) => {
		window.location.hash = to;
	}, `#/${hash}`);
}

/** Run by the debugger's protocol, which the page's security policy does not concern. */
async function seriousProblems(page: Page): Promise<string[]> {
	await page.evaluate(axe);
	const results = await page.evaluate(
		(options) =>
			(
				globalThis as unknown as {
					axe: { run(root: Document, options: RunOptions): Promise<AxeResults> };
				}
			).axe.run(document, options),
		{ resultTypes: ["violations"] } as RunOptions,
	);
	return results.violations
		.filter(({ impact }) => SERIOUS.includes(impact ?? ""))
		.map(
			({ id, nodes }) =>
				`${id}: ${nodes.map(({ html, target }) => `${target} ${html}`).join(" | ")}`,
		);
}
