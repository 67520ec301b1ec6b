import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import type { AxeResults, RunOptions } from "axe-core";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";

/** A tab, and what went wrong in it: exceptions, errors in the console, refusals of its security policy. */
export interface Tab {
	readonly page: Page;
	readonly problems: string[];
	/** Addresses of other servers than the dashboard's that it asked. */
	readonly strangers: string[];
}

/** Answers of the server that a test wants, such as a 401, are no errors of the page. */
const REFUSALS = /the server responded with a status of 4\d\d/;

export async function openTab(
	browser: Browser,
	url: string,
	options: BrowserContextOptions = {},
): Promise<Tab> {
	const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
	const page = await context.newPage();
	page.setDefaultTimeout(180_000);
	const problems: string[] = [];
	const strangers: string[] = [];
	page.on("pageerror", (error) => problems.push(String(error)));
	page.on("console", (message) => {
		if (message.type() !== "error" || REFUSALS.test(message.text())) return;
		problems.push(message.text());
	});
	page.on("request", (request) => {
		const { origin, protocol } = new URL(request.url());
		if (protocol.startsWith("http") && origin !== new URL(url).origin)
			strangers.push(request.url());
	});
	await page.goto(url);
	return { page, problems, strangers };
}

/** Leads a page of the dashboard to what is behind `#/`, and waits until that is there: it takes a new address when it has time for it. */
export async function lead(page: Page, url: string, path: string): Promise<void> {
	await page.goto(`${url}/ui/#/${path}`);
	await page
		.locator(`a[aria-current="page"][href="#/${path}"]`)
		.first()
		.waitFor({ state: "attached" });
}

/** Keeps what a page looks like where `npm run screenshots` says. */
export async function keepPicture(page: Page, name: string): Promise<void> {
	const folder = process.env.SCREENSHOTS;
	if (!folder) return;
	await page.mouse.move(0, 0);
	await page.screenshot({ path: join(folder, `${name}.png`), animations: "disabled" });
}

const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
/** What axe calls so, its best practices for landmarks and headings included. */
const SERIOUS = ["serious", "critical"];

/** Run by the debugger's protocol, which the page's security policy does not concern. */
export async function seriousProblems(page: Page): Promise<string[]> {
	await page.evaluate(await readFile(AXE, "utf8"));
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
