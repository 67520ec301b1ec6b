import { startBrowser } from "example-support/chromium";
import type { Browser } from "playwright-core";
import { actor, createMemoryDriver, event, queue, setup } from "rivetkit";
import { createClient } from "rivetkit/client";
import { db } from "rivetkit/db";
import { workflow } from "rivetkit/workflow";
import { afterAll, beforeAll, expect, it } from "vitest";
import { lead, openTab } from "./support.ts";

/** What a page that takes text for markup would run. */
const HOSTILE = `"><img src=x onerror="window.broken=1"><script>window.broken=1</script>{{1}}\${1}`;
const LINK = "javascript:window.broken=1";

const hostile = actor({
	options: { name: HOSTILE, icon: HOSTILE, sleepTimeout: 600_000 },
	createState: () => ({ [HOSTILE]: HOSTILE, link: LINK, html: new Map([[HOSTILE, [HOSTILE]]]) }),
	events: { [HOSTILE]: event<string>() },
	queues: { [HOSTILE]: queue<string>() },
	db: db({
		onMigrate: async (database) => {
			await database.execute('CREATE TABLE IF NOT EXISTS "<img src=x onerror=broken()>" (a)');
			await database.execute('INSERT INTO "<img src=x onerror=broken()>" VALUES (?)', HOSTILE);
		},
	}),
	run: workflow(async (ctx) => {
		await ctx.step(HOSTILE.slice(0, 60), () => HOSTILE);
		await ctx.sleep("long", 1e9);
	}),
	actions: {
		[HOSTILE]: async (c) => {
			c.log.error({ [HOSTILE]: HOSTILE }, HOSTILE);
			c.broadcast(HOSTILE as never, HOSTILE as never);
			await c.kv.put(HOSTILE, HOSTILE);
			await c.schedule.after(3_600_000, HOSTILE as never, HOSTILE as never);
			await c.cron.every({ name: HOSTILE.slice(0, 60), interval: 3_600_000, action: HOSTILE });
			await c.queue.send(HOSTILE as never, HOSTILE as never);
		},
	},
});

let browser: Browser;
let registry: ReturnType<typeof start>;
let url: string;

const start = () =>
	setup({
		use: { hostile },
		driver: createMemoryDriver(),
		managerPort: 0,
		noWelcome: true,
		logging: { level: "silent" },
	});

beforeAll(async () => {
	registry = start();
	url = (await registry.listen()).url;
	browser = await startBrowser();
});

afterAll(async () => {
	await browser?.close();
	await registry?.shutdown();
});

const TABS = [
	"state",
	"actions",
	"connections",
	"events",
	"queue",
	"schedules",
	"database",
	"kv",
	"workflow",
	"traces",
	"logs",
	"lifecycle",
];

it("shows names, keys and values as the text that they are, wherever they stand", async () => {
	const handle = createClient(url).hostile!.getOrCreate([HOSTILE], { params: { name: HOSTILE } });
	const actorId = await handle.resolve();
	for (const what of ["events", "logs"]) await fetch(`${url}/gateway/${actorId}/inspector/${what}`);
	const connection = handle.connect();
	await connection.action({ name: HOSTILE, args: [] });
	const { page, problems, strangers } = await openTab(browser, `${url}/ui/`);
	const isBroken = () =>
		page.evaluate(() => ({
			ran: (window as unknown as { broken?: number }).broken !== undefined,
			markup: document.querySelectorAll("main img, main script, [href^='javascript:']").length,
		}));
	await page.getByRole("main").getByText(HOSTILE).first().waitFor();
	await lead(page, url, "actors/hostile");
	await page.getByRole("main").getByText("onerror").first().waitFor();
	expect(await isBroken()).toEqual({ ran: false, markup: 0 });
	for (const tab of TABS) {
		await lead(page, url, `actor/${actorId}/${tab}`);
		const shown = page.getByRole("main").getByText("onerror");
		// Beside the key at the top.
		if (tab !== "lifecycle") await shown.nth(1).waitFor({ state: "attached" });
		expect([tab, await isBroken()]).toEqual([tab, { ran: false, markup: 0 }]);
	}
	// Neither by an address that somebody sends.
	await page.goto(
		`${url}/ui/#/actors/${encodeURIComponent(HOSTILE)}?q=${encodeURIComponent(HOSTILE)}`,
	);
	const search = page.getByLabel("Search by key or id");
	await expect.poll(() => search.inputValue()).toBe(HOSTILE);
	await page.getByRole("heading", { level: 1 }).getByText("onerror").waitFor();
	expect(await isBroken()).toEqual({ ran: false, markup: 0 });
	expect([problems, strangers]).toEqual([[], []]);
	await connection.dispose();
});
