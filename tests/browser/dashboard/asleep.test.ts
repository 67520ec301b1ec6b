// An actor that sleeps is not woken by a page about it that nobody touches.
import type { LifecycleReport } from "@rivetkit/protocol/inspector/answers";
import { startBrowser } from "example-support/chromium";
import type { Browser } from "playwright-core";
import { actor, createMemoryDriver, setup } from "rivetkit";
import { createClient } from "rivetkit/client";
import { db } from "rivetkit/db";
import { afterAll, beforeAll, expect, it } from "vitest";
import { lead, openTab } from "./support.ts";

const library = actor({
	options: { name: "Library", sleepTimeout: 600_000 },
	db: db({
		onMigrate: async (database) => {
			await database.execute("CREATE TABLE IF NOT EXISTS books (id INTEGER PRIMARY KEY)");
		},
	}),
	actions: {
		fill: async (c) => {
			await c.db.execute(
				"WITH RECURSIVE ids(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM ids WHERE id < 250) INSERT INTO books SELECT id FROM ids",
			);
		},
		close: (c) => c.sleep(),
	},
});

let browser: Browser;
let registry: ReturnType<typeof start>;
let url: string;

const start = () =>
	setup({
		use: { library },
		driver: createMemoryDriver(),
		managerPort: 0,
		noWelcome: true,
		logging: { level: "error" },
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

it("its database is read when somebody says so, each time anew", async () => {
	const { page, problems, strangers } = await openTab(browser, `${url}/ui/`);
	const handle = createClient<typeof registry>(url).library.getOrCreate(["city"]);
	await handle.fill();
	const actorId = await handle.resolve();
	const life = async () =>
		(await (
			await fetch(`${url}/gateway/${actorId}/inspector/lifecycle`)
		).json()) as LifecycleReport;
	const status = async () => (await life()).status;
	const asked: string[] = [];
	page.on("request", (request) => {
		if (request.url().includes("/inspector/database/")) asked.push(request.url());
	});
	const button = (name: string) => page.getByRole("button", { name, exact: true });
	const fallAsleep = async () => {
		await handle.close();
		await expect.poll(status).toBe("sleeping");
	};
	/** Somebody comes back to the page, and the network to them. What is read again then is on its way afterwards. */
	const comeBack = async () => {
		for (const event of ["visibilitychange", "online"]) {
			const summary = page.waitForResponse((response) => response.url().endsWith("/summary"));
			await page.evaluate((name) => {
				if (name === "online") dispatchEvent(new Event("offline"));
				dispatchEvent(new Event(name));
			}, event);
			await (await summary).finished();
		}
	};

	await lead(page, url, `actor/${actorId}/database`);
	await page.getByText("Rows 1 to 100 of 250").waitFor();
	// The page has not heard that it sleeps.
	const awake = await life();
	await page.route(/\/inspector\/lifecycle$/, (route) => route.fulfill({ json: awake }));
	await fallAsleep();
	asked.length = 0;
	await comeBack();
	expect([asked, await status()], "by a page that takes it for awake").toEqual([[], "sleeping"]);
	await page.unroute(/\/inspector\/lifecycle$/);

	await comeBack();
	await page.getByText("1, as last read").waitFor();
	await comeBack();
	expect([asked, await status()], "by a page that knows").toEqual([[], "sleeping"]);

	await lead(page, url, `actor/${actorId}/lifecycle`);
	const summary = page.waitForResponse((response) => response.url().endsWith("/summary"));
	await lead(page, url, `actor/${actorId}/database`);
	await (await summary).finished();
	await page.getByText("Rows 1 to 100 of 250").waitFor();
	expect([asked, await status()], "by another tab").toEqual([[], "sleeping"]);

	await button("Next").click();
	await page.getByText("The actor sleeps", { exact: true }).waitFor();
	await page.getByText("Rows from 101 on", { exact: true }).waitFor();
	expect([asked, await status()], "by another page of a table").toEqual([[], "sleeping"]);
	await button("Wake it and look").click();
	await page.getByText("Rows 101 to 200 of 250").waitFor();
	expect(await status()).toBe("awake");
	await expect.poll(() => button("Wake").isDisabled()).toBe(true);
	const rows = page.waitForResponse((response) => response.url().includes("/database/rows"));
	await button("Refresh").click();
	await (await rows).finished();

	await fallAsleep();
	await page.getByText("1, as last read").waitFor();
	await button("Next").click();
	await button("Wake it and look").waitFor();
	expect(await status(), "said once, it is meant once").toBe("sleeping");
	await button("Refresh").click();
	await page.getByText("Rows 201 to 250 of 250").waitFor();
	expect([problems, strangers]).toEqual([[], []]);
});
