import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { startBrowser } from "example-support/chromium";
import { DevServer } from "example-support/dev-server";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const modules = join(root, "..", "..", "node_modules");
/** What the page looks like, for the README: `npm run screenshots:examples`. */
const screenshot = join(root, "..", "..", "docs", "images", "next-counter.png");
/** What Next.js compiles at the first visit takes its time on a busy machine. */
const PATIENCE_MS = 180_000;
/** What the actor adds, as it stands in its source or after an edit. */
const ADDITION = /\+= amount[^;]*/;

let server: DevServer;
let browser: Browser;

/** A tab, and the WebSockets to actors that it has opened. */
async function openTab(): Promise<{ page: Page; sockets: string[] }> {
	const page = await browser.newPage({ viewport: { width: 480, height: 360 } });
	page.setDefaultTimeout(PATIENCE_MS);
	const sockets: string[] = [];
	page.on("websocket", (socket) => {
		if (socket.url().includes("/gateway/")) sockets.push(socket.url());
	});
	await page.goto(server.origin);
	await page.waitForSelector('footer[data-status="connected"]');
	await page.waitForFunction(() => document.querySelector("output")?.textContent !== "…");
	return { page, sockets };
}

const count = async (page: Page) => Number(await page.locator("output").innerText());
/** What one click adds: waited for, so that none is on its way when the next one counts. */
const growth = async (page: Page) => {
	const seen = await count(page);
	await increase(page);
	await page.waitForFunction(
		(text) => document.querySelector("output")?.textContent !== text,
		`${seen}`,
	);
	return (await count(page)) - seen;
};
const shows = (page: Page, wanted: number) =>
	page.waitForFunction(
		(text) => document.querySelector("output")?.textContent === text,
		`${wanted}`,
	);
const watching = (page: Page, wanted: number) =>
	page.waitForFunction(
		(text) => document.querySelector("footer")?.textContent === text,
		`connected, ${wanted} watching`,
	);
/** Not with the mouse: Next.js puts what does not compile over the page. */
const increase = (page: Page) => page.getByRole("button", { name: "+1" }).dispatchEvent("click");

beforeAll(async () => {
	server = await DevServer.create({
		root,
		files: ["app", "src", "next.config.ts", "tsconfig.json", "package.json"],
		command: () => [join(modules, "next", "dist", "bin", "next"), "dev", "-H", "127.0.0.1"],
		ready: ["Ready in"],
	});
	await server.start();
	// What Next.js compiles at the first visit is compiled here, not while a page waits for it.
	for (const path of ["/", "/api/rivet/health"]) {
		const answer = await fetch(`${server.origin}${path}`);
		expect([answer.status, await answer.text()]).toEqual([200, expect.any(String)]);
	}
	browser = await startBrowser();
});

afterAll(async () => {
	await browser?.close();
	await server?.remove();
});

it("keeps two tabs in sync, and opens one connection for each in Strict Mode", async () => {
	const [ada, grace] = [await openTab(), await openTab()];
	await watching(ada.page, 2);
	await watching(grace.page, 2);
	await increase(ada.page);
	await shows(grace.page, 1);
	await increase(grace.page);
	await shows(ada.page, 2);
	// Effects of development builds run twice: that is what Strict Mode is.
	expect(ada.sockets).toHaveLength(1);
	expect(grace.sockets).toHaveLength(1);
	if (process.env.EXAMPLE_SCREENSHOTS) await ada.page.screenshot({ path: screenshot });
	await grace.page.close();
	await watching(ada.page, 1);
	await ada.page.close();
});

it("keeps the count and the socket over a hot reload, and runs the new code", async () => {
	const { page, sockets } = await openTab();
	const before = await count(page);
	await server.edit("src/actors.ts", (text) => text.replace("+= amount", "+= amount * 100"));
	await expect.poll(() => growth(page)).toBe(100);
	expect(await count(page)).toBeGreaterThan(before + 99);
	expect(sockets).toHaveLength(1);
	await page.close();
});

it("goes on with the code before an edit that does not compile", async () => {
	const { page, sockets } = await openTab();
	// Whatever the edit of the test before has left.
	const step = await growth(page);
	const before = await count(page);
	await server.edit("src/actors.ts", (text) => text.replace(ADDITION, "+= amount *"));
	await expect.poll(() => server.output).toContain("Expression expected");
	await page.locator("nextjs-portal").getByText("Expression expected").first().waitFor();
	await increase(page);
	await shows(page, before + step);
	await server.edit("src/actors.ts", (text) => text.replace(ADDITION, "+= amount"));
	await expect.poll(() => growth(page)).toBe(1);
	expect(sockets).toHaveLength(1);
	await page.close();
});

it("survives a kill -9 of the server: the page comes back by itself, with the count", async () => {
	const { page } = await openTab();
	const before = (await count(page)) + 1;
	await increase(page);
	await shows(page, before);
	const openedAt = await page.evaluate(() => performance.timeOrigin);
	await server.kill();
	await page.waitForFunction(
		() => document.querySelector("footer")?.dataset.status !== "connected",
	);
	await server.start();
	// Next.js's own page script reloads the page when its server is back, which asks the route. What is clicked before
	// that may be lost with the page.
	await page.waitForFunction((time) => performance.timeOrigin !== time, openedAt);
	await page.waitForSelector('footer[data-status="connected"]');
	await shows(page, before);
	await increase(page);
	await shows(page, before + 1);
	await page.close();
});
