import { execFile } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import type { Browser, BrowserContextOptions, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect } from "vitest";
import { startBrowser } from "./chromium.ts";
import type { ExampleServer } from "./server.ts";

/** Width of a phone, in CSS pixels. */
const PHONE = { width: 375, height: 667 };

export interface ExamplePages {
	/** A tab of its own, without cookies or storage of the others. */
	open(path?: string, options?: BrowserContextOptions): Promise<Page>;
	/** Keeps a picture in the example's folder when `npm run screenshots:examples` asks for it. */
	screenshot(page: Page, name?: string): Promise<void>;
}

/**
 * The example's page, built as its README says, in one Chromium for the tests of the file. Each test fails that saw an error in
 * a tab or a request to another machine.
 */
export function examplePages(server: ExampleServer): ExamplePages {
	let browser: Browser;
	let problems: string[] = [];

	beforeAll(async () => {
		[browser] = await Promise.all([startBrowser(), buildPage(server.root)]);
	});
	afterEach(async () => {
		await Promise.all(browser.contexts().map((context) => context.close()));
		const seen = problems;
		problems = [];
		expect(seen).toEqual([]);
	});
	afterAll(() => browser?.close());

	return {
		async open(path = "/", options = {}) {
			const context = await browser.newContext({
				viewport: { width: 760, height: 460 },
				...options,
			});
			const page = await context.newPage();
			page.setDefaultTimeout(180_000);
			page.on("pageerror", (error) => problems.push(String(error)));
			page.on("request", (request) => {
				const { hostname, protocol } = new URL(request.url());
				if (protocol.startsWith("http") && hostname !== "127.0.0.1") problems.push(request.url());
			});
			await page.goto(`${server.pageUrl}${path}`);
			return page;
		},
		async screenshot(page, name = "screenshot") {
			if (!process.env.EXAMPLE_SCREENSHOTS) return;
			await page.screenshot({ path: join(server.root, `${name}.png`) });
		},
	};
}

/** Whether the page fits a phone: nothing reaches beyond its right edge. */
export async function fitsPhone(page: Page): Promise<boolean> {
	const before = page.viewportSize();
	await page.setViewportSize(PHONE);
	const fits = await page.evaluate(
		() => document.documentElement.scrollWidth <= document.documentElement.clientWidth,
	);
	if (before) await page.setViewportSize(before);
	return fits;
}

/** `vite build`, with what Node's processes outside tests have as environment. */
async function buildPage(root: string): Promise<void> {
	const vite = join(
		dirname(createRequire(import.meta.url).resolve("vite/package.json")),
		"bin/vite.js",
	);
	const env = { ...process.env, NODE_ENV: "" };
	await promisify(execFile)(process.execPath, [vite, "build", "--logLevel", "error"], {
		cwd: root,
		env,
	});
}
